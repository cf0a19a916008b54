"""A tone curve per image, guessed from the histogram and refined while sampling: low light, haze, low contrast."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.ordinary_photos import COLOR, GREY, black_and_white, damage, greyness

NATURAL_BLACK, NATURAL_WHITE, NATURAL_MEAN = 0.05, 0.93, 0.44
"""Medians over photos of the 1 % and 99 % brightness percentiles and of the mean (670 of the training photos)."""


class ToneCurve(Alignment):
    """psi(x) = offset + scale * x ** gamma, per image and channel.

    The first guess comes from the brightness percentiles of the degraded image, of all channels together, so that
    colours keep their balance. Where they are those of an ordinary photo, psi starts as the identity. Where they are
    not (everything dark, or no dark pixel at all), psi starts as the curve that turns the percentiles and, partly, the
    mean of an ordinary photo into those that were seen. A night scene with lamps is white somewhere and yet too dark:
    from a mean that ordinary photos hardly ever have, part of the difference in mean counts as damage too.

    Args:
        percentile: Share of pixels below black and above white, in (0, 0.5).
        gamma_strength: How much of the difference in mean brightness is explained by gamma, in [0, 1]; ordinary photos
            differ in brightness, so that 0 explained our development photos best.
        night_strength: The same for pictures that stay darker after a stretch than ordinary photos are.
        smoothing_px: Side of the window that averages noise away before the percentiles are taken.

    Raises:
        ValueError: If percentile or a strength lies outside its interval, or smoothing_px is below 1.
    """

    def __init__(
        self, percentile: float = 0.01, gamma_strength: float = 0.0, night_strength: float = 0.6, smoothing_px: int = 5
    ) -> None:
        super().__init__()
        if not 0 < percentile < 0.5:
            raise ValueError(f"percentile={percentile} must lie in (0, 0.5)")
        if not 0 <= gamma_strength <= 1:
            raise ValueError(f"gamma_strength={gamma_strength} must lie in [0, 1]")
        if not 0 <= night_strength <= 1:
            raise ValueError(f"night_strength={night_strength} must lie in [0, 1]")
        if smoothing_px < 1:
            raise ValueError(f"smoothing_px={smoothing_px} must be at least 1, which does not smooth")
        self.percentile = percentile
        self.gamma_strength = gamma_strength
        self.night_strength = night_strength
        self.smoothing_px = smoothing_px

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        smooth = F.avg_pool2d(degraded, min(self.smoothing_px, *degraded.shape[-2:]), stride=1)
        black, white = black_and_white(smooth, self.percentile)
        grey = greyness(smooth)
        unusual = torch.maximum(
            damage(black, grey, COLOR.black, GREY.black), damage(white, grey, COLOR.white, GREY.white)
        )

        # What black and white were in the photo, if the damage is real: psi(restored_black) = black, and so on.
        restored_black = black + unusual * (NATURAL_BLACK - black)
        restored_white = white + unusual * (NATURAL_WHITE - white)
        scale = (white - black) / (restored_white - restored_black)
        offset = black - scale * restored_black
        stretched = ((smooth.mean(dim=1) - _per_pixel(offset)) / _per_pixel(scale)).clamp(0, 1)
        mean = stretched.flatten(1).mean(dim=1).clamp(0.02, 0.98)
        strength = unusual * self.gamma_strength
        strength = torch.maximum(strength, damage(mean, grey, COLOR.mean, GREY.mean) * self.night_strength)
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
        # x ** gamma has no real value below 0, and its slope at 0 is infinite or zero; there the curve goes on as the
        # straight line through its value at a small number, so that gradients stay finite and no pixel is cut off.
        small = 1 / 64
        curve = images.clamp(min=small) ** gamma
        line = small**gamma + gamma * small ** (gamma - 1) * (images - small)
        return offset + scale * torch.where(images > small, curve, line)

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        stretched = ((degraded - self.offset) / self.log_scale.exp()).clamp(0, 1)
        return (stretched ** (-self.log_gamma).exp()).detach()


def _per_channel(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1).repeat(1, 3, 1, 1)


def _per_pixel(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1)
