"""What the networks that look at a whole photo see of it, whatever its size: a small copy, and its histogram."""

import torch
import torch.nn.functional as F
from torch import Tensor

HISTOGRAM_SIDE = 128
"""Side in pixels of the copy whose histogram is told: larger than the one that is looked at, since averages hide how
black the blackest and how white the whitest place is."""

QUANTILES = (0.002, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.998)
"""Shares of the pixels below the values that are told."""


def reduced(images: Tensor, side: int) -> Tensor:
    """Copies of shape (B, 3, side, side) of images, shape (B, 3, H, W), range [0, 1]."""
    if tuple(images.shape[-2:]) == (side, side):
        return images
    return F.interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


def quantiles(images: Tensor) -> Tensor:
    """Quantiles of red, green, blue and of each pixel's smallest and largest channel, shape (B, 5, len(QUANTILES)).

    The smallest channel is what shows haze (He et al. 2009, dark channel), the largest what shows too little light.
    """
    # One pixel in four has the same histogram, and is sorted in a fifth of the time.
    pixels = reduced(images, HISTOGRAM_SIDE)[..., ::2, ::2].flatten(2)
    ranked = (
        torch.cat([pixels, pixels.amin(dim=1, keepdim=True), pixels.amax(dim=1, keepdim=True)], dim=1).sort().values
    )
    return ranked[..., [round(share * (ranked.shape[-1] - 1)) for share in QUANTILES]]


def both_scales(values: Tensor) -> Tensor:
    """Values and their logarithms, along the channels: dark photos differ in these, bright ones in the values."""
    return torch.cat([values * 2 - 1, (values + 1 / 255).log() / 2.5 + 1], dim=1)
