"""Scores a test run: a table on screen and ``results.json``."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pytorch_lightning import Callback, Trainer
from rich.console import Console
from rich.table import Table

from ldrps.data.safe_files import complete_or_absent
from ldrps.data.samples import Outcome, Sample
from ldrps.metrics import FULL_REFERENCE
from ldrps.restorer import Restorer


class Results(Callback):
    """Scores each restored image and its input against the target.

    Args:
        output: Folder for ``results.json``; None writes no file.
    """

    def __init__(self, output: str | None = None) -> None:
        self.output = Path(output) if output else None
        self.rows: dict[str, dict[str, Any]] = {}

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: Restorer,
        outputs: Sequence[Outcome],
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score one batch; rows are keyed by name, so an image that a sampler repeats counts once."""
        for outcome in outputs:
            row = score(outcome)
            self.rows[row["name"]] = row

    def on_test_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Print the table and write the file."""
        summary = {
            f"{kind}_{metric.name}": self._mean(kind, metric.name)
            for metric in FULL_REFERENCE
            for kind in ("input", "restored")
        }
        self._print(summary)
        if self.output is not None:
            results = {
                "metrics": {metric.name: metric.settings for metric in FULL_REFERENCE},
                "seed": pl_module.seed,
                "summary": summary,
                "images": list(self.rows.values()),
            }
            with complete_or_absent(self.output / "results.json") as stream:
                stream.write(json.dumps(results, indent=2).encode())

    def _mean(self, kind: str, name: str) -> float | None:
        values = [row[kind][name] for row in self.rows.values() if row[kind].get(name) is not None]
        return fmean(values) if values else None

    def _print(self, summary: dict[str, float | None]) -> None:
        finished = sum(row["error"] is None for row in self.rows.values())
        table = Table(title=f"{finished} of {len(self.rows)} images, means", title_justify="left")
        table.add_column("")
        for metric in FULL_REFERENCE:
            table.add_column(metric.name, justify="right")
        for kind in ("input", "restored"):
            values = [summary[f"{kind}_{metric.name}"] for metric in FULL_REFERENCE]
            table.add_row(kind, *("not available" if value is None else f"{value:.4f}" for value in values))
        Console().print(table)


def score(outcome: Outcome) -> dict[str, Any]:
    """Make the result row of one image."""
    sample = outcome.sample
    name = sample.name if isinstance(sample, Sample) else str(sample.path)
    row: dict[str, Any] = {"name": name, "error": outcome.error, "seconds": round(outcome.seconds, 3)}
    row |= {"input": {}, "restored": {}}
    if isinstance(sample, Sample) and sample.target is not None and outcome.restored is not None:
        for metric in FULL_REFERENCE:
            row["input"][metric.name] = metric(sample.image, sample.target)
            row["restored"][metric.name] = metric(outcome.restored, sample.target)
    return row
