"""The gradient of a linear layer's weight, kept as the two matrices whose product it is.

    gradient = sum over batches of outputs.T @ inputs
    norm^2 = sum((outputs outputs') * (inputs inputs'))    both (B, B)

Shape letters: B videos, of all batches of a step together, V inputs, H outputs.
"""

import torch
from torch import Tensor


class FactoredGradient:
    """The gradient (H, V) of a weight, which is never in memory as a whole; empty at first.

    Attributes:
        scale: what the product is to be divided by, a float32 scalar; 1, or more once clipped.
    """

    def __init__(self) -> None:
        self._outputs: list[Tensor] = []
        self._inputs: list[Tensor] = []
        self.scale = torch.ones(())

    def __bool__(self) -> bool:
        """Whether there is a gradient."""
        return bool(self._outputs)

    def add(self, outputs_BH: Tensor, inputs_BV: Tensor) -> None:
        """Add the gradient of one backward pass.

        Args:
            outputs_BH: gradient of the layer's outputs.
            inputs_BV: what the weights were multiplied by, in the same dtype.
        """
        self._outputs.append(outputs_BH.detach())
        self._inputs.append(inputs_BV.detach())

    def clear(self) -> None:
        """Forget the gradient."""
        self._outputs, self._inputs, self.scale = [], [], torch.ones(())

    def columns(self, part: slice) -> Tensor:
        """Return some columns of the product, turned, (part, H) in float32 (float64 stays)."""
        product = self._product(0, part)
        for number in range(1, len(self._outputs)):
            product += self._product(number, part)
        return product

    def _product(self, number: int, part: slice) -> Tensor:
        product_vH = self._inputs[number][:, part].T @ self._outputs[number]
        return product_vH.to(torch.promote_types(product_vH.dtype, torch.float32))

    def norm(self) -> Tensor:
        """Return the norm of the product, a scalar; scale left out."""
        dtype = torch.promote_types(self._outputs[0].dtype, torch.float32)
        outputs, inputs = (torch.cat(x).to(dtype) for x in (self._outputs, self._inputs))
        square = ((outputs @ outputs.T) * (inputs @ inputs.T)).sum()
        return square.clamp(min=0).sqrt()  # a sum that cancels may round to less than 0
