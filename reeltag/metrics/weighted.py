"""Average precision when whole videos count several times, or not at all: for the bootstrap.

A bootstrap replicate of n videos counts video v `weights[v]` times. Sorting is done once: what is
left for a replicate are sums of weights from one hit to the next, which are taken for many
replicates at once, some hits at a time, so that the work stays in the cache.

A *mark* ends a bag of pairs whose weights are summed: each hit is one; further ones, which belong
to no video, are where a list begins, and where a bag would get too large.

Shape letters: N pairs, H hits, L lists, V videos, R replicates, M marks.
"""

import torch
from torch import Tensor

from reeltag.metrics.ranking import Ranking
from reeltag.metrics.video_weights import MOST_IN_BAG, VideoWeights

_MARKS = 512  # that many marks x R at a time


class WeightedRanking:
    """A ranking whose pairs belong to videos, ready to be scored under many weights.

    Args:
        ranking: of N pairs.
        owners_N: the video of each pair, in the order in which `rank_pairs` was given the pairs.
    """

    def __init__(self, ranking: Ranking, owners_N: Tensor) -> None:
        used = int(ranking.places[-1]) + 1 if len(ranking.places) else 0
        self._owners = owners_N.int().index_select(
            0, ranking.order[:used]
        )  # nothing is behind the last hit
        is_first = torch.ones_like(ranking.lists, dtype=torch.bool)
        is_first[1:] = ranking.lists[1:] != ranking.lists[:-1]
        is_mark = torch.zeros(used + 1, dtype=torch.bool)
        is_mark[::MOST_IN_BAG] = True
        is_mark[ranking.firsts[is_first]] = True
        is_mark[ranking.places + 1] = True
        ends_M = is_mark[1:].nonzero().squeeze(1) + 1
        is_hit, is_start = torch.zeros_like(is_mark), torch.zeros_like(is_mark)
        is_hit[ranking.places + 1], is_start[ranking.firsts[is_first]] = True, True
        begins_M = ends_M.roll(1)
        begins_M[:1] = 0
        self._bags = torch.cat([begins_M, ends_M[-1:]]).int()
        self._own = torch.where(is_hit[ends_M], self._owners[ends_M - 1], -1)
        self._is_first = is_start[begins_M]
        lists = ranking.lists[is_first]
        number_M = self._is_first.cumsum(0) - 1
        self._lists = lists[number_M.clamp(min=0)] if len(lists) else number_M

    def average_precision(self, num_positives_LR: Tensor, weights: VideoWeights) -> Tensor:
        """Return the average precision of each list under each weighting, (L, R) float64.

        A pair of a video is as often in the list as the video's weight says. The copies of a hit
        share the precision of the first: else a video that is drawn twice would vouch for itself,
        and rare classes would fare better in a replicate than in the data. Weights of 1 give
        `Ranking.average_precision`.

        Args:
            num_positives_LR: positives of each list, weighted, too; 0 gives NaN.
            weights: of the V videos in R replicates.
        """
        gain_LR = torch.zeros_like(num_positives_LR, dtype=torch.double)
        before_2R = torch.ones(2, weights.replicates, dtype=torch.double)
        room_2MR = torch.empty(2, _MARKS, weights.replicates, dtype=torch.double)
        for first in range(0, len(self._own), _MARKS):
            part = slice(first, min(first + _MARKS, len(self._own)))
            own_MR = weights.of(self._own[part])
            upto_2MR = room_2MR[:, : len(own_MR)]
            upto_2MR[0], upto_2MR[1] = self._sums(part, weights), own_MR
            self._accumulate(part, upto_2MR, before_2R)
            before_2R = upto_2MR[:, -1].clone()
            pairs_MR, hits_MR = upto_2MR.sub_(own_MR)
            self._add(part, hits_MR.div_(pairs_MR).mul_(own_MR), gain_LR)
        return torch.where(num_positives_LR > 0, gain_LR / num_positives_LR, torch.nan)

    def _sums(self, part: slice, weights: VideoWeights) -> Tensor:
        """Return (M, R) the weights of the pairs up to each mark, from the one before it on."""
        bags = self._bags[part.start : part.stop + 1]
        owners = self._owners[int(bags[0]) : int(bags[-1])]
        return weights.sums(owners, bags[:-1] - bags[0])

    def _accumulate(self, part: slice, upto_2MR: Tensor, before_2R: Tensor) -> None:
        """Turn pairs and hits at each mark into 1 + those of its list up to there.

        Args:
            part: of the marks.
            upto_2MR: is overwritten.
            before_2R: 1 + pairs and hits of the list that the part goes on with.
        """
        begins = self._is_first[part].nonzero().squeeze(1)
        goes_on = not len(begins) or bool(begins[0])
        upto_2MR[:, 0] += before_2R if goes_on else 1.0
        for upto_MR in upto_2MR:
            torch.cumsum(upto_MR, 0, out=upto_MR)
        begins = begins[begins > 0]
        if len(begins):
            others_2GR = upto_2MR[:, begins - 1] - 1  # of the lists before
            others_2GR = torch.cat([torch.zeros_like(others_2GR[:, :1]), others_2GR], 1)
            lengths = torch.diff(
                begins, prepend=begins.new_zeros(1), append=begins.new_tensor([upto_2MR.shape[1]])
            )
            upto_2MR -= others_2GR.repeat_interleave(lengths, dim=1)

    def _add(self, part: slice, found_MR: Tensor, gain_LR: Tensor) -> None:
        """Add the precision at each hit, as often as it counts, to its list."""
        lists_M = self._lists[part]
        if lists_M[0] == lists_M[-1]:
            gain_LR[lists_M[0]] += found_MR.sum(0)
        else:
            gain_LR.index_add_(0, lists_M, found_MR)
