"""The label relation regulariser: what classes' weights share is cheap, what each has alone is not.

    penalty = tr(W Omega^-1 W^T),    Omega = (W^T W)^(1/2) / tr((W^T W)^(1/2))

W (H, C) are the weights of the output layer, Omega (C, C) is how classes relate and is taken as
given: no gradient runs through it. With the singular values s and right singular vectors v of the
weights W0 that Omega was made from,

    Omega = V diag(s) V^T / sum(s),    penalty = sum(s) * sum_r |W v_r|^2 / s_r = |factor W^T|^2

with the rows sqrt(sum(s) / s_r) v_r^T of a factor (R, C): nothing is C x C. At W = W0 this is
sum(s)^2, the square of the nuclear norm, whose own gradient 2 sum(s) U V^T is the same. (The
nuclear form of the penalty keeps U V^T instead and costs no matrix product.)

Omega is singular, as its rank is at most H. Here Omega^-1 is the pseudo-inverse: directions that W0
does not use cost nothing until Omega is computed again. (An epsilon in its place would cost
1 / epsilon for every direction that W0 does not use, and so forbid what lowers the loss.)

Sources: Axon 2018 sec. 3.2 eq. 5 and 6, and the authors' code; the closed
form is that of Zhang & Yeung, UAI 2010, arXiv:1203.3536.

Shape letters: C classes, H inputs of the output layer, R = min(C, H). Weights are (C, H), as
PyTorch keeps them: W = weight_CH^T.
"""

import torch
from torch import Tensor


def omega_factor(weight_CH: Tensor) -> Tensor:
    """Return F (R, C) with F^T F = the pseudo-inverse of Omega, for `omega_penalty`.

    Singular values below sqrt(10 eps) of the largest (0.0011 of it in float32) count as 0: that is
    what the eigenvalues of W W^T can distinguish from 0. Costs 4 C H R operations for the products,
    about 9 R^3 for the eigenvectors.

    Args:
        weight_CH: float32 or float64; NaN all over where a weight is not finite.
    """
    values_R, vectors_RR = _singular(weight_CH)
    inverse_R = _inverse(values_R)
    if len(weight_CH) <= weight_CH.shape[1]:  # the vectors are V
        scale_R = (values_R.sum() * inverse_R).sqrt()
        return scale_R.unsqueeze(1) * vectors_RR.T
    scale_R = (values_R.sum() * inverse_R).sqrt() * inverse_R  # V = W^T U / s
    return (vectors_RR * scale_R).T @ weight_CH.T


def omega_penalty(weight_CH: Tensor, factor_RC: Tensor) -> Tensor:
    """Return tr(W Omega^-1 W^T), a scalar >= 0, float32 (float64 stays).

    Two matrix products of 2 C H R operations a step, one for the gradient; under autocast they
    are made in its dtype.

    Args:
        weight_CH: of the output layer.
        factor_RC: of `omega_factor`, of these weights or of earlier ones.
    """
    product_RH = factor_RC @ weight_CH
    return product_RH.to(torch.promote_types(product_RH.dtype, torch.float32)).square().sum()


def nuclear_direction(weight_CH: Tensor) -> Tensor:
    """Return (U V^T)^T (C, H), the gradient of the sum of the singular values of `weight_CH`.

    Singular values that count as 0 (see `omega_factor`) have no part in it. Costs as much as
    `omega_factor`; no singular value decomposition is differentiated, so that equal singular
    values do no harm.

    Args:
        weight_CH: float32 or float64; NaN all over where a weight is not finite.
    """
    values_R, vectors_RR = _singular(weight_CH)
    root_RR = (vectors_RR * _inverse(values_R)) @ vectors_RR.T
    return root_RR @ weight_CH if len(weight_CH) <= weight_CH.shape[1] else weight_CH @ root_RR


def nuclear_penalty(weight_CH: Tensor, direction_CH: Tensor) -> Tensor:
    """Return <direction, weight>^2, a scalar, whose gradient is 2 <direction, weight> direction.

    With the direction of these very weights it is the square of the nuclear norm, (sum of the
    singular values)^2, and the gradient is exact; with that of earlier ones it is its tangent from
    below. A step costs 4 C H operations.

    Args:
        weight_CH: of the output layer.
        direction_CH: of `nuclear_direction`.
    """
    return (weight_CH * direction_CH).sum().square()


def _singular(weight_CH: Tensor) -> tuple[Tensor, Tensor]:
    """Return the singular values (R,), and the singular vectors of the shorter side (R, R)."""
    wide = len(weight_CH) <= weight_CH.shape[1]
    gram_RR = weight_CH @ weight_CH.T if wide else weight_CH.T @ weight_CH
    if not gram_RR.isfinite().all():  # the loss becomes NaN, which the training reports
        return gram_RR.diagonal() * torch.nan, gram_RR * torch.nan
    values_R, vectors_RR = torch.linalg.eigh(gram_RR)
    return values_R.clamp(min=0).sqrt(), vectors_RR


def _inverse(values_R: Tensor) -> Tensor:
    """Return 1 / s, and 0 where s counts as 0."""
    smallest = values_R.amax() * (10 * torch.finfo(values_R.dtype).eps) ** 0.5
    return torch.where(values_R <= smallest, 0.0, 1 / values_R)
