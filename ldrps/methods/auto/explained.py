"""A choice by whether a method explains the image."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from ldrps.methods.auto.choice import Choice, Chosen
from ldrps.methods.found import LEAST_CHANGE, what_changed
from ldrps.methods.restorer import Restorer


class Explained(Choice):
    """Chooses a method where another, or itself, finds light or haze to undo (`Restorer.explain`).

    Args:
        method: What is chosen then.
        by: Who is asked.
        least_change: Mean change of a pixel, in image units, from which on something was found.
    """

    def __init__(self, method: str = "blind", by: str = "blind", least_change: float = LEAST_CHANGE) -> None:
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
        reasons = what_changed(degraded, explained, self.least_change)
        return [Chosen(self.method, reason) if reason else None for reason in reasons]
