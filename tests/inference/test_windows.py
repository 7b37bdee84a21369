"""The frames of a window are those of its seconds, and no others."""

import pytest
import torch

from reeltag.inference.windows import Segments, cut_windows, segment_starts
from tests.inference.standin import make_batch, make_videos


@pytest.mark.parametrize(
    ("before", "after", "shift"),
    [(0, 0, 0), (3, 2, 0), (2, 2, -2), (0, 0, 4), (0, 0, -9), (0, 7, 3)],
)
def test_windows_are_slices_cut_at_the_ends_of_the_video(
    before: int, after: int, shift: int
) -> None:
    videos = make_videos([13, 4, 20, 1])
    grid = [segment_starts(len(video)) for video in videos]
    segments = Segments.on(grid, [len(video) for video in videos])
    frames, mask, held = cut_windows(
        make_batch(videos), segments, before=before, after=after, shift=shift
    )
    expected = {}
    places = [(v, s) for v, starts in enumerate(grid) for s in starts]
    for row, (v, s) in enumerate(places):
        cut = videos[v][max(s - before + shift, 0) : max(s + 5 + after + shift, 0)]
        if len(cut):
            expected[row] = cut
    assert held.tolist() == list(expected)
    for place, cut in enumerate(expected.values()):
        assert torch.equal(frames[place][mask[place]], cut)
        assert mask[place].tolist() == sorted(mask[place].tolist(), reverse=True)  # real ones first


def test_windows_of_a_part_match_those_of_all() -> None:
    videos = make_videos([12, 30])
    segments = Segments.on([range(0, 15, 5), range(10, 20, 5)], [12, 30])
    assert len(segments) == 5
    frames, mask, _ = cut_windows(make_batch(videos), segments.part(slice(2, 4)))
    assert torch.equal(frames[0][mask[0]], videos[0][10:12])
    assert torch.equal(frames[1][mask[1]], videos[1][10:15])
