"""What a sweep came to: its points in order, with the scores of each and its differences to the baseline."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property

from ldrps.results.run_folder import INPUT, Row, RunFolder
from ldrps.results.summary import OVERALL, Score, count_images, main_metric, seconds_of, summarise
from ldrps.sweeps.records import Record, State, SweepFolder
from ldrps.sweeps.search import grid
from ldrps.sweeps.sweep import Point, Sweep

DEGRADED = "degraded"
"""What tables call the input, since `input` stands for the baseline here."""


@dataclass(frozen=True)
class Entry:
    """A finished point.

    Attributes:
        point: Its values.
        record: What became of it.
        run: Its run folder.
        rows: What was measured, without the input.
        inputs: What was measured of the input.
    """

    point: Point
    record: Record
    run: RunFolder
    rows: list[Row]
    inputs: list[Row]

    @property
    def seconds(self) -> float:
        """Median seconds an image."""
        return next(iter(seconds_of(self.rows).values()), 0.0)

    @property
    def failed(self) -> int:
        """Images without result."""
        return count_images([row for row in self.rows if row.error is not None])

    def images(self, metric: str) -> set[tuple[str, str]]:
        """Images of which a measure was taken."""
        return {row.image for row in self.rows if row.error is None and row.has(metric)}


@dataclass(frozen=True)
class Outcome:
    """A sweep and what its points came to.

    Attributes:
        sweep: The sweep.
        entries: Finished points, a grid's in its order, others the best first; behind them those that are `lacking`.
        missing: Points that failed without any result, or are still to be done.
        baseline: The one that the others are compared with.
        metric: Measure that points are compared by.
        higher_is_better: Direction of it.
        lacking: Keys of points that lack images which others have, so that their means are not compared.
        ordered_by: What the best is the best of, as ``SUITE/MEASURE``; empty for a grid.
    """

    sweep: Sweep
    entries: list[Entry]
    missing: list[Record]
    baseline: Entry
    metric: str
    higher_is_better: bool
    lacking: Set[str]
    ordered_by: str

    @cached_property
    def scores(self) -> dict[tuple[str, str, str], Score]:
        """Scores by suite, point (its key; `DEGRADED` for the input) and measure; ``gain`` is to the baseline."""
        # Differences of pairs are taken to what is called the input, which here is the baseline's result.
        rows = [replace(row, restorer=DEGRADED) for row in self.baseline.inputs]
        for entry in self.entries:
            rows += [replace(row, restorer=entry.point.key) for row in entry.rows]
        rows += [replace(row, restorer=INPUT) for row in self.baseline.rows]
        return {
            (score.suite, score.restorer, score.metric): score for score in summarise(rows) if score.restorer != INPUT
        }

    @property
    def suites(self) -> list[str]:
        """Suites, the overall one first where there are several."""
        names = list(dict.fromkeys(suite for suite, _, _ in self.scores))
        return sorted(names, key=lambda name: (name != OVERALL, name))

    @property
    def metrics(self) -> list[str]:
        """Measures, the main one first."""
        names = list(dict.fromkeys(metric for _, _, metric in self.scores))
        return sorted(names, key=lambda name: name != self.metric)

    def score(self, entry: Entry, suite: str | None = None, metric: str | None = None) -> Score | None:
        """Score of a point; over everything, and of the main measure, unless told otherwise."""
        return self.scores.get((suite or self.suites[0], entry.point.key, metric or self.metric))

    def is_complete(self, entry: Entry) -> bool:
        """Whether a point lacks no image that another has."""
        return entry.point.key not in self.lacking


def read_outcome(folders: Sequence[SweepFolder], baseline: str | None = None, metric: str | None = None) -> Outcome:
    """Read what one or several machines made of a sweep.

    Args:
        folders: Folders of the same sweep.
        baseline: Label, or a unique part of it, of the point to compare with; None takes the first.
        metric: Measure to compare by; None takes what the sweep improves if it is there, else PSNR.

    Raises:
        ValueError: If a folder is none, they differ, nothing is finished, there is no such point or measure, or the
            point lacks images which others have.
    """
    sweep = folders[0].read()
    for folder in folders[1:]:
        if set(folder.read().parameters) != set(sweep.parameters):
            raise ValueError(f"{folder.path} and {folders[0].path} hold different sweeps: give folders of one")
    records = {sweep.point(record.chosen).key: (record, folder) for folder in folders for record in folder.records()}
    records |= {  # What one machine has done counts, whatever others left.
        sweep.point(record.chosen).key: (record, folder)
        for folder in folders
        for record in folder.records()
        if record.state is State.DONE
    }
    entries = [entry_of(sweep, record, folder) for record, folder in records.values()]
    finished = [entry for entry in entries if entry.record.is_finished and any(row.error is None for row in entry.rows)]
    if not finished:
        raise ValueError(f"{folders[0].path} holds no finished point yet: run `ldrps sweep run {folders[0].path}`")
    measured = list(dict.fromkeys(name for entry in finished for row in entry.rows for name in row.metrics))
    wanted = metric or sweep.metric.rpartition("/")[2]
    if metric is not None and metric not in measured:
        raise ValueError(f"no measure is called {metric!r}; there are {', '.join(measured)}")
    chosen = wanted if wanted in measured else main_metric(summarise(finished[0].rows))
    is_better = finished[0].run.read_settings()["information"]["higher_is_better"].get(chosen, True)
    missing = [entry.record for entry in entries if entry.point.key not in {own.point.key for own in finished}]
    lacking = keys_lacking(finished, chosen)
    by = order_of(sweep, finished, chosen, metric)
    finished = in_order(sweep, finished, by, is_better if by.endswith(f"/{chosen}") else sweep.maximize)
    # Those that others cannot be compared with come last, however good the mean of the images they have.
    finished.sort(key=lambda entry: entry.point.key in lacking)
    return Outcome(sweep, finished, missing, baseline_of(finished, baseline, lacking), chosen, is_better, lacking, by)


def entry_of(sweep: Sweep, record: Record, folder: SweepFolder) -> Entry:
    """Read the rows of a point."""
    point = sweep.point(record.chosen)
    # W&B sorts parameters, so that another machine may have another name for the point; its key is the same.
    run = RunFolder(folder.folder_of(folder.read().point(record.chosen)))
    rows = run.rows()
    inputs = [row for row in rows if row.restorer == INPUT]
    return Entry(point, record, run, [row for row in rows if row.restorer != INPUT], inputs)


def keys_lacking(entries: Sequence[Entry], metric: str) -> set[str]:
    """Keys of points that lack a measure of images of which other points have it."""
    images = {entry.point.key: entry.images(metric) for entry in entries}
    everywhere = set().union(*images.values())
    return {key for key, own in images.items() if own != everywhere}


def order_of(sweep: Sweep, entries: Sequence[Entry], metric: str, asked: str | None) -> str:
    """What points are ordered by: what the sweep improves, where it is measured and nobody asked for another measure.

    Args:
        sweep: The sweep.
        entries: Its finished points.
        metric: The measure that they are compared by.
        asked: The measure that was asked for; None if none was.
    """
    if sweep.method == "grid":
        return ""
    is_measured = any(sweep.metric in entry.record.measures for entry in entries)
    is_wanted = asked in (None, sweep.metric.rpartition("/")[2])
    return sweep.metric if is_measured and is_wanted else f"{OVERALL}/{metric}"


def in_order(sweep: Sweep, entries: Sequence[Entry], by: str, higher_is_better: bool) -> list[Entry]:
    """A grid's points in its order, others the best first, those without the measure last."""
    if sweep.method == "grid":
        places = {point.key: place for place, point in enumerate(grid(sweep))}
        return sorted(entries, key=lambda entry: places.get(entry.point.key, len(places)))
    sign = -1 if higher_is_better else 1
    known = [entry for entry in entries if by in entry.record.measures]
    unknown = [entry for entry in entries if by not in entry.record.measures]
    return sorted(known, key=lambda entry: sign * entry.record.measures[by]) + unknown


def baseline_of(entries: Sequence[Entry], label: str | None, lacking: Set[str]) -> Entry:
    """The point that others are compared with: the one of a label, else the first.

    Raises:
        ValueError: See `find`; or if it lacks images which others have.
    """
    entry = find(entries, label)
    if entry.point.key in lacking and entries[0].point.key not in lacking:
        raise ValueError(
            f"{entry.point.label} has no result of images that other points have, so they are not compared with it: "
            f"name another point, such as {entries[0].point.label!r}"
        )
    return entry


def find(entries: Sequence[Entry], label: str | None) -> Entry:
    """The point of a label, or of a part of it that no other has.

    Raises:
        ValueError: If there is none, or are several.
    """
    if label is None:
        return entries[0]
    exact = [entry for entry in entries if label in (entry.point.label, entry.point.key)]
    found = exact or [entry for entry in entries if label in entry.point.label]
    if len(found) != 1:
        labels = "; ".join(entry.point.label for entry in found or entries)
        raise ValueError(f"{len(found)} points are called {label!r}; there are: {labels}")
    return found[0]
