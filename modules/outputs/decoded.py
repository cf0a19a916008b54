"""The decoded sample as it is, as in the paper."""

from typing import Any

from torch import Tensor

from modules.outputs.base import Output, Undo


class Decoded(Output):
    """out = D(z0): nothing finer than the autoencoder can draw."""

    reach_px = 0

    def forward(self, decoded: Tensor, degraded: Tensor, undo: Undo, facts: Any = None) -> Tensor:
        """See `Output.forward`."""
        return decoded
