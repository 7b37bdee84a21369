"""A recurrent network whose steps are summed by attention.

Shape letters: B videos, T frames (padded), D feature size, H size of a step's output, K chunks of
a video, F frames of a chunk, N chunks of all videos.
"""

import torch
from torch import Tensor, nn

from reeltag.layers.frame_attention import masked_softmax, pooled
from reeltag.layers.initialisers import xavier_linear
from reeltag.layers.recurrent import GRU, bidirectional


class StepAttention(nn.Module):
    """v = sum_t a[t] h[t],  a = softmax over real steps of w . tanh(W h[t] + b).

    Source: Yang et al. 2016, NAACL N16-1174, sec. 2.2 eq. 5 to 7, with as many attention units as
    a step has outputs.

    Args:
        size: H.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.hidden = xavier_linear(size, size)
        self.score = xavier_linear(size, 1, bias=False)

    def forward(self, steps_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, H), float32 (float64 stays); 0 for a video without real frames."""
        return pooled(self.weights(steps_BTH, mask_BT), steps_BTH)

    def weights(self, steps_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        """Return a (B, T), float32 (float64 stays), 0 in the padding; sum 1, or 0 without frames.

        Args:
            steps_BTH: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
        """
        scores_BT: Tensor = self.score(torch.tanh(self.hidden(steps_BTH))).squeeze(-1)
        return masked_softmax(scores_BT, mask_BT, dim=-1)


class AttentionGRU(nn.Module):
    """GRU over the frames, in both directions or forwards, and `StepAttention` over its outputs.

    With chunks the same is done twice: within each chunk of a video, where the GRU starts again,
    and then over the vectors of the chunks, as Yang et al. read words and then sentences. Source:
    Autohome 2019 sec. 3.1, whose figure is lost; this is the reading of
    docs/reference/departures.md.

    Args:
        dim: D.
        hidden: units of the GRU each way.
        num_layers: of the GRU, each way.
        both_ways: H is 2 * hidden; else H is hidden.
        chunk: F; 0 reads a video as one.
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        num_layers: int = 1,
        *,
        both_ways: bool = True,
        chunk: int = 0,
    ) -> None:
        super().__init__()
        self.recurrent: nn.Module
        if both_ways:
            self.recurrent = bidirectional(GRU, dim, hidden, num_layers)
        else:
            self.recurrent = GRU(dim, hidden, num_layers)
        self.output_size = 2 * hidden if both_ways else hidden
        self.attention = StepAttention(self.output_size)
        self.chunk, self.over_chunks = chunk, None
        if chunk:
            self.over_chunks = AttentionGRU(
                self.output_size, hidden, num_layers, both_ways=both_ways
            )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, H), float32 (float64 stays); one frame gives that frame's output.

        A chunk is `chunk` frames of the batch, the last one as many as are left.
        """
        if self.over_chunks is None:
            return self._summed(frames_BTD, mask_BT)
        (batch, length, dim), size = frames_BTD.shape, self.chunk
        count = length // size + 2  # one or two without frames: an export wants sizes > 1
        places = torch.arange(count * size, device=frames_BTD.device)
        there, places = places < length, places.clamp(max=length - 1)
        mask_NF = (mask_BT.index_select(1, places) & there).reshape(batch * count, size)
        frames_NFD = frames_BTD.index_select(1, places).reshape(batch * count, size, dim)
        chunks_BKH = self._summed(frames_NFD, mask_NF).reshape(batch, count, self.output_size)
        real_BK = mask_NF.any(dim=-1).reshape(batch, count)
        summed_BH: Tensor = self.over_chunks(chunks_BKH, real_BK)
        return summed_BH

    def _summed(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        steps_BTH, _ = self.recurrent(frames_BTD, mask_BT)
        summed_BH: Tensor = self.attention(steps_BTH, mask_BT)
        return summed_BH
