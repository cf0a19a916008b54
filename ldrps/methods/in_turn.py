"""Two methods on one image, one after the other."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from ldrps.methods.restorer import Restorer, Step, hash_weights


class InTurn(Restorer):
    """Gives what one method restored to another, which restores what is left.

    Args:
        first: Restores the image, and says what it explains (`Restorer.explain`).
        then: Restores the result.
    """

    def __init__(self, first: Restorer, then: Restorer) -> None:
        super().__init__()
        self.first = first
        self.then = then

    def load(self) -> None:
        """See `Restorer.load`."""
        self.first.load()
        self.then.load()

    def weights_sha256(self) -> str:
        """See `Restorer.weights_sha256`."""
        self.load()
        return hash_weights(self)

    def explain(self, degraded: Tensor) -> Tensor:
        """See `Restorer.explain`."""
        return self.first.explain(degraded)

    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """See `Restorer.restore`; the steps that are shown are the first method's."""
        return self.then.restore(self.first.restore(degraded, paths, observe).clamp(0, 1), paths)
