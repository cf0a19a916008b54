"""Writes what was restored: the photo, a before|after pair, a film strip of the sampling."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from rich.console import Console
from torch import Tensor

from ldrps.data.image_files import Picture, read_picture, write_picture
from ldrps.data.images import ImageData
from ldrps.data.outputs import (
    TO_KEEP_OR_REPLACE,
    check_distinct,
    check_outputs,
    picture_file,
    prepare_folder,
    without_results,
)
from ldrps.data.photo_files import check_format, write_photo
from ldrps.data.photo_formats import FormatName
from ldrps.data.samples import Outcome, Record, Sample
from ldrps.data.shards import gathered, own_part
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step
from modules.pictures import to_pil

LOGGER = logging.getLogger("ldrps.restore")


class ImageWriter(BasePredictionWriter):
    """Writes each restored image as soon as it is finished, with everything that the photo's file held.

    Args:
        output: Folder for the pictures; None writes none.
        format: Format of the pictures; None takes each photo's own, or PNG where that could not hold the result.
        compare: Also write ``NAME.compare.png``, before and after side by side; of pictures that are kept, where it is
            missing.
        trajectory: Also write ``NAME.trajectory.png``, a film strip of this many x0 predictions; 0 writes none.
        overwrite: Replace pictures of earlier runs; inputs are never replaced.
        resume: Keep pictures of earlier runs and restore the others.

    Attributes:
        written: Files of this process's restored pictures, by the names of their samples.

    Raises:
        ValueError: Before anything is restored, if an output is an input, exists already, is that of two inputs, or
            cannot be written.
    """

    def __init__(
        self,
        output: str | None = None,
        format: FormatName | None = None,  # noqa: A002 (what users know the option as)
        compare: bool = False,
        trajectory: int = 0,
        overwrite: bool = False,
        resume: bool = False,
    ) -> None:
        super().__init__(write_interval="batch")
        if overwrite and resume:
            raise ValueError(
                "overwrite and resume exclude each other: one replaces finished pictures, the other keeps them"
            )
        if trajectory < 0:
            raise ValueError(f"trajectory={trajectory} must not be negative; 0 writes no film strip")
        self.output = Path(output) if output else None
        self.compare = compare
        self.trajectory = trajectory
        self.format = format
        self.overwrite = overwrite
        self.resume = resume
        self._forget()

    def setup(self, trainer: Trainer, pl_module: Restorer, stage: str) -> None:
        """Refuse before any process works or writes what could not be written; leave out what is done."""
        super().setup(trainer, pl_module, stage)
        self._forget()
        if self.output is None or stage != "predict":
            return
        if self.format is not None:
            check_format(self.format)
        prepare_folder(self.output)
        data = trainer.datamodule
        if not isinstance(data, ImageData):
            return
        data.files = without_results(data.files, data.inputs, self.output)
        sources = [file for file, _ in data.files]
        pictures = [self._picture(name, file) for file, name in data.files]
        beside = [(self._beside(name, kind), file) for file, name in data.files for kind in self._kinds()]
        more = [path for path, _ in beside]
        check_distinct([*zip(pictures, sources, strict=True), *beside])
        check_outputs([*pictures, *more], sources, overwrite=True)
        may_exist = self.overwrite or self.resume
        check_outputs(pictures, [], may_exist, TO_KEEP_OR_REPLACE)
        # Nothing would keep these: a picture that is missing is restored, with all that lies beside it.
        check_outputs(more, [], may_exist, "add --overwrite to replace them")
        if self.resume:
            self._keep_finished(trainer, data)

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
            if outcome.remark:
                LOGGER.info("%s: %s", outcome.record.name, outcome.remark)
            if outcome.restored is not None and isinstance(outcome.sample, Sample):
                try:
                    self._write(outcome.sample, outcome.restored)
                except ValueError as error:
                    failed = Record(outcome.record.name, str(error), outcome.seconds)
                    pl_module.records = [one for one in pl_module.records if one.name != failed.name] + [failed]

    def on_predict_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Say where the pictures are."""
        if self.output is None:
            return
        count = len(gathered(list(self.written)))
        for note in self._notes:
            say(note, is_error=True)
        if self._num_stripless:
            say(f"{self._num_stripless} picture(s) have no film strip: nothing was sampled for them", is_error=True)
        if trainer.is_global_zero:
            say(f"{count} restored picture(s) in {self.output}")

    def _keep_finished(self, trainer: Trainer, data: ImageData) -> None:
        kept = [(file, name) for file, name in data.files if self._picture(name, file).exists()]
        if not kept:
            return
        if trainer.is_global_zero:
            say(f"{len(kept)} of {len(data.files)} picture(s) are in {self.output} already and are kept")
            stripless = [name for _, name in kept if self.trajectory and not self._beside(name, "trajectory").exists()]
            if stripless:
                say(f"{len(stripless)} of them have no film strip, which is drawn while a picture is restored")
        self.num_kept = len(kept)
        names = {name for _, name in kept}
        data.files = [(file, name) for file, name in data.files if name not in names]
        if self.compare:
            # Here: a run in which nothing is left to restore goes no further.
            for file, name in own_part(kept, "0/1", trainer):
                self._compare_kept(file, name, data.max_pixels)

    def _compare_kept(self, file: Path, name: str, max_pixels: int) -> None:
        if self._beside(name, "compare").exists():
            return
        picture = self._picture(name, file)
        try:
            before, after = (read_picture(path, max_pixels).image for path in (file, picture))
            if before.shape != after.shape:
                raise ValueError(f"{file} is of another size")
            self._write_comparison(name, before, after)
        except ValueError as error:
            say(f"{picture} is kept without a comparison: {error}", is_error=True)

    def _forget(self) -> None:
        self.written: dict[str, Path] = {}
        self.num_kept = 0
        self._notes: list[str] = []
        self._num_stripless = 0
        self._frames: dict[str, list[Tensor]] = {}

    def _write(self, sample: Sample, restored: Tensor) -> None:
        path = self._picture(sample.name, sample.path or Path(sample.name))
        # Once more for each photo: of what one's own data loader will give, nothing is known before.
        beside = [self._beside(sample.name, kind) for kind in self._kinds()]
        check_outputs([path, *beside], [sample.path] if sample.path else [], self.overwrite or self.resume)
        if self.compare:
            self._write_comparison(sample.name, sample.image, restored)
        frames = self._frames.pop(sample.name, None)
        self._num_stripless += bool(self.trajectory) and not frames
        if frames:
            write_picture(to_pil(torch.cat(frames, dim=2)), self._beside(sample.name, "trajectory"))
        # The picture comes last: where it is, everything of the photo is.
        losses = write_photo(restored, Picture(sample.image, sample.alpha, sample.original), path)
        self.written[sample.name] = path
        self._notes += [f"{sample.path or sample.name}: {note}" for note in (*sample.original.notes, *losses)]

    def _write_comparison(self, name: str, before: Tensor, after: Tensor) -> None:
        gap = torch.ones(3, after.shape[1], max(2, after.shape[2] // 64))
        write_picture(to_pil(torch.cat([before, gap, after], dim=2)), self._beside(name, "compare"))

    def _keep_frame(self, samples: Sequence[Sample], step: Step) -> None:
        wanted = step.frames(self.trajectory)
        if step.index == 0:
            self._frames.update({sample.name: [] for sample in samples})
        if step.index in wanted:
            for sample, image in zip(samples, step.images().cpu(), strict=True):
                self._frames[sample.name].append(image)

    def _picture(self, name: str, source: Path) -> Path:
        return picture_file(self._folder, name, source, self.format)

    def _beside(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}.{kind}.png"

    def _kinds(self) -> list[str]:
        return [kind for kind, wanted in (("compare", self.compare), ("trajectory", self.trajectory)) if wanted]

    @property
    def _folder(self) -> Path:
        return self.output or Path()


def say(sentence: str, is_error: bool = False) -> None:
    """Print one line."""
    Console(stderr=is_error).print(sentence, highlight=False, soft_wrap=True, markup=False)
