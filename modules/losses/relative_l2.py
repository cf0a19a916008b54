"""Squared difference between the re-degraded and the degraded image, relative to the contrast of the latter."""

import torch
from torch import Tensor

from modules.losses.base import Loss, State, per_row


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

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        variance = torch.var(state.degraded.flatten(1), dim=1, correction=0)
        return per_row((state.redegraded - state.degraded) ** 2) / variance.clamp(min=self.floor**2)
