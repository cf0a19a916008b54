"""What of a photo is not photo: noise as cameras make it, and coding errors, from the photo alone."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modules.noise_level import noise_coefficients, noise_level, robust_deviation
from modules.outputs.blocking_level import blocking_level

WHITE, COLOURED = 1.2, 1.5
"""Factor from the finest scale to the next up to which noise is taken for white, and from which on it is not."""

COARSEST, PHOTO_COARSENESS = 1.7, 2.1
"""Factor up to which it is the noise's, and from which on it is the photo's own."""

GROWTH = 1.15
"""Growth of that factor with the next scale at which a photo is seen behind noise; of noise alone it shrinks."""

SMALLEST_SCALE = 16
"""Pixels a side below which a picture says nothing of noise at a scale."""

TEXTURE_LEVEL, NOISE_LEVEL = 3 / 255, 6 / 255
"""Level up to which what seems noise is taken for texture, and from which on for noise."""

BLOCK, QUIETEST, SHARE_OF_QUIETEST = 8, 0.1, 0.8035
"""Coefficients a side of the blocks whose noise is told apart; which of them, by rank, says how much noise there is,
since texture only adds to it; and how much less than the truth that one shows where noise is all there is."""

NUM_BRIGHTNESSES, BRIGHTNESS_RADIUS_PX, BRIGHTNESS_WIDTH = 6, 8, 0.1
"""Equally frequent brightnesses whose noise is told apart, pixels around a place that say how bright it is, and width
of the bell by which the noise of the brightnesses between is interpolated."""


class PhotoNoise(NamedTuple):
    """What is not photo in the channels of B photos.

    Attributes:
        level: Standard deviation of the noise at the finest scale, all brightnesses together, shape (B, C, 1, 1).
        by_brightness: Factor of the level at each pixel, shape (B, 1, H, W).
        coarseness: Factor of the level from each scale to the next coarser one, 1 for white noise, shape (B, C, 1, 1).
        coding: Standard deviation of the errors of coded blocks, shape (B, C, 1, 1).
    """

    level: Tensor
    by_brightness: Tensor
    coarseness: Tensor
    coding: Tensor

    def variance(self, enlarged: Tensor) -> Tensor:
        """Variance of noise and coding errors at each pixel, shape (B, C, H, W), without what may be texture.

        Args:
            enlarged: How much undoing the damage enlarges it, shape (B, 1, 1, 1): a dark photo's texture is dark too.
        """
        level = self.level * self.by_brightness
        is_noise = (level * enlarged.clamp(min=1) - TEXTURE_LEVEL) / (NOISE_LEVEL - TEXTURE_LEVEL)
        return (level * is_noise.clamp(0, 1)) ** 2 + self.coding**2


def find_noise(channels: Tensor, brightness: Tensor) -> PhotoNoise:
    """Find noise and coding errors.

    Args:
        channels: What was seen, shape (B, C, H, W), of nearly independent noise.
        brightness: Of the same photos, shape (B, 1, H, W), range [0, 1].
    """
    coding = blocking_level(channels)
    level = noise_level(channels)
    if min(channels.shape[-2:]) < 4 * SMALLEST_SCALE:
        return PhotoNoise(level, torch.ones_like(brightness), torch.ones_like(level), coding)
    coarseness = _coarseness(channels, level)
    blocks = robust_deviation(_blocks(noise_coefficients(channels)))
    level = _quietest(blocks)[..., None, None]
    return PhotoNoise(level, _by_brightness(blocks, brightness), coarseness, coding)


def _by_brightness(blocks: Tensor, brightness: Tensor) -> Tensor:
    """Factor of the noise at each pixel: light comes in quanta, tone curves are steep in the dark, white is clipped.

    Args:
        blocks: Noise of each block, shape (B, C, N).
        brightness: Shape (B, 1, H, W).
    """
    side = 2 * BRIGHTNESS_RADIUS_PX + 1
    local = F.avg_pool2d(F.pad(brightness, [BRIGHTNESS_RADIUS_PX] * 4, mode="replicate"), side, stride=1)
    # A wavelet coefficient looks at 4 x 4 pixels.
    of_block = _blocks(F.avg_pool2d(local, 4, stride=2)).mean(dim=3)
    ranks = of_block.argsort(dim=2).argsort(dim=2) * NUM_BRIGHTNESSES // of_block.shape[2]
    total, weights = torch.zeros_like(local), torch.zeros_like(local)
    for rank in range(NUM_BRIGHTNESSES):
        own = ranks == rank
        centre = (of_block * own).sum(dim=2) / own.sum(dim=2)
        weight = torch.exp(-(((local - centre[..., None, None]) / BRIGHTNESS_WIDTH) ** 2) / 2) + 1e-6
        total += weight * _log_mean(_quietest(torch.where(own, blocks, torch.nan)))
        weights += weight
    return (total / weights - _log_mean(_quietest(blocks))).exp()


def _blocks(channels: Tensor) -> Tensor:
    """Values of each whole block, shape (B, C, N, BLOCK * BLOCK)."""
    height, width = (size // BLOCK * BLOCK for size in channels.shape[-2:])
    rows = channels[..., :height, :width].unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK))
    return rows.transpose(3, 4).flatten(4).flatten(2, 3)


def _quietest(blocks: Tensor) -> Tensor:
    """Noise of the quiet among blocks, shape (B, C, N); those that are NaN or of nothing but zeros do not count."""
    blocks = torch.where(blocks > 0, blocks, torch.nan)
    return torch.nanquantile(blocks, QUIETEST, dim=2).nan_to_num(0) / SHARE_OF_QUIETEST


def _log_mean(levels: Tensor) -> Tensor:
    """Mean logarithm over the channels, shape (B, 1, 1, 1), of levels of shape (B, C)."""
    return levels.clamp(min=1e-5).log().mean(dim=1).view(-1, 1, 1, 1)


def _coarseness(channels: Tensor, fine: Tensor) -> Tensor:
    """Factor of the noise's standard deviation from the finest scale, `fine`, to the next.

    Cameras interpolate colours, reduce noise and resize, all of which takes more of the fine noise than of the coarse.
    Where the coarser scale shows the photo, or hardly more noise, noise is taken for white.
    """
    if min(channels.shape[-2:]) < 4 * SMALLEST_SCALE:
        return torch.ones_like(fine)
    # White noise becomes half of itself when four pixels are averaged.
    coarse, coarser = (scale * noise_level(F.avg_pool2d(channels, scale)) for scale in (2, 4))
    factor, next_factor = coarse / fine.clamp(min=1e-6), coarser / coarse.clamp(min=1e-6)
    is_coloured = ((factor - WHITE) / (COLOURED - WHITE)).clamp(0, 1)
    is_noise = ((PHOTO_COARSENESS - factor) / (PHOTO_COARSENESS - COARSEST)).clamp(0, 1)
    is_noise = is_noise * ((GROWTH - next_factor / factor.clamp(min=1e-6)) / (GROWTH - 1)).clamp(0, 1)
    return 1 + is_noise * is_coloured * (factor.clamp(1, COARSEST) - 1)
