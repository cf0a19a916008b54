"""How noisy an image is, from the image alone."""

import torch
import torch.nn.functional as F
from torch import Tensor

DAUBECHIES_2 = (-0.48296291314469025, 0.836516303737469, -0.22414386804185735, -0.12940952255092145)
"""High-pass analysis filter of the wavelet with two vanishing moments."""

NORMAL_MEDIAN = 0.6744897501960817
"""Median of the absolute value of a standard normal number."""


def noise_level(channels: Tensor) -> Tensor:
    """Estimate the standard deviation of white noise in each channel.

    The median size of the finest diagonal wavelet coefficients, where photos hold little else than noise. Coefficients
    of exactly zero (clipped or synthetic areas) do not count.

    Args:
        channels: Shape (B, C, H, W).

    Returns:
        Shape (B, C, 1, 1), in the units of the channels; 0 for images below 4 pixels a side.

    References:
        Donoho and Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage, Sec. 4.2.
    """
    if min(channels.shape[-2:]) < len(DAUBECHIES_2):
        return channels.new_zeros(*channels.shape[:2], 1, 1)
    return robust_deviation(noise_coefficients(channels).flatten(2))[..., None, None]


def noise_coefficients(channels: Tensor) -> Tensor:
    """Finest diagonal wavelet coefficients, shape (B, C, H', W'); row i stands for the four rows from 2 i on."""
    high_pass = channels.new_tensor(DAUBECHIES_2)
    kernel = torch.outer(high_pass, high_pass)[None, None]
    diagonal = F.conv2d(channels.flatten(0, 1)[:, None], kernel, stride=2)
    return diagonal.view(*channels.shape[:2], *diagonal.shape[-2:])


def robust_deviation(coefficients: Tensor) -> Tensor:
    """Standard deviation by the median size of those coefficients in the last dimension that are not exactly zero."""
    sizes = coefficients.abs()
    sizes = torch.where(sizes > 1e-6, sizes, torch.nan)
    return sizes.nanmedian(dim=-1).values.nan_to_num(0) / NORMAL_MEDIAN
