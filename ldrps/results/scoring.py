"""Rows of results: what every image measures."""

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite

import torch
from torch import Tensor

from ldrps.data.samples import Outcome, Sample
from ldrps.metrics.base import Metric
from ldrps.results.run_folder import INPUT, Row


@dataclass(frozen=True)
class Measurable:
    """An image to score: a result, or the degraded image itself.

    Attributes:
        restorer: Name of the method, or ``input``.
        sample: What it was made of.
        image: Shape (3, H, W), range [0, 1].
        seconds: Time it took.
        remark: What the method has to say of it.
    """

    restorer: str
    sample: Sample
    image: Tensor
    seconds: float
    remark: str = ""

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
                result = Measurable(outcome.restorer, sample, outcome.restored, outcome.seconds, outcome.remark)
                results.append(result)
    return [*inputs.values(), *results]


def failure(outcome: Outcome) -> Row:
    """Make the row of an image that has no result."""
    sample = outcome.sample
    name = sample.name or str(sample.path)
    key = sample.key if isinstance(sample, Sample) else ""
    return Row(sample.suite, name, key, outcome.restorer, seconds=outcome.seconds, error=outcome.error)


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
        own = (sample.suite, sample.name, sample.key, result.restorer)
        rows.append(Row(*own, kept, odd, result.seconds, peak, remark=result.remark))
    return rows


def peak_mib(device: torch.device) -> float:
    """Largest memory so far in MiB: the device's on a GPU, the process's elsewhere."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    # Kilobytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
