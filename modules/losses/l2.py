"""Squared difference between the re-degraded and the degraded image."""

from torch import Tensor

from modules.losses.base import Loss, State


class L2(Loss):
    """Mean of ``(redegraded - degraded) ** 2``."""

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        return state.mean((state.redegraded - state.degraded) ** 2)
