"""A progress bar over a whole training: what it does, how far it is, how long it will take."""

import time
from datetime import timedelta
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from ldrps.training.timed import timed_spans


class TrainingProgress(ProgressBar):
    """Counts steps or time, whichever ends the training; Lightning's own bar counts epochs, often without an end."""

    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._is_shown = True
        self._first_step = 0
        self._started = 0.0

    def disable(self) -> None:
        """Lightning shows one process's bar only."""
        self._is_shown = False

    def enable(self) -> None:
        """See Lightning."""
        self._is_shown = True

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See Lightning."""
        self._open()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See Lightning."""
        self._first_step, self._started = trainer.global_step, time.monotonic()
        self._open()
        self._show(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """See Lightning."""
        self._show(trainer)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """See Lightning."""
        if self._progress is not None:
            counts = trainer.num_sanity_val_batches if trainer.sanity_checking else trainer.num_val_batches
            doing = f"validating, batch {batch_idx + 1} of {counts[dataloader_idx]}"
            self._progress.update(self._task, description=doing)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See Lightning."""
        self._show(trainer)
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """See Lightning."""
        self._close()

    def _open(self) -> None:
        if not self._is_shown or self._progress is not None:
            return
        # Where the screen is narrow, bar and figures are cut short before the times are.
        columns = (
            TextColumn("{task.description}"),
            BarColumn(None, table_column=Column(ratio=1)),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[figures]}", markup=False, table_column=Column(ratio=3, no_wrap=True)),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), expand=True)
        self._task = self._progress.add_task("reading", total=None, left="", figures="")
        self._progress.start()

    def _close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _show(self, trainer: Trainer) -> None:
        if self._progress is None:
            return
        last = last_step(trainer)
        share, seconds = how_far(trainer, last, self._first_step, time.monotonic() - self._started)
        self._progress.update(
            self._task,
            description=f"training, step {trainer.global_step:,}" + ("" if last is None else f" of {last:,}"),
            total=None if share is None else 1,
            completed=share or 0,
            left="no end is set" if share is None else time_left(seconds),
            figures="  ".join(f"{name} {value:.4g}" for name, value in trainer.progress_bar_metrics.items()),
        )


def last_step(trainer: Trainer) -> int | None:
    """Step with which a training ends; None if it ends by time, or not at all."""
    steps = trainer.estimated_stepping_batches
    return int(steps) if 0 < steps < float("inf") else None


def how_far(trainer: Trainer, last: int | None, first: int, seconds: float) -> tuple[float | None, float | None]:
    """How much of a training is done, and how long the rest will take.

    Args:
        trainer: It trains.
        last: See `last_step`.
        first: Step at which it began, or went on after an interruption.
        seconds: Time since then.

    Returns:
        The share, None if the training has no end; the seconds, None if that cannot be said yet.
    """
    done = trainer.global_step - first
    shares: list[float] = []
    left: list[float] = []
    if last is not None:
        shares.append(trainer.global_step / last)
        left += [(last - trainer.global_step) * seconds / done] if done else []
    for elapsed, remaining in timed_spans(trainer):
        shares.append(elapsed / (elapsed + remaining))
        left.append(remaining)
    return max(shares, default=None), min(left, default=None)


def time_left(seconds: float | None) -> str:
    """Time in words.

    Example:
        >>> time_left(3725.2), time_left(None)
        ('1:02:05 left', '')
    """
    return "" if seconds is None else f"{timedelta(seconds=max(0, round(seconds)))} left"
