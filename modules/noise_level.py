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
    batch, count, height, width = channels.shape
    if min(height, width) < len(DAUBECHIES_2):
        return channels.new_zeros(batch, count, 1, 1)
    high_pass = channels.new_tensor(DAUBECHIES_2)
    diagonal = F.conv2d(channels.flatten(0, 1)[:, None], torch.outer(high_pass, high_pass)[None, None], stride=2)
    sizes = diagonal.abs().flatten(1)
    sizes = torch.where(sizes > 1e-6, sizes, torch.nan)
    return (sizes.nanmedian(dim=1).values.nan_to_num(0) / NORMAL_MEDIAN).view(batch, count, 1, 1)
