"""Several restorers on the same images."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor, nn

from ldrps.data.samples import Entry, Outcome
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step
from ldrps.results.run_folder import INPUT, TARGET

SEVERAL_RESULTS = "a comparison has several results for an image: use `ldrps test`, or one of its restorers"


class Comparison(Restorer):
    """Restores each image with several methods, for one table of them all.

    Args:
        restorers: The methods by the names that results call them.

    Raises:
        ValueError: If there is none.
    """

    def __init__(self, restorers: dict[str, Restorer]) -> None:
        super().__init__()
        if not restorers:
            raise ValueError("restorers is empty: give at least one restorer")
        if reserved := sorted({INPUT, TARGET} & restorers.keys()):
            raise ValueError(f"a restorer cannot be called {reserved[0]!r}, which names a picture: rename it")
        self.restorers = nn.ModuleList(restorers.values())
        for name, restorer in restorers.items():
            restorer.name = name

    def members(self) -> list[Restorer]:
        """See `Restorer.members`."""
        return list(self.restorers)  # type: ignore[arg-type]

    def setup(self, stage: str) -> None:
        """See `Restorer.setup`.

        Raises:
            ValueError: If pictures are to be restored, for which there would be several results each.
        """
        if stage == "predict":
            raise ValueError(SEVERAL_RESULTS)
        super().setup(stage)

    def load(self) -> None:
        """See `Restorer.load`."""
        for restorer in self.members():
            restorer.load()

    def restore_batch(self, batch: Sequence[Entry]) -> list[Outcome]:
        """Restore a batch with every method; who listens to the comparison hears of the steps of its methods."""
        outcomes: list[Outcome] = []
        for restorer in self.members():
            own = restorer.step_listeners, restorer.progress_listeners
            restorer.step_listeners = [*own[0], *self.step_listeners]
            restorer.progress_listeners = [*own[1], *self.progress_listeners]
            try:
                outcomes += restorer.restore_batch(batch)
            finally:
                restorer.step_listeners, restorer.progress_listeners = own
        self.records += [outcome.record for outcome in outcomes]
        return outcomes

    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """Refuse: there is not one result.

        Raises:
            ValueError: Always.
        """
        raise ValueError(SEVERAL_RESULTS)
