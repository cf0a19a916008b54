"""A tone curve per image, guessed from the histogram and refined while sampling: low light, haze, low contrast."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.framing import is_plain
from modules.alignment.ordinary_photos import COLOR, GREY, black_and_white, damage, greyness
from modules.noise_level import noise_level
from modules.power import power

NATURAL_BLACK, NATURAL_WHITE, NATURAL_MEAN = 0.015, 1.0, 0.44
"""Medians over photos of the 0.2 % and 99.8 % brightness percentiles and of the mean (1,600 of the training photos);
black is set a little above its median of 0, since no photo lies below."""

VISIBLE_NOISE = 0.03
"""Standard deviation of noise, as a share of the picture's range, that moves such percentiles noticeably."""


class ToneCurve(Alignment):
    """psi(x) = offset + scale * x ** gamma, per image and channel.

    The first guess comes from the brightness percentiles of the degraded image, of all channels together, so that
    colours keep their balance. Where they are those of an ordinary photo, psi starts as the identity. Where they
    are not (everything dark, or no dark pixel at all), psi starts as the curve that turns the percentiles and,
    partly, the mean of an ordinary photo into those that were seen. A picture of one colour shows neither, and
    stays. A night scene with lamps is white somewhere and yet too dark: from a mean that ordinary photos hardly
    ever have, part of the difference in mean counts as damage too.

    Args:
        percentile: Share of pixels below black and above white, in (0, 0.5). The smaller, the less black and white
            differ between ordinary photos.
        gamma_strength: How much of the difference in mean brightness is explained by gamma, in [0, 1]; ordinary photos
            differ in brightness, so that 0 explained our development photos best.
        night_strength: The same for pictures that stay darker after a stretch than ordinary photos are.
        windows_px: Sides of windows, odd and rising. The percentiles are taken of averages over the smallest one that
            leaves no visible noise, or over the last.

    Raises:
        ValueError: If percentile or a strength lies outside its interval, or windows_px are not odd and rising.
    """

    def __init__(
        self,
        percentile: float = 0.002,
        gamma_strength: float = 0.0,
        night_strength: float = 0.6,
        windows_px: tuple[int, ...] = (1, 3, 5),
    ) -> None:
        super().__init__()
        if not 0 < percentile < 0.5:
            raise ValueError(f"percentile={percentile} must lie in (0, 0.5)")
        if not 0 <= gamma_strength <= 1:
            raise ValueError(f"gamma_strength={gamma_strength} must lie in [0, 1]")
        if not 0 <= night_strength <= 1:
            raise ValueError(f"night_strength={night_strength} must lie in [0, 1]")
        if not windows_px or any(side % 2 == 0 for side in windows_px) or sorted({*windows_px}) != [*windows_px]:
            raise ValueError(f"windows_px={windows_px} must be odd and rising, for example (1, 3, 5)")
        self.percentile = percentile
        self.gamma_strength = gamma_strength
        self.night_strength = night_strength
        self.windows_px = windows_px

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        smooth = self._without_noise(degraded)
        black, white = black_and_white(smooth, self.percentile)
        grey = greyness(smooth)
        unusual = torch.maximum(
            damage(black, grey, COLOR.black, GREY.black), damage(white, grey, COLOR.white, GREY.white)
        )
        shows_something = ~is_plain(degraded)
        unusual = unusual * shows_something

        # What black and white were in the photo, if the damage is real: psi(restored_black) = black, and so on.
        restored_black = black + unusual * (NATURAL_BLACK - black)
        restored_white = white + unusual * (NATURAL_WHITE - white)
        scale = (white - black) / (restored_white - restored_black)
        offset = black - scale * restored_black
        stretched = ((smooth.mean(dim=1) - _per_pixel(offset)) / _per_pixel(scale)).clamp(0, 1)
        mean = stretched.flatten(1).mean(dim=1).clamp(0.02, 0.98)
        strength = unusual * self.gamma_strength
        strength = torch.maximum(strength, damage(mean, grey, COLOR.mean, GREY.mean) * self.night_strength)
        strength = strength * shows_something
        gamma = (mean.log() / torch.tensor(NATURAL_MEAN).log()).clamp(0.4, 3) ** strength

        self.offset = nn.Parameter(_per_channel(offset))
        self.log_scale = nn.Parameter(_per_channel(scale.log()))
        self.log_gamma = nn.Parameter(_per_channel(gamma.log()))

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        chains = len(images) // len(self.offset)
        offset, scale, gamma = (
            parameter.repeat(chains, 1, 1, 1) for parameter in (self.offset, self.log_scale.exp(), self.log_gamma.exp())
        )
        return offset + scale * power(images, gamma)

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        stretched = ((degraded - self.offset) / self.log_scale.exp()).clamp(0, 1)
        return (stretched ** (-self.log_gamma).exp()).detach()

    def _without_noise(self, images: Tensor) -> Tensor:
        """Average each picture over the smallest window that leaves no visible noise."""
        averages = [F.avg_pool2d(images, side, 1, side // 2, count_include_pad=False) for side in self.windows_px]
        black, white = black_and_white(averages[-1], self.percentile)
        noise = noise_level(images.mean(dim=1, keepdim=True)).flatten()
        smooth = averages.pop()
        for side, average in zip(reversed(self.windows_px[:-1]), reversed(averages), strict=True):
            calm = noise / side < VISIBLE_NOISE * (white - black)
            smooth = torch.where(calm.view(-1, 1, 1, 1), average, smooth)
        return smooth


def _per_channel(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1).repeat(1, 3, 1, 1)


def _per_pixel(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1)
