"""The input with its damage undone, and nothing else."""

from typing import Any

from torch import Tensor

from modules.outputs.base import Output, Undo


class Undone(Output):
    """out = psi^-1(y): what was seen stays as it was seen, with its noise; what was lost is the sample's.

    For photos without noise whose damage is known: `Masked`, `DownSampled`.
    """

    reach_px = 0
    uses_sample = False
    """Only where the alignment net leaves something open, which it says itself."""

    def forward(self, decoded: Tensor, degraded: Tensor, undo: Undo, facts: Any = None) -> Tensor:
        """See `Output.forward`."""
        return undo(degraded)
