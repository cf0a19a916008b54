"""One piece of work of the page: photos in a folder are restored, and how far it is can be asked at any time."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer
from torch import Tensor

from ldrps.callbacks.forecasting import Forecasting
from ldrps.callbacks.image_writer import ImageWriter
from ldrps.commands.browser.choices import Choices
from ldrps.commands.browser.findings import findings
from ldrps.commands.degrade import Degrade
from ldrps.commands.exit_codes import sentence_of
from ldrps.data.image_files import read_picture
from ldrps.data.inputs import find_images, name_outputs
from ldrps.data.samples import Outcome, Sample
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step
from ldrps.metrics.fidelity import PSNR, SSIM
from ldrps.results.contact_sheet import thumbnail
from ldrps.results.pictures import write_jpeg
from modules.pictures import to_pil
from modules.priors.base import Prior, Semantics

LOGGER = logging.getLogger("ldrps.ui")

PREVIEW_PX = 1024
"""Longer side of the copies that the page shows."""

NUM_FRAMES = 6
"""Frames of a film strip."""


class Cancelled(BaseException):
    """Somebody pressed the button; not an error, so that nothing on the way takes it for a photo that failed."""


@dataclass(frozen=True)
class Card:
    """What the page shows of one photo.

    Attributes:
        name: Name of the photo.
        before: Preview of what was restored.
        after: Preview of the result.
        result: The restored picture, to download.
        strip: Film strip of the sampling, if there is one.
        found: What was found, in sentences.
        clean: Preview of the clean photo, where it was damaged here.
        scores: Closeness to the clean photo: measure, before, after.
    """

    name: str
    before: Path
    after: Path
    result: Path
    strip: Path | None
    found: list[str]
    clean: Path | None = None
    scores: list[tuple[str, float, float]] = field(default_factory=list)


@dataclass
class Work:
    """Restores what lies in ``folder/photos`` into ``folder/restored``; previews go to ``folder/previews``.

    Attributes:
        folder: Folder of this piece of work.
        names: Names of the photos in it.
        choices: What to do with them.
        device: Where it runs.
        cards: Photos that are finished.
        sentences: One for each photo that is not restored.
        doing: What is being done.
        share: How much of it is done, in [0, 1].
        is_cancelled: Whether somebody wants it to stop; it does at the next step.
    """

    folder: Path
    names: Sequence[str]
    choices: Choices
    device: str = "auto"
    cards: list[Card] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    doing: str = "reading the model"
    share: float = 0.0
    is_cancelled: bool = False
    _first_step: tuple[float, float] | None = None

    @property
    def seconds_left(self) -> float | None:
        """Time that the rest takes if it goes on as it did; None before anything can be said."""
        if self._first_step is None or self.share <= self._first_step[1]:
            return None
        started, share = self._first_step
        return (time.monotonic() - started) * (1 - self.share) / (self.share - share)

    def report(self, doing: str, share: float) -> None:
        """Note how far it is.

        Raises:
            Cancelled: If somebody wants it to stop.
        """
        if self.is_cancelled:
            raise Cancelled
        self.doing, self.share = doing, share
        if self._first_step is None and share > 0:
            self._first_step = time.monotonic(), share

    def run(self) -> None:
        """Do it; whatever goes wrong becomes a sentence."""
        try:
            self._run()
        except Cancelled:
            self.sentences.append(f"Cancelled; {len(self.cards)} of {len(self.names)} photo(s) are finished.")
        except Exception as error:  # Nobody else hears of it: the page asks for sentences alone.
            LOGGER.debug("work failed", exc_info=True)
            self.sentences.append(self._without_folder(" ".join(sentence_of(error).split())))

    def _run(self) -> None:
        from ldrps.configuration import lightning_cli

        self.report(self.doing, 0.0)
        source = self.folder / "photos"
        if self.choices.is_damaged_first:
            source = self._damage(source)
        options = self.choices.restore([source], self.folder / "restored", self.device, NUM_FRAMES)
        changes = [*self.choices.settings(), "--trainer.enable_progress_bar=false"]
        records = lightning_cli.run("predict", options.settings(), changes, [Watch(self)])
        self.sentences += [
            self._without_folder(record.error if record.name in record.error else f"{record.name}: {record.error}")
            for record in records
            if record.error is not None
        ]

    def _damage(self, photos: Path) -> Path:
        from ldrps.commands.degrading import degrade

        self.report("damaging", 0.0)
        damaged = self.folder / "damaged"
        job = Degrade(inputs=[str(photos)], suite=[self.choices.damage], output=damaged, seed=self.choices.seed or 0)
        account = degrade(job)
        self.sentences += map(self._without_folder, account.failed)
        if not account.done:
            raise ValueError("none of the photos could be damaged")
        return damaged

    def _without_folder(self, sentence: str) -> str:
        """Where the server keeps its files is nobody's concern."""
        for place in ("photos", "damaged", "restored"):
            sentence = sentence.replace(f"{self.folder / place}/", "")
        return sentence


class Watch(Callback):
    """Tells a piece of work how far Lightning is, and makes a card of each finished photo.

    Args:
        work: Who is told.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.num_done = 0
        self.semantics = Semantics()
        self.clean: dict[str, Path] = {}

    def on_predict_start(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Listen to the steps and to the prior."""
        if self.work.choices.is_damaged_first:
            names = name_outputs(find_images(str(self.work.folder / "photos")))
            self.clean = {name: file for file, name in names}
        pl_module.progress_listeners.append(self._step)
        for module in pl_module.children():
            if isinstance(module, Prior):
                module.register_forward_hook(self._listen)

    def on_predict_epoch_start(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Show the plan; what needs more memory than there is would end this server, and is refused with it.

        Raises:
            ValueError: If it does.
        """
        [forecast] = [callback.forecast for callback in trainer.callbacks if isinstance(callback, Forecasting)]
        if forecast is None:
            return
        if forecast.peak_bytes is not None and forecast.peak_bytes > forecast.free_bytes:
            raise ValueError(forecast.sentence())
        self.work.report(forecast.sentence(), 0.0)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: Restorer, outputs: Sequence[Outcome], *batch: Any, **indices: Any
    ) -> None:
        """Make cards; the writer has written by now."""
        self.num_done += len(outputs)
        [writer] = [callback for callback in trainer.callbacks if isinstance(callback, ImageWriter)]
        for outcome in outputs:
            # What the writer refused has no file; a sentence says why, as of all that failed.
            result = writer.written.get(outcome.sample.name)
            if isinstance(outcome.sample, Sample) and outcome.restored is not None and result is not None:
                self.work.cards.append(self._card(outcome.sample, outcome.restored, result, outcome.remark))
        self.work.report(self.work.doing, self.num_done / len(self.work.names))

    def _step(self, samples: Sequence[Sample], step: Step) -> None:
        share = (self.num_done + (step.index + 1) / step.count) / len(self.work.names)
        self.work.report(f"restoring {samples[0].name}, step {step.index + 1} of {step.count}", share)

    def _listen(self, prior: Prior, arguments: Any, semantics: Semantics) -> None:
        self.semantics = semantics

    def _card(self, sample: Sample, restored: Tensor, result: Path, remark: str) -> Card:
        strip = result.parent / f"{Path(sample.name).name}.trajectory.png"
        prompt, words = (self.semantics.prompts or [""])[0], (self.semantics.words or [()])[0]
        clean_file = self.clean.get(sample.name)
        clean, scores = None, []
        if clean_file is not None:
            target = read_picture(clean_file).image
            clean = self._preview(sample.name, "clean", target)
            for metric in (PSNR(), SSIM()):
                before, after = (metric(image[None], target[None])[0] for image in (sample.image, restored))
                scores += [(metric.name.upper(), before, after)] if before is not None and after is not None else []
        return Card(
            name=sample.name,
            before=self._preview(sample.name, "before", sample.image),
            after=self._preview(sample.name, "after", restored),
            result=result,
            strip=strip if strip.is_file() else None,
            found=findings(sample.image, restored, prompt, words, remark),
            clean=clean,
            scores=scores,
        )

    def _preview(self, name: str, kind: str, image: Tensor) -> Path:
        path = self.work.folder / "previews" / f"{name}.{kind}.jpg"
        write_jpeg(to_pil(thumbnail(image, PREVIEW_PX)), path)
        return path
