"""What a method found in an image, in a few words."""

from math import log2

from kornia.color import rgb_to_linear_rgb
from torch import Tensor

LEAST_CHANGE = 4 / 255
"""Mean change of a pixel, in image units, from which on something was found."""

VISIBLE_LIGHT = 0.4
"""Photographic stops that people notice, of a photo's mean light."""


def what_changed(degraded: Tensor, explained: Tensor, least_change: float = LEAST_CHANGE) -> list[str]:
    """Say what explanations did to images, shape (B, 3, H, W); nothing of those that hardly changed.

    Args:
        degraded: The images.
        explained: The same with what was found undone, see `Restorer.explain`.
        least_change: See `LEAST_CHANGE`.

    Example:
        >>> import torch
        >>> what_changed(torch.full((1, 3, 2, 2), 0.1), torch.full((1, 3, 2, 2), 0.4))
        ['light that was 3.7 stops too dark']
    """
    changes: list[float] = (explained - degraded).abs().mean(dim=(1, 2, 3)).tolist()
    return [
        _words(_light(seen), _light(undone)) if change >= least_change else ""
        for change, seen, undone in zip(changes, degraded, explained, strict=True)
    ]


def _words(seen: float, undone: float) -> str:
    stops = log2(undone / seen)
    if stops >= VISIBLE_LIGHT:
        return f"light that was {stops:.1f} stops too dark"
    return f"haze or glare of {-stops:.1f} stops" if stops <= -VISIBLE_LIGHT else "haze, a cast or uneven light"


def _light(image: Tensor) -> float:
    """Mean light of an image of shape (3, H, W); a little more than none in black."""
    return float(rgb_to_linear_rgb(image.clamp(0, 1)).mean()) + 1e-4
