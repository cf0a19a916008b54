"""What losses on features of the re-degraded image share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from modules.losses.base import Features, Loss, State

Target = Literal["degraded", "restored"]
"""What the re-degraded image is compared with: the input, or what it was made of, whose content it should keep."""


class FeatureDistance(Loss):
    """Mean squared difference of features; a subclass says which, and how far they reach.

    Args:
        target: What the features of the re-degraded image are compared with; it gets no gradient.
    """

    def __init__(self, target: Target = "degraded") -> None:
        super().__init__()
        self.target = target

    def begin(self, degraded: Tensor, features: Features, generators: Sequence[torch.Generator]) -> None:
        """Forget the features of the last images."""
        self._kept: list[Tensor] | None = None

    @abstractmethod
    def extract(self, images: Tensor) -> list[Tensor]:
        """Feature maps (N, channels, h, w) of images, shape (N, 3, H, W), range [0, 1]."""

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        pairs = zip(self.extract(state.redegraded), self._targets(state), strict=True)
        return torch.stack([state.mean((feature - target) ** 2) for feature, target in pairs]).mean(dim=0)

    @torch.no_grad()
    def _targets(self, state: State) -> list[Tensor]:
        """Features of what is compared with; those of whole degraded pictures are computed once."""
        if self.target == "restored":
            return self.extract(state.restored)
        if state.window is not None:
            return self.extract(state.degraded)
        if self._kept is None:
            self._kept = self.extract(state.degraded)
        return self._kept
