"""Writes what was restored: the picture, a before|after pair, a film strip of the sampling."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from rich.console import Console
from torch import Tensor

from ldrps.data.image_files import write_picture
from ldrps.data.images import ImageData
from ldrps.data.outputs import check_outputs, prepare_folder
from ldrps.data.samples import Outcome, Sample
from ldrps.methods.restorer import Restorer, Step
from modules.pictures import to_pil


class ImageWriter(BasePredictionWriter):
    """Writes each restored image as PNG as soon as it is finished.

    Args:
        output: Folder for the pictures; None writes none.
        compare: Also write ``NAME.compare.png``, before and after side by side.
        trajectory: Also write ``NAME.trajectory.png``, a film strip of this many x0 predictions; 0 writes none.
        overwrite: Replace pictures of earlier runs; inputs are never replaced.

    Raises:
        ValueError: Before anything is restored, if an output is an input, exists already, or cannot be written.
    """

    def __init__(
        self, output: str | None = None, compare: bool = False, trajectory: int = 0, overwrite: bool = False
    ) -> None:
        super().__init__(write_interval="batch")
        if trajectory < 0:
            raise ValueError(f"trajectory={trajectory} must not be negative; 0 writes no film strip")
        self.output = Path(output) if output else None
        self.compare = compare
        self.trajectory = trajectory
        self.overwrite = overwrite
        self.written: list[Path] = []
        self._frames: dict[str, list[Tensor]] = {}

    def setup(self, trainer: Trainer, pl_module: Restorer, stage: str) -> None:
        """Refuse before hours are spent what could not be written after them, and before any process writes."""
        super().setup(trainer, pl_module, stage)
        if self.output is None or stage != "predict":
            return
        prepare_folder(self.output)
        if isinstance(trainer.datamodule, ImageData):
            files = trainer.datamodule.files
            check_outputs([self._path(name) for _, name in files], [file for file, _ in files], self.overwrite)

    def on_predict_start(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Watch the sampling where a film strip is wanted."""
        if self.output is not None and self.trajectory:
            pl_module.step_listeners.append(self._keep_frame)

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: Restorer,
        prediction: Sequence[Outcome],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the pictures of one batch."""
        for outcome in prediction if self.output is not None else ():
            if outcome.restored is not None and isinstance(outcome.sample, Sample):
                self._write(outcome.sample, outcome.restored)

    def on_predict_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Say where the pictures are."""
        count = int(trainer.strategy.reduce(torch.tensor(len(self.written)), reduce_op="sum"))
        if self.output is not None and trainer.is_global_zero:
            Console().print(f"{count} restored picture(s) in {self.output}", highlight=False, soft_wrap=True)

    def _write(self, sample: Sample, restored: Tensor) -> None:
        path = self._path(sample.name)
        write_picture(to_pil(restored, sample.alpha), path)
        self.written.append(path)
        if self.compare:
            gap = torch.ones(3, restored.shape[1], max(2, restored.shape[2] // 64))
            pair = torch.cat([sample.image, gap, restored], dim=2)
            write_picture(to_pil(pair), self._path(f"{sample.name}.compare"))
        if frames := self._frames.pop(sample.name, None):
            write_picture(to_pil(torch.cat(frames, dim=2)), self._path(f"{sample.name}.trajectory"))

    def _keep_frame(self, samples: Sequence[Sample], step: Step) -> None:
        wanted = step.frames(self.trajectory)
        if step.index == 0:
            self._frames.update({sample.name: [] for sample in samples})
        if step.index in wanted:
            for sample, image in zip(samples, step.images().cpu(), strict=True):
                self._frames[sample.name].append(image)

    def _path(self, name: str) -> Path:
        return Path(self.output or ".") / f"{name}.png"
