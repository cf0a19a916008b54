"""What every restoration method shares: steps for Lightning, pictures for people, failures that stay with one image."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pytorch_lightning import LightningModule
from torch import Tensor

from ldrps.data.as_sample import as_sample
from ldrps.data.samples import Entry, Outcome, Record, Sample, Unreadable
from ldrps.data.shards import gathered
from ldrps.methods.economies import LOGGER, Economy, clear_memory, is_out_of_memory, made_with_less
from ldrps.methods.pace import Pace, peak_mib
from ldrps.methods.step import Step, StepListener
from ldrps.methods.transparency import with_hidden, without_hidden
from ldrps.metrics.base import Metric
from ldrps.results.run_folder import Row, merge_rows
from ldrps.results.scoring import failure, measurable, score
from ldrps.results.summary import means
from modules.pictures import to_pil

NOT_NUMBERS = "the result holds values that are not numbers: use float32, or less guidance strength"


@dataclass(frozen=True)
class Scored:
    """What became of a batch of a test.

    Attributes:
        outcomes: The images.
        rows: What was measured of them.
    """

    outcomes: list[Outcome]
    rows: list[Row]


class Restorer(LightningModule, ABC):
    """A method that restores images; everything but `restore` and `load` is shared.

    Args:
        seed: Seed of the run. The result of an image depends on it, the image and the settings alone.

    Attributes:
        is_baseline: Whether it is a simple tool to compare with.
        name: What results call it.
        metrics: What a test measures; None measures the usual.
        step_listeners: Who sees each step of a run; a run begins with none, and callbacks add theirs as it starts.
        progress_listeners: Who only hears of the steps that are taken: where nobody else listens, those may be left out
            that change no result.
        is_watched: Whether somebody may want to see each step; a run says when nobody does.
        records: What became of the images of the last run.
        rows: What a test has measured so far.
        remarks: What the last call of `restore` has to say of each image; empty where it says nothing of any.
    """

    is_baseline = False

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.name = type(self).__name__.lower()
        self.step_listeners: list[StepListener] = []
        self.progress_listeners: list[StepListener] = []
        self.is_watched = True
        self.records: list[Record] = []
        self.metrics: list[Metric] | None = None
        self.rows: list[Row] = []
        self.remarks: list[str] = []
        self.pace = Pace()

    def members(self) -> list["Restorer"]:
        """The methods this restorer is made of: itself, unless it is a comparison."""
        return [self]

    def weights_sha256(self) -> str:
        """Fingerprint of the pretrained weights; empty for a method that has none."""
        return ""

    @abstractmethod
    def load(self) -> None:
        """Read weights; does nothing the second time.

        Raises:
            ValueError: If weights are missing or do not fit.
        """

    @abstractmethod
    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """Restore images of one size.

        Args:
            degraded: Shape (B, 3, H, W), range [0, 1], any H and W.
            paths: The file each image came from, for side information; None for an image that never was a file.
            observe: Sees every step.

        Returns:
            The restored images, same shape and range.
        """

    def explain(self, degraded: Tensor) -> Tensor:
        """The images with the light, haze and the like undone that the method finds before it restores.

        Args:
            degraded: Shape (B, 3, H, W), range [0, 1].

        Returns:
            The same shape and range; the images themselves where it finds nothing, or has no such means.
        """
        return degraded

    def economies(self, degraded: Tensor) -> Iterable[Economy]:
        """Ways to restore images, shape (B, 3, H, W), in less memory, the mildest first; those of methods inside."""
        return (economy for part in inner(self) for economy in part.economies(degraded))

    def forward(self, picture: Image.Image | Tensor | np.ndarray | str | Path) -> Image.Image:
        """Restore one picture.

        Args:
            picture: A PIL image, a file name, a tensor of shape (3, H, W) with values in [0, 1], or an array of shape
                (H, W, 3), RGB in 8 bits.

        Returns:
            The restored picture, of the same size, upright.

        Raises:
            ValueError: If the picture cannot be read or restored.
        """
        # The method learns while it restores, and weights that are read in inference mode can never be learnt through.
        with torch.inference_mode(False):
            self.load()
            # Weights that were read just now lie on the CPU; to move what is in place takes a tenth as long as `fast`.
            if any(parameter.device != self.device for parameter in self.parameters()):
                self.to(self.device)
            sample = as_sample(picture)
            self.tell_watched(False)
            restored = self._restore_stacked([sample])[0]
            if not bool(restored.isfinite().all()):
                raise ValueError(NOT_NUMBERS)
            return to_pil(restored, sample.alpha)

    def setup(self, stage: str) -> None:
        """Read weights before Lightning moves the module to its device.

        Raises:
            ValueError: If weights are missing, or the Trainer would narrow or widen all of the method.
        """
        precision = str(self.trainer.precision)
        if precision.endswith("-true") and not precision.startswith("32"):
            change = "widen" if precision.startswith("64") else "narrow"
            raise ValueError(
                f"trainer.precision={precision} would {change} what is learnt and compared too: use 32-true, "
                "bf16-mixed or 16-mixed, and backbone.dtype for weights that take half the memory"
            )
        self.load()
        for part in (self, *self.members()):
            # Here, not as a run ends: nothing is called at the end of one that an exception stopped.
            part.records, part.step_listeners, part.progress_listeners = [], [], []
        if stage == "test":
            self.rows = []
            if self.metrics is None:
                # Imported here: restoring a photo needs none of their libraries.
                from ldrps.metrics.default import default_metrics

                self.metrics = [metric for metric in default_metrics() if metric.unavailable() is None]

    def predict_step(self, batch: Sequence[Entry], batch_idx: int) -> list[Outcome]:
        """Restore a batch of images of any sizes."""
        return self.restore_batch(batch)

    def test_step(self, batch: Sequence[Entry], batch_idx: int) -> Scored:
        """Restore a batch of images of any sizes and measure the results and their inputs; callbacks keep them."""
        outcomes = self.restore_batch(batch)
        rows = [failure(outcome) for outcome in outcomes if outcome.restored is None]
        rows += score(measurable(outcomes), self.metrics or [], self.device)
        self.rows += rows
        return Scored(outcomes, rows)

    def on_test_epoch_end(self) -> None:
        """Give Lightning the means over all processes: what `trainer.test` returns and loggers log."""
        self.log_dict(means(merge_rows(gathered(self.rows))))

    def transfer_batch_to_device(
        self, batch: Sequence[Entry], device: torch.device, dataloader_idx: int
    ) -> Sequence[Entry]:
        """Leave samples where they are: images move when images of one size have been gathered."""
        return batch

    def restore_batch(self, batch: Sequence[Entry]) -> list[Outcome]:
        """Restore a batch of images of any sizes; what is finished or cannot be read is passed over.

        Raises:
            ValueError: If gradients are switched off for good.
        """
        if torch.is_inference_mode_enabled():
            raise ValueError(
                "trainer.inference_mode is on, but the method learns while it restores and needs gradients: "
                "set trainer.inference_mode to false"
            )
        outcomes = [
            Outcome(entry, None, entry.reason, 0.0, self.name) for entry in batch if isinstance(entry, Unreadable)
        ]
        samples = sorted(
            (entry for entry in batch if isinstance(entry, Sample)), key=lambda sample: tuple(sample.image.shape)
        )
        for _, group in groupby(samples, key=lambda sample: tuple(sample.image.shape)):
            outcomes += self._restore_pieces(list(group))
        self.records += [outcome.record for outcome in outcomes]
        return outcomes

    def _restore_pieces(self, samples: list[Sample]) -> list[Outcome]:
        """Restore images of one size, so many at once as are quickest."""
        outcomes: list[Outcome] = []
        while samples:
            height, width = samples[0].image.shape[-2:]
            count = self.pace.images_at_once(height * width, self.device)
            piece, samples = samples[:count], samples[count:]
            with self.pace.measured(len(piece) * height * width, self.device):
                done = self._restore_group(piece)
            # Now: the next piece, of this method or another, forgets it.
            peak = peak_mib(self.device)
            outcomes += [replace(outcome, peak_mib=peak) for outcome in done]
        return outcomes

    def _restore_group(self, samples: list[Sample]) -> list[Outcome]:
        def observe(step: Step) -> None:
            for listen in (*self.step_listeners, *self.progress_listeners):
                listen(samples, step)

        self.tell_watched(bool(self.step_listeners))
        started = time.perf_counter()
        self.remarks = []
        try:
            restored = self._restore_stacked(samples, observe)
        except Exception as error:
            if "LDRPS_DEBUG" in os.environ:
                raise
            if len(samples) == 1:
                kind = "" if isinstance(error, ValueError | OSError | RuntimeError) else f"{type(error).__name__}: "
                sentence = kind + " ".join(str(error).split())
                return [Outcome(samples[0], None, sentence, time.perf_counter() - started, self.name)]
            is_memory = is_out_of_memory(error)
        else:
            seconds = (time.perf_counter() - started) / len(samples)
            remarks = self.remarks or [""] * len(samples)
            return [
                self._checked(sample, image, seconds, remark)
                for sample, image, remark in zip(samples, restored, remarks, strict=True)
            ]
        # One image's trouble (a missing prompt, memory) must not cost the others.
        middle = len(samples) // 2
        if is_memory:
            clear_memory()
            LOGGER.warning("memory ran out with %d images at once: %d at a time from here on", len(samples), middle)
            self.pace.most_pixels = middle * samples[0].image[0].numel()
        return self._restore_group(samples[:middle]) + self._restore_group(samples[middle:])

    def _restore_stacked(
        self, samples: list[Sample], observe: Callable[[Step], None] = lambda step: None
    ) -> list[Tensor]:
        """`restore`; a single image whose memory runs out is restored in less."""
        degraded = torch.stack([without_hidden(sample) for sample in samples]).to(self.device)

        def make() -> Tensor:
            restored = self.restore(degraded, [sample.path for sample in samples], observe)
            if restored.shape != degraded.shape:
                raise ValueError(
                    f"{type(self).__name__}.restore gave shape {tuple(restored.shape)} for images of shape "
                    f"{tuple(degraded.shape)}: it must give the same shape"
                )
            # A method that ends in a network gives what autocast made of it, such as bfloat16.
            return restored.to("cpu", degraded.dtype)

        restored = make() if len(samples) > 1 else made_with_less(make, self.economies(degraded))
        return [with_hidden(image, sample) for image, sample in zip(restored, samples, strict=True)]

    def tell_watched(self, is_watched: bool) -> None:
        """Tell this method, and those that it is made of, whether somebody wants to see each step."""
        for part in self.modules():
            if isinstance(part, Restorer):
                part.is_watched = is_watched

    def _checked(self, sample: Sample, restored: Tensor, seconds: float, remark: str) -> Outcome:
        if bool(restored.isfinite().all()):
            return Outcome(sample, restored, None, seconds, self.name, remark)
        return Outcome(sample, None, NOT_NUMBERS, seconds, self.name)


def inner(module: torch.nn.Module) -> Iterator[Restorer]:
    """The methods that another one is made of, not those inside them."""
    for child in module.children():
        if isinstance(child, Restorer):
            yield child
        else:
            yield from inner(child)
