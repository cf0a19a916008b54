"""What of a photo is not photo: noise as cameras make it, and coding errors, from the photo alone."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modules.blocks import blocking_level
from modules.noise_level import noise_coefficients, noise_level, robust_deviation

WHITE, COLOURED = 1.2, 1.5
"""Factor from the finest scale to the next up to which noise is taken for white, and from which on it is not."""

TEXTURE_LEVEL, NOISE_LEVEL = 3 / 255, 6 / 255
"""Level up to which noise is left, and from which on all of it is taken for noise: a little does not disturb."""

BLOCK, QUIETEST, SHARE_OF_QUIETEST = 8, 0.1, 0.8035
"""Coefficients a side of the blocks whose noise is told apart; which of them, by rank, says how much noise there is,
since texture only adds to it; and how much less than the truth that one shows where noise is all there is."""

SMALLEST_SIDE = 4 * (2 * BLOCK + 2)
"""Pixels a side below which a picture has no whole block at the third scale, and says little of its noise."""

NUM_BRIGHTNESSES, BRIGHTNESS_RADIUS_PX, BRIGHTNESS_WIDTH = 6, 8, 0.1
"""Equally frequent brightnesses whose noise is told apart, pixels around a place that say how bright it is, and width
of the bell by which the noise of the brightnesses between is interpolated."""


class PhotoNoise(NamedTuple):
    """What is not photo in the channels of B photos.

    Attributes:
        level: Standard deviation of the noise of all scales and all brightnesses together, shape (B, C, 1, 1).
        by_brightness: Factor of the level at each pixel, shape (B, 1, H, W).
        coarseness: Factor of the level from the finest scale to the next, 1 for white noise, shape (B, C, 1, 1).
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


def find_noise(channels: Tensor, brightness: Tensor, noise_share: Callable[[Tensor], Tensor]) -> PhotoNoise:
    """Find noise and coding errors.

    Args:
        channels: What was seen, shape (B, 3, H, W), of nearly independent noise.
        brightness: Of the same photos, shape (B, 1, H, W), range [0, 1].
        noise_share: Tells noise from texture: a `NoiseShare`.
    """
    coding = blocking_level(channels)
    if min(channels.shape[-2:]) < SMALLEST_SIDE:
        level = noise_level(channels)
        return PhotoNoise(level, torch.ones_like(brightness), torch.ones_like(level), coding)
    blocks, everywhere = _listen(channels)
    levels = _told(channels, blocks, everywhere)
    scales = _louder_where_coarser(noise_share(levels).sigmoid() * levels[..., : len(blocks)])
    return PhotoNoise(
        level=_of_all_scales(scales)[..., None, None],
        by_brightness=_by_brightness(blocks[0], brightness),
        coarseness=(scales[..., 1] / scales[..., 0].clamp(min=1e-6))[..., None, None].clamp(min=1),
        coding=coding,
    )


def levels_of(channels: Tensor) -> Tensor:
    """What noise is told from texture by, shape (B, C, 8); `channels` at least `SMALLEST_SIDE` a side.

    The level of quiet places at the finest scale, the next and the one after; that of all places; how much the photo
    varies, and its mean.
    """
    return _told(channels, *_listen(channels))


def levels_by_scale(noise: Tensor) -> Tensor:
    """Level of noise that is seen alone, shape (B, C, H, W), at each of the scales, shape (B, C, 3)."""
    return _everywhere(_coefficients(noise))


def _listen(channels: Tensor) -> tuple[list[Tensor], Tensor]:
    """What seems noise at three scales, the finest first: in each block, shape (B, C, N), and everywhere, (B, C, 3)."""
    coefficients = _coefficients(channels)
    return [robust_deviation(_blocks(each)) for each in coefficients], _everywhere(coefficients)


def _everywhere(coefficients: list[Tensor]) -> Tensor:
    """Level of coefficients of each scale, those of the whole picture together, shape (B, C, 3)."""
    return torch.stack([robust_deviation(each.flatten(2)) for each in coefficients], dim=2)


def _coefficients(channels: Tensor) -> list[Tensor]:
    """Diagonal wavelet coefficients at three scales, the finest first."""
    # White noise becomes half of itself when four pixels are averaged.
    scales = [channels] + [scale * F.avg_pool2d(channels, scale) for scale in (2, 4)]
    return [noise_coefficients(scaled) for scaled in scales]


def _told(channels: Tensor, blocks: list[Tensor], everywhere: Tensor) -> Tensor:
    """See `levels_of`."""
    photo = channels.std(dim=(2, 3)), channels.mean(dim=(2, 3)).abs()
    return torch.cat([torch.stack([*map(_quietest, blocks)], dim=2), everywhere, torch.stack(photo, dim=2)], dim=2)


def local_mean(channels: Tensor) -> Tensor:
    """Mean over the square of `BRIGHTNESS_RADIUS_PX` around each pixel, shape (B, C, H, W)."""
    side = 2 * BRIGHTNESS_RADIUS_PX + 1
    padded = F.pad(channels, [BRIGHTNESS_RADIUS_PX] * 4, mode="replicate")
    # Rows, then columns: 34 numbers a pixel are added instead of 289.
    return F.avg_pool2d(F.avg_pool2d(padded, (side, 1), stride=1), (1, side), stride=1)


def _by_brightness(blocks: Tensor, brightness: Tensor) -> Tensor:
    """Factor of the noise at each pixel: light comes in quanta, tone curves are steep in the dark, white is clipped.

    Args:
        blocks: Noise of each block, shape (B, C, N).
        brightness: Shape (B, 1, H, W).
    """
    local = local_mean(brightness)
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


def _louder_where_coarser(scales: Tensor) -> Tensor:
    """Noise at three scales, shape (B, C, 3), told white where it nearly is, and nowhere fainter than at a finer one.

    Cameras interpolate colours, reduce noise and resize, all of which takes more of fine noise than of coarse.
    """
    fine, coarse, coarser = scales.unbind(dim=2)
    is_coloured = ((coarse / fine.clamp(min=1e-6) - WHITE) / (COLOURED - WHITE)).clamp(0, 1)
    coarse = torch.lerp(fine, torch.maximum(fine, coarse), is_coloured)
    coarser = torch.lerp(fine, torch.maximum(coarse, coarser), is_coloured)
    return torch.stack([fine, coarse, coarser], dim=2)


def _of_all_scales(scales: Tensor) -> Tensor:
    """Standard deviation of noise, shape (B, C), from that of its diagonal coefficients at three scales, (B, C, 3).

    Of white noise each scale holds three quarters of what the finer ones left: a quarter diagonally, a quarter across,
    a quarter down. What is fine in one direction and coarse in the other lies between the diagonals of both scales.
    """
    fine, coarse, coarser = scales.unbind(dim=2)
    first, second = (here * (here + 2 * there) / 4 for here, there in ((fine, coarse), (coarse, coarser)))
    return (first + second / 4 + coarser**2 / 16).sqrt()
