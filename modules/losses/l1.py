"""Absolute difference between the re-degraded and the degraded image."""

from torch import Tensor

from modules.losses.base import Loss, State


class L1(Loss):
    """Mean of ``|redegraded - degraded|``; less impressed by outliers than `L2`."""

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        return state.mean((state.redegraded - state.degraded).abs())
