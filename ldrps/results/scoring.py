"""Rows of results: what every image measures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite

import torch
from torch import Tensor

from ldrps.data.samples import Outcome, Sample
from ldrps.metrics.base import Metric
from ldrps.results.run_folder import FAILED, INPUT, Row


@dataclass(frozen=True)
class Measurable:
    """An image to score: a result, or the degraded image itself.

    Attributes:
        restorer: Name of the method, or ``input``.
        sample: What it was made of.
        image: Shape (3, H, W), range [0, 1].
        seconds: Time it took.
        remark: What the method has to say of it.
        peak_mib: Largest memory while it was made; 0 for the degraded image.
    """

    restorer: str
    sample: Sample
    image: Tensor
    seconds: float
    remark: str = ""
    peak_mib: float = 0.0

    def kind(self) -> tuple[str, tuple[int, ...], bool]:
        """Images of one kind are scored in one batch."""
        return self.restorer, tuple(self.image.shape), self.sample.target is None


def measurable(outcomes: Sequence[Outcome]) -> list[Measurable]:
    """List what can be scored: each input once, and every result."""
    inputs: dict[int, Measurable] = {}
    results = []
    for outcome in outcomes:
        sample = outcome.sample
        if isinstance(sample, Sample):
            inputs[id(sample)] = Measurable(INPUT, sample, sample.image, 0.0)
            if outcome.restored is not None:
                took = (outcome.seconds, outcome.remark, outcome.peak_mib)
                results.append(Measurable(outcome.restorer, sample, outcome.restored, *took))
    return [*inputs.values(), *results]


def failure(outcome: Outcome) -> Row:
    """Make the row of an image that has no result."""
    sample = outcome.sample
    name = sample.name or str(sample.path)
    key = sample.key if isinstance(sample, Sample) else ""
    own = (sample.suite, name, key, outcome.restorer)
    return Row(*own, seconds=outcome.seconds, peak_mib=outcome.peak_mib, error=outcome.error)


def score(results: Sequence[Measurable], metrics: Sequence[Metric], device: torch.device) -> list[Row]:
    """Measure images, those of one method and size together."""
    rows = []
    for _, group in groupby(sorted(results, key=Measurable.kind), key=Measurable.kind):
        rows += score_group(list(group), metrics, device)
    return rows


def score_group(results: Sequence[Measurable], metrics: Sequence[Metric], device: torch.device) -> list[Row]:
    """Measure images of one method and size in one batch, in float32 whatever the Trainer's precision is."""
    restored = torch.stack([result.image for result in results]).to(device, torch.float32)
    targets = [result.sample.target for result in results if result.sample.target is not None]
    target = torch.stack(targets).to(device, torch.float32) if targets else None
    columns: dict[str, Sequence[float | None]] = {}
    broken: dict[str, str] = {}
    for metric in metrics:
        try:
            # Lightning's autocast is for the methods: it would change what is measured, even of the inputs.
            with torch.autocast(device.type, enabled=False):
                columns[metric.column] = metric(restored, target)
        except Exception as error:  # A measure that fails, whatever it raises, must not cost the others.
            if "LDRPS_DEBUG" in os.environ:
                raise
            columns[metric.column] = [None] * len(results)
            broken[metric.column] = f"{FAILED}{type(error).__name__}: {' '.join(str(error).split())}"
    rows = []
    for number, result in enumerate(results):
        values = {name: numbers[number] for name, numbers in columns.items()}
        odd = {name: str(value) for name, value in values.items() if value is not None and not isfinite(value)}
        odd |= broken
        kept = {name: None if name in odd else value for name, value in values.items()}
        sample = result.sample
        own = (sample.suite, sample.name, sample.key, result.restorer)
        rows.append(Row(*own, kept, odd, result.seconds, result.peak_mib, remark=result.remark))
    return rows
