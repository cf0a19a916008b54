"""Scores a test run: rows as images finish, tables and pictures at the end."""

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from rich.console import Console
from torch import Tensor

from ldrps.data.clean import CleanData
from ldrps.data.outputs import prepare_folder
from ldrps.data.pairs import PairedData
from ldrps.data.samples import Outcome, Record, Sample
from ldrps.metrics.base import Metric
from ldrps.metrics.fidelity import PSNR, SSIM, MultiScaleSSIM, PSNRMeanMatched
from ldrps.metrics.learned import CLIPIQA, DISTS, LPIPS
from ldrps.metrics.pyiqa import PyIQA
from ldrps.metrics.vif import VIF
from ldrps.restorer import Restorer, Step
from ldrps.results.conclusion import conclude, print_scores
from ldrps.results.pictures import Previews, film_strip, write_jpeg
from ldrps.results.run_folder import INPUT, TARGET, Row, RunFolder
from ldrps.results.versions import software


@dataclass(frozen=True)
class Measurable:
    """An image to score: a result, or the degraded image itself.

    Attributes:
        restorer: Name of the method, or ``input``.
        sample: What it was made of.
        image: Shape (3, H, W), range [0, 1].
        seconds: Time it took.
    """

    restorer: str
    sample: Sample
    image: Tensor
    seconds: float

    def kind(self) -> tuple[str, tuple[int, ...], bool]:
        """Images of one kind are scored in one batch."""
        return self.restorer, tuple(self.image.shape), self.sample.target is None


class Results(Callback):
    """Scores each restored image, and its input, against the target, and writes a run folder.

    Args:
        output: The run folder; None prints the table and writes nothing.
        metrics: What is measured; None measures fidelity (PSNR, also with matched mean, SSIM, MS-SSIM, VIF) and, where
            their packages and weights are there, LPIPS, DISTS, CLIP-IQA, NIQE, PI and MUSIQ.
        resume: Go on with a run folder that holds results of the same settings.
        pictures: Keep small copies of inputs, results and targets, for grids and the report.
        trajectory: Frames of the film strip of each method's first restoration; 0 keeps none.

    Raises:
        ValueError: If trajectory is negative.
    """

    def __init__(
        self,
        output: str | None = None,
        metrics: list[Metric] | None = None,
        resume: bool = False,
        pictures: bool = True,
        trajectory: int = 6,
    ) -> None:
        if trajectory < 0:
            raise ValueError(f"trajectory={trajectory} must not be negative; 0 keeps no film strip")
        self.output = Path(output) if output else None
        self.metrics = metrics
        self.resume = resume
        self.pictures = pictures
        self.trajectory = trajectory
        self.restorer_settings: dict[str, Any] = {}
        self.folder = RunFolder(self.output) if self.output else None
        self.rows: list[Row] = []
        self._available: list[Metric] = []
        self._frames: dict[str, list[Tensor]] = {}

    def setup(self, trainer: Trainer, pl_module: Restorer, stage: str) -> None:
        """Open the run folder and pass over what it holds."""
        if stage != "test":
            return
        chosen = default_metrics() if self.metrics is None else self.metrics
        reasons = {metric.column: metric.unavailable() for metric in chosen}
        self._available = [metric for metric in chosen if reasons[metric.column] is None]
        self._unavailable = {name: reason for name, reason in reasons.items() if reason is not None}
        if self.folder is None or self.output is None:
            return
        data = trainer.datamodule
        settings = {
            "restorers": {
                member.name: {
                    "settings": self.restorer_settings.get(member.name, type(member).__qualname__),
                    "weights_sha256": member.weights_sha256(),
                }
                for member in pl_module.members()
            },
            "data": data.describe() if isinstance(data, CleanData | PairedData) else {},
            "precision": str(trainer.precision),
            "metrics": {metric.column: metric.settings for metric in self._available},
        }
        information = {
            "software": software(),
            "baselines": [member.name for member in pl_module.members() if member.is_baseline],
            "higher_is_better": {metric.column: metric.higher_is_better for metric in self._available},
            "not_available": self._unavailable,
            "device": str(trainer.strategy.root_device),
        }
        refusal = None
        if trainer.is_global_zero:
            try:
                prepare_folder(self.output)
                self.folder.begin(settings, self.resume, information)
            except ValueError as error:
                refusal = str(error)
        # Every process hears of it, so that none waits for another that has left.
        if refusal := trainer.strategy.broadcast(refusal):
            raise ValueError(refusal)
        if isinstance(data, CleanData | PairedData):
            names = [INPUT, *(member.name for member in pl_module.members())]
            data.is_finished = partial(all_finished, self.folder.finished(), names)

    def on_test_start(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Watch each method's first restoration."""
        if self.output is None or not self.trajectory:
            return
        for member in pl_module.members():
            if not member.is_baseline and not self._strip(member.name).exists():
                member.step_listeners.append(partial(self._keep_frame, member.name))

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: Restorer,
        outputs: Sequence[Outcome],
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score one batch and write its rows."""
        rows = [failure(outcome) for outcome in outputs if outcome.restored is None]
        rows += self._score(measurable(outputs), pl_module.device)
        # Pictures first: a row promises that everything of its result is there.
        if self.output is not None and self.pictures:
            self._write_previews(outputs, pl_module)
        if self.folder is None:
            self.rows += rows
        else:
            self.folder.append(rows)
        self._write_strips()

    def on_test_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Make the tables of all rows, of every process and earlier run."""
        if self.folder is not None:
            self.folder.close()
        trainer.strategy.barrier("rows")
        if self.folder is None:
            print_scores(self.rows, {"not_available": self._unavailable})
        elif trainer.is_global_zero:
            conclude(self.folder)
            page = self.folder.path / "report.html"
            Console().print(f"report: {page}", highlight=False, soft_wrap=True, markup=False)
            # The first process answers for all: what failed in another one fails the run.
            if trainer.world_size > 1:
                failed = [row for row in self.folder.rows() if row.error is not None]
                done = [record for record in pl_module.records if record.error is None]
                pl_module.records = [*done, *(Record(row.name, row.error, row.seconds) for row in failed)]
        else:
            pl_module.records.clear()
        # Nobody leaves before the tables exist: Lightning kills the others when one process ends.
        trainer.strategy.barrier("concluded")

    def _score(self, results: Sequence[Measurable], device: torch.device) -> list[Row]:
        """Score images of one method and size together."""
        rows = []
        for _, group in groupby(sorted(results, key=Measurable.kind), key=Measurable.kind):
            rows += self._score_group(list(group), device)
        return rows

    def _score_group(self, results: Sequence[Measurable], device: torch.device) -> list[Row]:
        restored = torch.stack([result.image for result in results]).to(device)
        targets = [result.sample.target for result in results if result.sample.target is not None]
        target = torch.stack(targets).to(device) if targets else None
        columns: dict[str, Sequence[float | None]] = {}
        broken: dict[str, str] = {}
        for metric in self._available:
            try:
                columns[metric.column] = metric(restored, target)
            except Exception as error:
                columns[metric.column] = [None] * len(results)
                broken[metric.column] = f"error: {' '.join(str(error).split())}"
        peak = peak_mib(device)
        rows = []
        for number, result in enumerate(results):
            values = {name: numbers[number] for name, numbers in columns.items()}
            odd = {name: str(value) for name, value in values.items() if value is not None and not isfinite(value)}
            odd |= broken
            kept = {name: None if name in odd else value for name, value in values.items()}
            sample = result.sample
            rows.append(Row(sample.suite, sample.name, sample.key, result.restorer, kept, odd, result.seconds, peak))
        return rows

    def _write_previews(self, outcomes: Sequence[Outcome], restorer: Restorer) -> None:
        previews = Previews(self.output or Path())
        members = restorer.members()
        shown = [member.name for member in members if not member.is_baseline] or [member.name for member in members]
        for result in measurable(outcomes):
            sample = result.sample
            if result.restorer in (INPUT, *shown):
                previews.write(sample.suite, sample.name, result.restorer, result.image)
            if result.restorer == INPUT and sample.target is not None:
                previews.write(sample.suite, sample.name, TARGET, sample.target)

    def _strip(self, name: str) -> Path:
        return (self.output or Path()) / "trajectories" / f"{name}.jpg"

    def _keep_frame(self, name: str, samples: Sequence[Sample], step: Step) -> None:
        frames = self._frames.setdefault(name, [])
        wanted = {round(number * (step.count - 1) / max(1, self.trajectory - 1)) for number in range(self.trajectory)}
        if step.index in wanted and len(frames) < len(wanted):
            frames.append(step.images()[0].cpu())

    def _write_strips(self) -> None:
        """Write the strips of the first batch; later restorations keep no frames."""
        for name, frames in self._frames.items():
            if frames and not self._strip(name).exists():
                write_jpeg(film_strip(frames), self._strip(name))


def default_metrics() -> list[Metric]:
    """Fidelity always, and what needs packages or weights that may be missing."""
    fidelity = [PSNR(), PSNRMeanMatched(), SSIM(), MultiScaleSSIM(), VIF()]
    learned = [LPIPS(), DISTS(), CLIPIQA()]
    return [*fidelity, *learned, *(PyIQA(name) for name in ("niqe", "pi", "musiq"))]


def measurable(outcomes: Sequence[Outcome]) -> list[Measurable]:
    """List what can be scored: each input once, and every result."""
    inputs: dict[int, Measurable] = {}
    results = []
    for outcome in outcomes:
        sample = outcome.sample
        if isinstance(sample, Sample):
            inputs[id(sample)] = Measurable(INPUT, sample, sample.image, 0.0)
            if outcome.restored is not None:
                results.append(Measurable(outcome.restorer, sample, outcome.restored, outcome.seconds))
    return [*inputs.values(), *results]


def failure(outcome: Outcome) -> Row:
    """Make the row of an image that has no result."""
    sample = outcome.sample
    name = sample.name or str(sample.path)
    key = sample.key if isinstance(sample, Sample) else ""
    return Row(sample.suite, name, key, outcome.restorer, seconds=outcome.seconds, error=outcome.error)


def all_finished(
    finished: set[tuple[str, str, str, str]], restorers: Sequence[str], suite: str, name: str, key: str
) -> bool:
    """Whether every method's result of an image has been written."""
    return all((suite, name, key, restorer) in finished for restorer in restorers)


def peak_mib(device: torch.device) -> float:
    """Largest memory so far in MiB: the device's on a GPU, the process's elsewhere."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    # Kilobytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
