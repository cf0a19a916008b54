"""Keeps a test run: rows as images finish, tables and pictures at the end."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer
from rich.console import Console
from torch import Tensor

from ldrps.data.outputs import prepare_folder
from ldrps.data.samples import Outcome, Record, Sample
from ldrps.data.scored import ScoredData, nothing_is_finished
from ldrps.methods.restorer import Restorer, Scored
from ldrps.methods.step import Step, StepListener
from ldrps.metrics.base import Metric
from ldrps.metrics.default import default_metrics
from ldrps.results.conclusion import conclude, print_scores
from ldrps.results.pictures import Previews, film_strip, write_jpeg
from ldrps.results.run_folder import INPUT, TARGET, Row, RunFolder
from ldrps.results.scoring import measurable
from ldrps.results.versions import software


class Results(Callback):
    """Says what is measured of each restored image, and of its input, and writes a run folder.

    Args:
        output: The run folder; None prints the table and writes nothing.
        metrics: What is measured; None measures fidelity (PSNR, also with matched mean, SSIM, MS-SSIM, VIF) and, where
            their packages and weights are there, LPIPS, DISTS, CLIP-IQA, NIQE, PI and MUSIQ.
        resume: Go on with a run folder that holds results of the same settings.
        pictures: Keep small copies of inputs, results and targets, for grids and the report.
        trajectory: Frames of the film strip of each method's first restoration; 0 keeps none.

    Raises:
        ValueError: If trajectory is negative, or two measures share a name.
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
        columns = [metric.column for metric in metrics or []]
        if doubled := sorted({column for column in columns if columns.count(column) > 1}):
            raise ValueError(f"two measures are called {doubled[0]!r}: give one of them another `name`")
        self.output = Path(output) if output else None
        self.metrics = metrics
        self.resume = resume
        self.pictures = pictures
        self.trajectory = trajectory
        self.restorer_settings: dict[str, Any] = {}
        self.folder = RunFolder(self.output) if self.output else None
        self.rows: list[Row] = []
        self._frames: dict[str, list[Tensor]] = {}
        self._looking: dict[str, StepListener] = {}

    def setup(self, trainer: Trainer, pl_module: Restorer, stage: str) -> None:
        """Open the run folder and pass over what it holds."""
        if stage != "test":
            return
        self.rows, self._frames = [], {}
        chosen = default_metrics() if self.metrics is None else self.metrics
        reasons = {metric.column: metric.unavailable() for metric in chosen}
        pl_module.metrics = [metric for metric in chosen if reasons[metric.column] is None]
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
            "data": data.describe() if isinstance(data, ScoredData) else {},
            "precision": str(trainer.precision),
            "metrics": {metric.column: metric.settings for metric in pl_module.metrics},
        }
        information = {
            "software": software(),
            "baselines": [member.name for member in pl_module.members() if member.is_baseline],
            "higher_is_better": {metric.column: metric.higher_is_better for metric in pl_module.metrics},
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
        if isinstance(data, ScoredData):
            names = [INPUT, *(member.name for member in pl_module.members())]
            data.is_finished = partial(all_finished, self.folder.finished(), names)

    def on_test_start(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Tell the means of what an earlier run has written; watch each method's first restoration."""
        if self.folder is not None:
            pl_module.rows = self.folder.rows()
        if self.output is None or not self.trajectory:
            return
        for member in pl_module.members():
            if not member.is_baseline and not self._strip(member.name).exists():
                self._looking[member.name] = partial(self._keep_frame, member.name)
                member.step_listeners.append(self._looking[member.name])

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: Restorer,
        outputs: Scored,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the rows of one batch."""
        # Pictures first: a row promises that everything of its result is there.
        if self.output is not None and self.pictures:
            self._write_previews(outputs.outcomes, pl_module)
        if self.folder is None:
            self.rows += outputs.rows
        else:
            self.folder.append(outputs.rows)
        self._write_strips(pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Make the tables of all rows, of every process and earlier run."""
        if self.folder is not None:
            self.folder.close()
        trainer.strategy.barrier("rows")
        if self.folder is None:
            print_scores(self.rows, {"not_available": self._unavailable})
            pl_module.records += told_failures(self.rows)
        elif trainer.is_global_zero:
            rows = conclude(self.folder)
            page = self.folder.path / "report.html"
            Console().print(f"report: {page}", highlight=False, soft_wrap=True, markup=False)
            # The first process answers for all: what failed in another one fails the run.
            if trainer.world_size > 1:
                failed = [row for row in rows if row.error is not None]
                done = [record for record in pl_module.records if record.error is None]
                pl_module.records = [*done, *(Record(row.name, row.error, row.seconds) for row in failed)]
            pl_module.records += told_failures(rows)
        else:
            pl_module.records.clear()
        # Nobody leaves before the tables exist: Lightning kills the others when one process ends.
        trainer.strategy.barrier("concluded")

    def teardown(self, trainer: Trainer, pl_module: Restorer, stage: Any) -> None:
        """Close this process's file; what it holds is finished for this run alone."""
        if self.folder is not None:
            self.folder.close()
        if isinstance(trainer.datamodule, ScoredData):
            trainer.datamodule.is_finished = nothing_is_finished

    on_exception = teardown  # type: ignore[assignment]

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
        wanted = step.frames(self.trajectory)
        if step.index in wanted and len(frames) < len(wanted):
            frames.append(step.images()[0].cpu())

    def _write_strips(self, pl_module: Restorer) -> None:
        """Write the strips of the first batch; nobody looks at later restorations, which may leave out steps."""
        for name, frames in self._frames.items():
            if frames and not self._strip(name).exists():
                write_jpeg(film_strip(frames), self._strip(name))
        for member in pl_module.members():
            if member.name in self._frames and (looking := self._looking.pop(member.name, None)):
                member.step_listeners.remove(looking)


def told_failures(rows: Sequence[Row]) -> list[Record]:
    """Say which measures failed and why, and give a record of each, so that the run ends as one that failed."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for name, reason in row.failed_measures.items():
            reasons.setdefault(name, []).append(reason)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    sentences = {
        name: f"measure {name} failed for {len(own)} of {len(rows)} results, {own[0]}" for name, own in reasons.items()
    }
    for sentence in sentences.values():
        console.print(sentence, markup=False)
    return [Record(f"measure {name}", sentence, 0.0) for name, sentence in sentences.items()]


def all_finished(
    finished: set[tuple[str, str, str, str]], restorers: Sequence[str], suite: str, name: str, key: str
) -> bool:
    """Whether every method's result of an image has been written."""
    return all((suite, name, key, restorer) in finished for restorer in restorers)
