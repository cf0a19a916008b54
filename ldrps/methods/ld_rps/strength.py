"""How much of the change of light and colour a restored photo keeps."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

CELLS = 16
"""Cells a side of the map of light: fine enough for shade in a room, too coarse for detail and noise."""

DARKEST = 1 / 255
"""Added before light is compared, so that black stays black."""


@dataclass(frozen=True)
class Strength:
    """Gives back some of the light and colour that a photo came with; its noise and haze stay away.

    The light of a neighbourhood is its mean in each channel. What restoring changed is a factor for each neighbourhood
    and channel: one of brightness, equal in all channels, and one of colour, whose logarithms add up to zero.

    Attributes:
        light: Share of the change of brightness that is kept, in [0, 1].
        colour: Share of the change of colour that is kept, in [0, 1].

    Raises:
        ValueError: If a share lies outside its interval.

    References:
        Land and McCann 1971, Lightness and Retinex Theory (smooth illumination); von Kries 1902 (gains of channels).
    """

    light: float = 1.0
    colour: float = 1.0

    def __post_init__(self) -> None:
        for name in ("light", "colour"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"strength.{name}={getattr(self, name)} must lie in [0, 1]; 1 keeps the whole change")

    def __call__(self, restored: Tensor, degraded: Tensor) -> Tensor:
        """Weaken the change; images of shape (B, 3, H, W), range [0, 1].

        Example:
            >>> import torch
            >>> dark, bright = torch.full((1, 3, 4, 4), 0.1), torch.full((1, 3, 4, 4), 0.4)
            >>> bool(torch.allclose(Strength(light=0.0)(bright, dark), dark, atol=0.01))
            True
        """
        if self.light == self.colour == 1:
            return restored
        factor = (_light(degraded) + DARKEST).log() - (_light(restored) + DARKEST).log()
        brightness = factor.mean(dim=1, keepdim=True)
        back = (1 - self.light) * brightness + (1 - self.colour) * (factor - brightness)
        gain = F.interpolate(back, size=restored.shape[-2:], mode="bilinear", align_corners=False).exp()
        return (restored * gain).clamp(0, 1)


def _light(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    return F.adaptive_avg_pool2d(images, (min(CELLS, height), min(CELLS, width)))
