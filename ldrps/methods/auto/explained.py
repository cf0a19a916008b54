"""A choice by whether a method explains the image."""

from collections.abc import Mapping, Sequence
from math import log2

from torch import Tensor

from ldrps.methods.auto.choice import Choice, Chosen
from ldrps.methods.restorer import Restorer

VISIBLE_LIGHT = 0.2
"""Stops of mean brightness that people notice."""


class Explained(Choice):
    """Chooses a method where another, or itself, finds light or haze to undo (`Restorer.explain`).

    Args:
        method: What is chosen then.
        by: Who is asked.
        least_change: Mean change of a pixel, in image units, from which on something was found.
    """

    def __init__(self, method: str = "blind", by: str = "blind", least_change: float = 4 / 255) -> None:
        super().__init__()
        self.method = method
        self.by = by
        self.least_change = least_change

    @property
    def names(self) -> set[str]:
        """See `Choice.names`."""
        return {self.method, self.by}

    def forward(self, degraded: Tensor, methods: Mapping[str, Restorer]) -> Sequence[Chosen | None]:
        """See `Choice.forward`."""
        explained = methods[self.by].explain(degraded)
        changes: list[float] = (explained - degraded).abs().mean(dim=(1, 2, 3)).tolist()
        return [
            Chosen(self.method, what_changed(*pair)) if change >= self.least_change else None
            for change, *pair in zip(changes, degraded, explained, strict=True)
        ]


def what_changed(degraded: Tensor, explained: Tensor) -> str:
    """Say in a few words what an explanation did to an image, shape (3, H, W).

    Example:
        >>> import torch
        >>> what_changed(torch.full((3, 2, 2), 0.1), torch.full((3, 2, 2), 0.4))
        'light that was 2.0 stops too dark'
    """
    stops = log2((float(explained.mean()) + 1e-3) / (float(degraded.mean()) + 1e-3))
    if stops >= VISIBLE_LIGHT:
        return f"light that was {stops:.1f} stops too dark"
    return f"haze or glare of {-stops:.1f} stops" if stops <= -VISIBLE_LIGHT else "haze, a cast or uneven light"
