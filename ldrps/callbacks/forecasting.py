"""Says before a run what it will take, and remembers after each picture what it took."""

import hashlib
import json
import platform
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from PIL import UnidentifiedImageError
from pytorch_lightning import Callback, Trainer
from rich.console import Console

from ldrps.data.image_files import opened
from ldrps.data.images import ImageData
from ldrps.data.samples import Entry, Outcome, Sample
from ldrps.data.suffixes import DEVELOP, is_raw
from ldrps.methods.forecast import Forecast, duration, plan, working_pixels
from ldrps.methods.peak_memory import PeakMemory
from ldrps.methods.restorer import Restorer
from ldrps.methods.speeds import Measurement, Speeds
from modules.priors.answering import user_cache

NAMED_FILES = 5
"""Files of a kind that are named; the others are counted."""


class Forecasting(Callback):
    """Prints one line with the time and memory that a run will take on this machine, before it starts.

    Times come from earlier restorations with the same settings on this machine, kept in the user's cache folder, or
    from two small ones that are made for it.

    Args:
        show: Whether to print the line; measurements are kept in any case.

    Attributes:
        settings: Settings of the method, on which times depend.
        forecast: What the run will take; None before it starts, or where nobody asked.
    """

    def __init__(self, show: bool = False) -> None:
        self.show = show
        self.settings: Any = {}
        self.forecast: Forecast | None = None
        self._speeds = Speeds()
        self._watching = ExitStack()

    def on_predict_start(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Print the line."""
        self.forecast = None
        key = [self.settings, str(trainer.precision), str(pl_module.device), torch.get_num_threads()]
        key += [platform.node(), torch.__version__, version("ldrps")]
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
        self._speeds = Speeds(user_cache() / "speeds" / f"{digest}.json")
        self._memory = self._watching.enter_context(PeakMemory(pl_module.device))
        data = trainer.datamodule
        if not self.show or not trainer.is_global_zero or not isinstance(data, ImageData):
            return
        sizes, too_large = sizes_of([file for file, _ in data.files], data.max_pixels)
        with trainer.precision_plugin.predict_step_context():
            # How many "auto" takes together is only known while it runs; a batch costs no more than its images.
            batch_size = 1 if data.batch_size == "auto" else data.batch_size
            forecast = plan(pl_module, sizes, self._speeds, batch_size, data.dry_run)
        if forecast.seconds is not None:
            # Processes share the pictures.
            forecast = replace(forecast, seconds=forecast.seconds / trainer.world_size)
        self.forecast = forecast
        # The line is what `ldrps plan` was asked for, and a remark before a restoration.
        console = Console(stderr=not data.dry_run, highlight=False, soft_wrap=True)
        console.print(f"plan: {forecast.sentence()}", markup=False)
        if too_large:
            names = [f"{file} ({width} x {height})" for file, (width, height) in too_large.items()]
            told = f"{len(names)} too large (max_pixels={data.max_pixels}): {listed(names)}"
            if (more := plan(pl_module, list(too_large.values()), self._speeds).seconds) is not None:
                told += f"; with a higher data.max_pixels about {duration(more / trainer.world_size)} more"
            console.print(f"plan: {told}", markup=False)
        raw = [file for file in data.passed_over if is_raw(file)]
        others = [file for file in data.passed_over if not is_raw(file)]
        for files, why in ((others, "no pictures"), (raw, f"camera raw ({DEVELOP})")):
            if files:
                console.print(f"plan: {len(files)} file(s) passed over, {why}: {listed(files)}", markup=False)

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: Restorer, batch: Sequence[Entry], batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Watch the memory."""
        self._memory.restart()

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: Restorer,
        outputs: Sequence[Outcome],
        batch: Sequence[Entry],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep what the largest picture of a batch took."""
        done = [outcome for outcome in outputs if outcome.restored is not None and isinstance(outcome.sample, Sample)]
        if done:
            # At which they were restored, as `plan` counts them.
            pixels = [working_pixels(pl_module, *one.sample.image.shape[:0:-1]) for one in done]  # type: ignore[union-attr]
            largest = max(range(len(done)), key=pixels.__getitem__)
            together = pixels.count(pixels[largest])
            seconds = done[largest].seconds
            self._speeds.add(Measurement(pixels[largest], seconds, self._memory.peak_bytes, together))

    def teardown(self, trainer: Trainer, pl_module: Restorer, stage: Any) -> None:
        """Stop watching."""
        self._watching.close()

    on_exception = teardown  # type: ignore[assignment]


def sizes_of(files: Sequence[Path], max_pixels: int) -> tuple[list[tuple[int, int]], dict[Path, tuple[int, int]]]:
    """Width and height of pictures by their headers; what cannot be read is told when its turn comes.

    Returns:
        The sizes, and those of the pictures that are too large, by their files.
    """
    sizes: list[tuple[int, int]] = []
    too_large: dict[Path, tuple[int, int]] = {}
    for file in files:
        try:
            with opened(file) as image:
                size = image.size
        except (ValueError, OSError, SyntaxError, UnidentifiedImageError):
            continue
        if size[0] * size[1] > max_pixels:
            too_large[file] = size
        else:
            sizes.append(size)
    return sizes, too_large


def listed(files: Sequence[Path | str]) -> str:
    """Names of files in one line."""
    rest = len(files) - NAMED_FILES
    return ", ".join(map(str, files[:NAMED_FILES])) + (f" and {rest} more" if rest > 0 else "")
