"""The frames of a window are those of its seconds, and no others."""

import numpy as np
import pytest
import torch

from reeltag.inference.windows import Grid
from reeltag.tagger.windows import Segments, find_windows
from tests.inference.standin import make_batch, make_videos


@pytest.mark.parametrize(
    ("before", "after", "shift"),
    [(0, 0, 0), (3, 2, 0), (2, 2, -2), (0, 0, 4), (0, 0, -9), (0, 7, 3)],
)
def test_windows_are_slices_cut_at_the_ends_of_the_video(
    before: int, after: int, shift: int
) -> None:
    videos = make_videos([13, 4, 20, 1])
    lengths = [len(video) for video in videos]
    segments = Segments.at([Grid().times(length) for length in lengths], lengths)
    windows, held = find_windows(
        make_batch(videos), segments, before=before, after=after, shift=shift
    )
    frames, mask = windows.cut()
    expected = {}
    places = [(v, s) for v, video in enumerate(videos) for s in range(0, len(video), 5)]
    for row, (v, s) in enumerate(places):
        cut = videos[v][max(s - before + shift, 0) : max(s + 5 + after + shift, 0)]
        if len(cut):
            expected[row] = cut
    assert held.tolist() == list(expected)
    for place, cut in enumerate(expected.values()):
        assert torch.equal(frames[place][mask[place]], cut)
        assert mask[place].tolist() == sorted(mask[place].tolist(), reverse=True)  # real ones first


@pytest.mark.parametrize(
    ("length", "hop", "rate"), [(2, 1, 1), (3, 0.5, 2), (1.5, 4, 2), (0.1, 1, 1)]
)
def test_windows_of_any_length_and_hop_hold_the_frames_whose_middle_is_in_them(
    length: float, hop: float, rate: float
) -> None:
    videos = make_videos([13, 4])
    grid = Grid(length=length, hop=hop, rate=rate)
    segments = Segments.at([grid.times(13), grid.times(4)], [13, 4])
    windows, held = find_windows(make_batch(videos), segments, rate)
    frames, mask = windows.cut()
    assert held.tolist() == list(range(len(segments)))
    expected = []
    for v, video in enumerate(videos):
        for start in np.arange(0, len(video) / rate, hop):
            middles = (np.arange(len(video)) + 0.5) / rate
            inside = np.flatnonzero((middles >= start) & (middles < start + length))
            nearest = [int((start + length / 2) * rate)]  # where it holds no middle
            expected.append(video[inside if len(inside) else nearest])
            at = len(expected) - 1
            assert (segments.video[at], *segments.times[at]) == (v, start, start + length)
    assert len(expected) == len(segments)
    for row, cut in enumerate(expected):
        assert torch.equal(frames[row][mask[row]], cut)


def test_windows_of_a_part_match_those_of_all() -> None:
    videos = make_videos([12, 30])
    segments = Segments.at([Grid().times(12), Grid().times(30)], [12, 30])
    assert len(segments) == 9
    frames, mask = find_windows(make_batch(videos), segments.part(slice(2, 5)))[0].cut()
    assert torch.equal(frames[0][mask[0]], videos[0][10:12])
    assert torch.equal(frames[2][mask[2]], videos[1][5:10])


def test_overlap_counts_in_how_many_windows_a_frame_is() -> None:
    batch = make_batch(make_videos([9, 4]))
    apart = Segments.at([Grid().times(9), Grid().times(4)], [9, 4])
    assert find_windows(batch, apart)[0].overlap == 1
    grid = Grid(hop=1)  # of 9 frames 5 windows of 5 and 4 at the end of 4, 3, 2, 1
    windows, _ = find_windows(batch, Segments.at([grid.times(9), grid.times(4)], [9, 4]))
    assert windows.overlap == pytest.approx((5 * 5 + 10 + 10) / 13)
    distinct = windows.distinct()
    assert len(distinct.frames) == 13
    for one, other in zip(windows.cut(), distinct.cut(), strict=True):
        assert torch.equal(one, other)
