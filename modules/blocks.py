"""JPEG's blocks, found in the image alone: how much error they carry, and where they lie."""

import torch
from torch import Tensor

BLOCK_PX = 8
CERTAINTY = 5.0
"""How many standard deviations one column in eight must stand out to be taken for a block border."""


def blocking_level(channels: Tensor) -> Tensor:
    """Estimate the standard deviation of the error of blocks that were coded one by one.

    Errors of neighbouring blocks are independent, so that squared differences across a border exceed those elsewhere by
    twice their variance; the border may lie at any of the eight phases, and differences above the 90 % quantile
    (edges of the picture) are cut off.

    Args:
        channels: Shape (B, C, H, W).

    Returns:
        Shape (B, C, 1, 1), in the units of the channels; 0 where no phase stands out, or below 16 pixels a side.
    """
    batch, count, height, width = channels.shape
    if min(height, width) < 2 * BLOCK_PX:
        return channels.new_zeros(batch, count, 1, 1)
    variances = [_border(channels, axis)[0] for axis in (-1, -2)]
    return (torch.stack(variances).sum(dim=0) / 4).sqrt().view(batch, count, 1, 1)


def first_blocks(images: Tensor) -> Tensor:
    """Find where blocks begin, which a photo that was cut after it was coded does not tell by its border.

    Args:
        images: Shape (B, 3, H, W).

    Returns:
        Row and column of the first whole block of each image, shape (B, 2), 0 to 7; 0 where no blocks are seen.
    """
    if min(images.shape[-2:]) < 2 * BLOCK_PX:
        return torch.zeros(len(images), 2, dtype=torch.long)
    grey = images.float().mean(dim=1, keepdim=True)
    found = []
    for axis in (-2, -1):
        excess, border = _border(grey, axis)
        found.append(torch.where(excess > 0, (border + 1) % BLOCK_PX, 0)[:, 0])
    return torch.stack(found, dim=1).cpu()


def _border(channels: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Mean squared difference at the phase that stands out, above that of the others; and that phase; shapes (B, C)."""
    differences = channels.diff(dim=axis).movedim(axis, -1)
    size = differences.shape[-1] // BLOCK_PX * BLOCK_PX
    sizes = differences[..., :size].abs()
    # Every seventh is enough for a quantile, and torch.quantile takes no more than 16 million.
    limit = torch.quantile(sizes.flatten(2)[..., :: 7 + sizes[0, 0].numel() // 2**20], 0.9, dim=2)
    squares = torch.minimum(sizes, limit[..., None, None]) ** 2
    phases = squares.unflatten(-1, (-1, BLOCK_PX)).mean(dim=(2, 3))
    highest, phase = phases.max(dim=-1)
    others = (phases.sum(dim=-1) - highest) / (BLOCK_PX - 1)
    spread = ((phases**2).sum(dim=-1) - highest**2) / (BLOCK_PX - 1) - others**2
    excess = highest - others
    return torch.where(excess > CERTAINTY * spread.clamp(min=0).sqrt() + 1e-8, excess, torch.zeros_like(excess)), phase
