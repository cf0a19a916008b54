"""A learnt first guess of what light and haze did to a photo."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor, nn

from modules.networks.residual_block import ResidualBlock
from modules.networks.small_copy import QUANTILES, both_scales, quantiles, reduced
from modules.power import power

DARKEST_GAIN, BRIGHTEST_GAIN = -1.5, 6.0
"""Interval of the gain in natural logarithms: between a photo that was overexposed and one nine stops too dark."""

LARGEST_LOG_GAMMA = 1.1
"""Bound of the tone curve's exponent: between 1/3 and 3; real dark photos go up to 2.6."""

HISTOGRAM_WIDTH = 40
"""Numbers that the histogram becomes."""


class Guess(NamedTuple):
    """What the network says of B photos; grids are smooth maps over the picture, to be enlarged bilinearly.

    The photo was ``light * x ** gamma`` and then ``transmission * (.) + (1 - transmission) * airlight``.

    Attributes:
        presence: Logits of "the light is wrong" and "there is haze", shape (B, 2).
        log_gain: Natural logarithm of 1 / light, shape (B, 3, G, G).
        log_gamma: Natural logarithm of the tone curve's exponent, shape (B, 3, 1, 1).
        thickness: Optical thickness of the haze, -log(transmission), at least 0, shape (B, 1, G, G).
        airlight: Colour of the haze, range [0, 1], shape (B, 3, 1, 1).
    """

    presence: Tensor
    log_gain: Tensor
    log_gamma: Tensor
    thickness: Tensor
    airlight: Tensor

    def believed(self, light: Tensor, haze: Tensor) -> "Guess":
        """The guess as far as it is believed; 0 is no damage.

        Args:
            light: Share of the light's logarithms that is kept, shape (B,), range [0, 1].
            haze: Share of the thickness that is kept, shape (B,), range [0, 1].
        """
        light, haze = light.view(-1, 1, 1, 1), haze.view(-1, 1, 1, 1)
        return self._replace(
            log_gain=self.log_gain * light, log_gamma=self.log_gamma * light, thickness=self.thickness * haze
        )

    def as_sure(self) -> "Guess":
        """The guess as far as the network believes it itself, as in training."""
        return self.believed(*self.presence.sigmoid().unbind(dim=1))

    def apply(self, images: Tensor) -> Tensor:
        """Damage images, shape (K * B, 3, H, W), rows ``chain * B + image``, nominally in [0, 1]."""
        chains = len(images) // len(self.airlight)
        log_gain, log_gamma, thickness, airlight = (
            values.repeat(chains, 1, 1, 1)
            for values in (
                _enlarged(self.log_gain, images),
                self.log_gamma,
                _enlarged(self.thickness, images),
                self.airlight,
            )
        )
        dark = power(images, log_gamma.exp()) * (-log_gain).exp()
        return torch.lerp(airlight, dark, (-thickness).exp())

    def undo(self, images: Tensor) -> Tensor:
        """Take the damage out of images, shape (B, 3, H, W), range [0, 1]; the result is not clipped at 1.

        No transmission is taken for less than leaves every channel positive: t >= 1 - min(y / A).
        """
        thickness, log_gain = _enlarged(self.thickness, images), _enlarged(self.log_gain, images)
        least = 1 - (images / self.airlight.clamp(min=1e-3)).amin(dim=1, keepdim=True)
        transmission = torch.maximum((-thickness).exp(), least).clamp(min=0.02)
        clear = ((images - self.airlight) / transmission + self.airlight).clamp(min=1e-6)
        return (clear * log_gain.exp()) ** (-self.log_gamma).exp()


class Look(NamedTuple):
    """What the network sees in B photos.

    Attributes:
        copy: The small copies, shape (B, 3, image_size, image_size).
        histogram: Their quantiles, see `modules.networks.small_copy.quantiles`.
        hidden: What is seen at each place, shape (B, C, G, G).
        features: What is seen in the whole, shape (B, num_features).
    """

    copy: Tensor
    histogram: Tensor
    hidden: Tensor
    features: Tensor


class FirstGuess(ModelMixin, ConfigMixin):
    """A network on a small copy of the photo and on its histogram, without normalisation, which would hide brightness.

    Args:
        image_size: Side in pixels of the copy, to which a photo of any shape is reduced.
        widths: Channels at a half, a quarter and an eighth of that side.
        num_blocks: Residual blocks at each of these.
    """

    @register_to_config
    def __init__(
        self,
        image_size: int = 64,
        widths: tuple[int, ...] = (32, 64, 112),
        num_blocks: int = 2,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        layers: list[nn.Module] = []
        in_channels = 6
        for width in widths:
            layers.append(nn.Conv2d(in_channels, width, 3, stride=2, padding=1))
            layers += [ResidualBlock(width, nn.SiLU()) for _ in range(num_blocks)]
            in_channels = width
        self.body = nn.Sequential(*layers)
        # What the whole picture says is told to every place of it.
        self.histogram = nn.Sequential(nn.Linear(2 * 5 * len(QUANTILES), HISTOGRAM_WIDTH), nn.SiLU())
        self.whole = nn.Sequential(
            nn.Linear(2 * in_channels + HISTOGRAM_WIDTH, in_channels), nn.SiLU(), nn.Linear(in_channels, in_channels)
        )
        self.mix = ResidualBlock(in_channels, nn.SiLU())
        self.local_head = nn.Conv2d(in_channels, 2, 3, padding=1)
        self.global_head = nn.Linear(in_channels, 2 + 3 + 3 + 3)
        for parameter in [*self.local_head.parameters(), *self.global_head.parameters()]:
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor) -> Guess:
        """Guess the damage of photos, shape (B, 3, H, W), range [0, 1], any H and W."""
        return self.guess(self.look(*self.summary(images)))

    def guess(self, look: Look) -> Guess:
        """Guess the damage of photos that were looked at."""
        whole = self.whole(look.features)
        hidden = self.mix(look.hidden + whole[:, :, None, None])
        gain, haze = self.local_head(hidden).float().split(1, dim=1)
        presence, cast, log_gamma, airlight = self.global_head(whole).float().split([2, 3, 3, 3], dim=1)
        return Guess(
            presence,
            (gain + _per_pixel(cast)).clamp(DARKEST_GAIN, BRIGHTEST_GAIN),
            LARGEST_LOG_GAMMA * torch.tanh(_per_pixel(log_gamma)),
            F.softplus(haze - 1).clamp(max=4.0),
            torch.sigmoid(_per_pixel(airlight) + 2),
        )

    @property
    def num_features(self) -> int:
        """Numbers that say what is seen in the whole of a photo."""
        first = self.whole[0]
        assert isinstance(first, nn.Linear)
        return first.in_features

    def features(self, images: Tensor) -> Tensor:
        """What is seen in the whole of photos, shape (B, num_features); images as for `forward`."""
        return self.look(*self.summary(images)).features.float()

    def summary(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """All it takes of photos: the small copies and the quantiles of `modules.networks.small_copy`."""
        return self.reduce(images), quantiles(images)

    def look(self, copy: Tensor, histogram: Tensor) -> Look:
        """What is seen at each place of photos and in the whole, by their summary."""
        hidden: Tensor = self.body(both_scales(copy))
        told = self.histogram(both_scales(histogram).flatten(1))
        features = torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3)), told], dim=1)
        return Look(copy, histogram, hidden, features)

    def reduce(self, images: Tensor) -> Tensor:
        """The small copy, shape (B, 3, image_size, image_size)."""
        return reduced(images, self.image_size)


def _enlarged(grid: Tensor, images: Tensor) -> Tensor:
    if grid.shape[-2:] == images.shape[-2:]:
        return grid
    return F.interpolate(grid, size=images.shape[-2:], mode="bilinear", align_corners=False)


def _per_pixel(values: Tensor) -> Tensor:
    return values[:, :, None, None]
