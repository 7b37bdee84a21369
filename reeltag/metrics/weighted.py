"""Average precision when whole videos count several times, or not at all: for the bootstrap.

A bootstrap replicate of n videos counts video v `weights[v]` times. Sorting is done once: what is
left for a replicate are sums of weights between two hits, which are taken for many replicates at
once, hits by hits, so that the work stays in the cache.

Shape letters: N pairs, H hits, L lists, V videos, R replicates.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from reeltag.metrics.ranking import Ranking

_HITS = 4096  # that many hits x R at a time


class WeightedRanking:
    """A ranking whose pairs belong to videos, ready to be scored under many weights.

    Args:
        ranking: of N pairs.
        owners_N: the video of each pair, in the order in which `rank_pairs` was given the pairs.
    """

    def __init__(self, ranking: Ranking, owners_N: Tensor) -> None:
        owners_N = owners_N[ranking.order]
        places_H, self._lists = ranking.places, ranking.lists
        follows_H = torch.zeros_like(places_H, dtype=torch.bool)
        follows_H[1:] = self._lists[1:] == self._lists[:-1]
        begins_H = torch.where(follows_H, places_H.roll(1) + 1, ranking.firsts)
        lengths_H = places_H - begins_H  # misses between a hit and the one before it
        ends_H = lengths_H.cumsum(0)
        self._first = ~follows_H
        self._bags = torch.cat([ends_H.new_zeros(1), ends_H])
        misses = torch.arange(int(self._bags[-1]), device=places_H.device) + (
            begins_H - self._bags[:-1]
        ).repeat_interleave(lengths_H)
        self._miss_owners, self._hit_owners = owners_N[misses].long(), owners_N[places_H].long()

    def average_precision(self, num_positives_LR: Tensor, weights_VR: Tensor) -> Tensor:
        """Return the average precision of each list under each weighting, (L, R) float64.

        A pair of video v is `weights_VR[v, r]` times in the list. The copies of a hit share
        the precision of the first: else a video that is drawn twice would vouch for itself, and
        rare classes would fare better in a replicate than in the data. Weights of 1 give
        `Ranking.average_precision`.

        Args:
            num_positives_LR: positives of each list, weighted, too; 0 gives NaN.
            weights_VR: float32 whole numbers >= 0.
        """
        num_replicates = weights_VR.shape[1]
        gain_LR = torch.zeros_like(num_positives_LR, dtype=torch.double)
        base_2R = gain_LR.new_zeros(2, num_replicates)  # at the start of the list
        upto_2R = base_2R.clone()  # at the start of the part: pairs, hits
        for first in range(0, len(self._lists), _HITS):
            part = slice(first, first + _HITS)
            own_HR, misses_HR = self._weights(part, weights_VR)
            steps_2HR = torch.stack([misses_HR + own_HR, own_HR])
            after_2HR = steps_2HR.cumsum(1) + upto_2R.unsqueeze(1)
            bases = torch.cat(
                [base_2R.unsqueeze(1), (after_2HR - steps_2HR)[:, self._first[part]]], 1
            )
            pairs_HR, hits_HR = after_2HR - own_HR - bases[:, self._first[part].cumsum(0)]
            found_HR = own_HR * (hits_HR + 1) / (pairs_HR + 1)
            gain_LR.index_add_(0, self._lists[part], found_HR)
            base_2R, upto_2R = bases[:, -1], after_2HR[:, -1]
        return torch.where(num_positives_LR > 0, gain_LR / num_positives_LR, torch.nan)

    def _weights(self, part: slice, weights_VR: Tensor) -> tuple[Tensor, Tensor]:
        """Return, of each hit in a part, its own weight and that of the misses just before it."""
        owners_H = self._hit_owners[part]
        bags = self._bags[part.start : part.start + len(owners_H) + 1]
        missed = self._miss_owners[int(bags[0]) : int(bags[-1])]
        misses_HR = embedding_bag(missed, weights_VR, bags[:-1] - bags[0], mode="sum")
        return weights_VR[owners_H].double(), misses_HR.double()
