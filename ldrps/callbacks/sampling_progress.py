"""A progress bar over denoising steps: what is restored, how far, how long it will take."""

from collections.abc import Sequence
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ldrps.data.samples import Entry, Outcome, Sample
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step


class SamplingProgress(ProgressBar):
    """Counts images in steps, so that a single photo shows progress too."""

    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._num_done = 0
        self._done_of_batch: set[str] = set()
        self._is_shown = True

    def disable(self) -> None:
        """Lightning shows one process's bar only."""
        self._is_shown = False

    def on_predict_epoch_start(self, trainer: Trainer, pl_module: Restorer) -> None:
        """See Lightning."""
        self._start(trainer.predict_dataloaders, pl_module)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: Restorer) -> None:
        """See Lightning."""
        self._start(trainer.test_dataloaders, pl_module)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: Restorer,
        outputs: Sequence[Outcome],
        batch: Sequence[Entry],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """See Lightning."""
        self._finish(len(batch))

    on_test_batch_end = on_predict_batch_end  # type: ignore[assignment]

    def on_predict_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """See Lightning."""
        if self._progress is not None:
            self._progress.stop()

    on_test_end = on_predict_end  # type: ignore[assignment]

    def on_exception(self, trainer: Trainer, pl_module: Restorer, exception: BaseException) -> None:
        """See Lightning."""
        self.on_predict_end(trainer, pl_module)

    def _start(self, dataloader: Any, restorer: Restorer) -> None:
        if not self._is_shown:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("images"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task("reading", total=len(dataloader.dataset))
        self._progress.start()
        self._num_done = 0
        self._done_of_batch.clear()
        restorer.progress_listeners.append(self._show)

    def _show(self, samples: Sequence[Sample], step: Step) -> None:
        if self._progress is not None and self._task is not None:
            # A batch may go through in pieces, and each piece through several methods.
            names = {sample.name for sample in samples}
            others = len(self._done_of_batch - names)
            done = self._num_done + others + len(samples) * (step.index + 1) / step.count
            if step.index + 1 == step.count:
                self._done_of_batch |= names
            description = f"restoring {samples[0].name}, step {step.index + 1}/{step.count}"
            self._progress.update(self._task, completed=round(done, 2), description=description)

    def _finish(self, num_images: int) -> None:
        self._num_done += num_images
        self._done_of_batch.clear()
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=self._num_done)
