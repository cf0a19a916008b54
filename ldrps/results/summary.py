"""Means with intervals, and the tables made of them."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from math import nan

import numpy as np

from ldrps.results.run_folder import INPUT, Row

NUM_RESAMPLES = 2000
MOST_AT_A_TIME = 500_000
OVERALL = "overall"
"""Name of the rows over all suites: the mean over all images of all suites; intervals resample clean images."""


@dataclass(frozen=True)
class Score:
    """The mean of one measure of one method on one suite.

    Attributes:
        suite: Name of the suite.
        restorer: Name of the method.
        metric: Column.
        count: Images that were measured.
        not_finite: Images whose number was not finite and is left out.
        mean: Mean over images.
        low: Lower end of the 95 % bootstrap interval of the mean.
        high: Upper end of it.
        gain: Mean difference to the input on the same images; None for the input.
        gain_low: Lower end of its interval.
        gain_high: Upper end of its interval.
        images: Images of which any method, or the input, has a number.
        missing: Those of them that this method has none of, since it failed: its mean is not compared with others.
    """

    suite: str
    restorer: str
    metric: str
    count: int
    not_finite: int
    mean: float
    low: float
    high: float
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    images: int = 0
    missing: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether no image is missing that others have."""
        return not self.missing

    @property
    def is_whole(self) -> bool:
        """Whether the mean is over every image: none is missing, and no number is left out."""
        return self.count == self.images > 0


def bootstrap(values: Sequence[float], clusters: Sequence[object] | None = None) -> tuple[float, float]:
    """95 % percentile interval of the mean, from 2,000 resamples with a fixed seed (Efron 1979).

    Args:
        values: The numbers.
        clusters: What each number belongs to; numbers of one cluster are drawn together, since an image that is easy
            under one damage is easy under the next. None draws each number by itself.

    Example:
        >>> bootstrap([1.0, 1.0, 1.0])
        (1.0, 1.0)
    """
    groups: dict[object, list[float]] = {}
    for place, value in enumerate(values):
        groups.setdefault(place if clusters is None else clusters[place], []).append(value)
    sums = np.array([sum(group) for group in groups.values()], dtype=np.float64)
    counts = np.array([len(group) for group in groups.values()], dtype=np.float64)
    random = np.random.default_rng(0)
    # A few resamples at a time, so that ten thousand images need no more memory than a hundred.
    means: list[float] = []
    while len(means) < NUM_RESAMPLES:
        number = min(NUM_RESAMPLES - len(means), max(1, MOST_AT_A_TIME // len(sums)))
        picks = random.integers(len(sums), size=(number, len(sums)))
        means += (sums[picks].sum(axis=1) / counts[picks].sum(axis=1)).tolist()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def summarise(rows: Sequence[Row]) -> list[Score]:
    """Score every method on every suite and overall; failed images are left out."""
    good = [row for row in rows if row.error is None]
    suites = sorted({row.suite for row in good})
    groups = [(suite, [row for row in good if row.suite == suite]) for suite in suites]
    if len(suites) > 1:
        groups.append((OVERALL, good))
    scores: list[Score] = []
    for suite, members in groups:
        inputs = {row.pixels: row.metrics for row in members if row.restorer == INPUT}
        images = images_by_metric(members)
        for restorer in sorted({row.restorer for row in members}, key=lambda name: (name != INPUT, name)):
            own = [row for row in members if row.restorer == restorer]
            metrics = dict.fromkeys(name for row in own for name in row.metrics)
            for metric in metrics:
                if (score := _score(suite, restorer, metric, own, inputs)) is not None:
                    missing = images[metric] - {row.image for row in own if row.has(metric)}
                    scores.append(replace(score, images=len(images[metric]), missing=len(missing)))
    return scores


def images_by_metric(rows: Iterable[Row]) -> dict[str, set[tuple[str, str]]]:
    """Images of which there is a number of each measure, by whatever method."""
    images: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        for metric, value in row.metrics.items():
            own = images.setdefault(metric, set())
            if value is not None:
                own.add(row.image)
    return images


def _score(
    suite: str, restorer: str, metric: str, rows: Sequence[Row], inputs: dict[tuple[str, str, str], dict]
) -> Score | None:
    measured = [(row, value) for row in rows if (value := row.metrics.get(metric)) is not None]
    flagged = sum(metric in row.not_finite for row in rows)
    if not measured:
        return Score(suite, restorer, metric, 0, flagged, nan, nan, nan) if flagged else None
    values = [value for _, value in measured]
    low, high = bootstrap(values, [(row.name, row.key) for row, _ in measured])
    score = Score(suite, restorer, metric, len(values), flagged, float(np.mean(values)), low, high)
    paired = [
        (value - before, (row.name, row.key))
        for row, value in measured
        if restorer != INPUT and (before := inputs.get(row.pixels, {}).get(metric)) is not None
    ]
    if not paired:
        return score
    gains = [gain for gain, _ in paired]
    gain_low, gain_high = bootstrap(gains, [image for _, image in paired])
    return replace(score, gain=float(np.mean(gains)), gain_low=gain_low, gain_high=gain_high)


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Mean of each measure by ``suite/method/measure``, also over all suites, and ``seconds/method`` (median)."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row.error is not None:
            continue
        for suite in (row.suite, OVERALL):
            for metric, value in row.metrics.items():
                if value is not None:
                    values.setdefault(f"{suite}/{row.restorer}/{metric}", []).append(value)
    times = {f"seconds/{name}": seconds for name, seconds in seconds_of(rows).items()}
    return {name: float(np.mean(numbers)) for name, numbers in values.items()} | times


def main_metric(scores: Sequence[Score]) -> str:
    """The measure that pictures are ranked by: PSNR if there is one, else the first."""
    metrics = list(dict.fromkeys(score.metric for score in scores))
    return next((metric for metric in metrics if metric.startswith("psnr")), metrics[0] if metrics else "psnr")


def count_images(rows: Sequence[Row]) -> int:
    """Number of images the rows are about, each counted once a suite."""
    return len({row.image for row in rows})


def methods_of(rows: Sequence[Row], suite: str) -> list[str]:
    """Names of the methods that have rows of a suite."""
    return sorted({row.restorer for row in rows if row.suite == suite and row.restorer != INPUT})


def seconds_of(rows: Sequence[Row]) -> dict[str, float]:
    """Median seconds an image of each method."""
    times: dict[str, list[float]] = {}
    for row in rows:
        if row.error is None and row.restorer != INPUT:
            times.setdefault(row.restorer, []).append(row.seconds)
    return {name: float(np.median(values)) for name, values in times.items()}


def to_csv(scores: Sequence[Score]) -> str:
    """One line per score."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(Score.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(score) for score in scores)
    return stream.getvalue()


def to_json_lines(rows: Sequence[Row]) -> str:
    """One line per row."""
    return "".join(json.dumps(asdict(row)) + "\n" for row in rows)


def cell(score: Score | None) -> str:
    """Write a mean with its interval, and how many numbers were left out."""
    if score is None:
        return "-"
    digits = digits_of(score.metric)
    return flagged(score, f"{score.mean:.{digits}f} [{score.low:.{digits}f}, {score.high:.{digits}f}]")


def gain_cell(score: Score | None) -> str:
    """Write the mean difference to the input with its interval."""
    if score is None or score.gain is None:
        return "-"
    digits = digits_of(score.metric)
    return f"{score.gain:+.{digits}f} [{score.gain_low:+.{digits}f}, {score.gain_high:+.{digits}f}]"


def mean_cell(score: Score | None) -> str:
    """Write a mean without its interval."""
    return "-" if score is None else with_images(score, f"{score.mean:.{digits_of(score.metric)}f}")


def digits_of(metric: str) -> int:
    """Decimal places worth showing: 2 for decibels, 3 for shares."""
    return 2 if metric.startswith("psnr") else 3


def flagged(score: Score, text: str) -> str:
    """Say of how many images a mean is where others have more, and how many numbers were not finite and left out."""
    text = with_images(score, text)
    return f"{text} ({score.not_finite} not finite)" if score.not_finite else text


def with_images(score: Score, text: str) -> str:
    """Say of how many images a mean is, where others have more.

    Example:
        >>> with_images(Score("haze", "gain", "psnr", 1, 0, 29.5, 29.5, 29.5, images=2, missing=1), "29.50")
        '29.50 (1 of 2)'
    """
    text = text if score.count else "-"
    return text if score.is_complete else f"{text} ({score.count} of {score.images})"


def names_in_order(scores: Sequence[Score]) -> list[str]:
    """Names of the methods: the input, those that have every image, those that lack some."""
    lacking = {score.restorer for score in scores if not score.is_complete}
    names = dict.fromkeys(score.restorer for score in scores)
    return sorted(names, key=lambda name: name != INPUT and name in lacking)


def best_mean(scores: Sequence[Score], higher_is_better: bool) -> float | None:
    """The best mean of those over the same images, all of them; None where there is no comparison.

    That is where every method failed somewhere, or where one has infinite numbers, which its mean leaves out though
    they are the best there are.
    """
    methods = [score for score in scores if score.restorer != INPUT and score.is_complete]
    if not methods or not all(score.is_whole for score in methods):
        return None
    return (max if higher_is_better else min)(score.mean for score in scores if score.is_whole)


def table_of(
    scores: Sequence[Score], suite: str, write: Callable[[Score | None], str] = cell
) -> tuple[list[str], list[list[str]]]:
    """Header and cells of a suite's table: methods down, measures across, mean and interval in a cell.

    Methods that lack an image which others have come last.
    """
    own = [score for score in scores if score.suite == suite]
    metrics = list(dict.fromkeys(score.metric for score in own))
    by_place = {(score.restorer, score.metric): score for score in own}
    body = []
    for restorer in names_in_order(own):
        cells = [by_place.get((restorer, metric)) for metric in metrics]
        count = max(score.count for score in cells if score is not None)
        body.append([restorer, str(count), *(write(score) for score in cells)])
    return ["", "images", *metrics], body


def short_cell(score: Score | None) -> str:
    """Write a mean with half the width of its interval, for narrow screens."""
    if score is None:
        return "-"
    digits = digits_of(score.metric)
    return flagged(score, f"{score.mean:.{digits}f} ±{(score.high - score.low) / 2:.{digits}f}")


def to_markdown(scores: Sequence[Score]) -> str:
    """All tables in Markdown, means first, then differences to the input."""
    parts = [
        "Mean over images with 95 % bootstrap interval; `input` is the degraded image itself. In `overall`, the "
        "damages of one image are resampled together.\n"
    ]
    for suite in dict.fromkeys(score.suite for score in scores):
        for title, write in ((suite, cell), (f"{suite}: difference to the input", gain_cell)):
            header, body = table_of(scores, suite, write)
            lines = [header, ["---"] * len(header), *body]
            parts.append(f"## {title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n")
    return "\n".join(parts)


def to_latex(scores: Sequence[Score]) -> str:
    """All tables in LaTeX (booktabs), means first, then differences to the input."""
    parts = []
    for suite in dict.fromkeys(score.suite for score in scores):
        for title, write in ((suite, cell), (f"{suite}: difference to the input", gain_cell)):
            header, body = table_of(scores, suite, write)
            text = "\n".join("  " + " & ".join(map(escaped, line)) + r" \\" for line in body)
            parts.append(
                f"% {title}\n\\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}\n  \\toprule\n"
                f"  {' & '.join(map(escaped, header))} \\\\\n  \\midrule\n{text}\n  \\bottomrule\n\\end{{tabular}}\n"
            )
    return "\n".join(parts)


def escaped(text: str) -> str:
    r"""Escape what LaTeX would read as a command.

    Example:
        >>> print(escaped("psnr_y"))
        psnr\_y
    """
    special: dict[str, str | int | None] = {character: rf"\{character}" for character in "_%&#{}$"}
    special |= {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
    return text.translate(str.maketrans(special))
