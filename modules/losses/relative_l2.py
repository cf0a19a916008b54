"""Squared difference between the re-degraded and the degraded image, relative to the contrast of the latter."""

from collections.abc import Sequence

import torch
from torch import Tensor

from modules.losses.base import Features, Loss, State


class RelativeL2(Loss):
    """Mean of ``(redegraded - degraded) ** 2`` divided by the variance of ``degraded``.

    Damage that lowers the contrast (darkness, haze) lowers `L2` and its gradient with the square of the contrast; this
    loss pulls an image of any contrast equally hard, so that one strength serves every damage.

    Args:
        floor: Smallest standard deviation that counts as contrast, in image units.
    """

    def __init__(self, floor: float = 0.01) -> None:
        super().__init__()
        self.floor = floor

    def begin(self, degraded: Tensor, features: Features, generators: Sequence[torch.Generator]) -> None:
        """Measure the contrast of the whole degraded images."""
        self._variance = torch.var(degraded.flatten(1), dim=1, correction=0).clamp(min=self.floor**2)

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        squares = state.mean((state.redegraded - state.degraded) ** 2)
        return squares / self._variance.repeat(len(squares) // len(self._variance))
