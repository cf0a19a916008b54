"""Scores as people and other programs read them: cells, Markdown, LaTeX, CSV, lines of JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from ldrps.results.run_folder import Row
from ldrps.results.summary import Score, names_in_order


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
    return flagged(score, f"{score.mean:.{digits}f}{interval(score.low, score.high, f'.{digits}f')}")


def gain_cell(score: Score | None) -> str:
    """Write the mean difference to the input with its interval."""
    if score is None or score.gain is None:
        return "-"
    digits = digits_of(score.metric)
    return f"{score.gain:+.{digits}f}{interval(score.gain_low, score.gain_high, f'+.{digits}f')}"


def interval(low: float | None, high: float | None, form: str) -> str:
    """Write an interval behind its mean; one photo has none, nor have two.

    Example:
        >>> interval(1.0, 2.5, ".2f"), interval(1.0, 1.0, ".2f")
        (' [1.00, 2.50]', '')
    """
    return "" if low is None or high is None or low == high else f" [{low:{form}}, {high:{form}}]"


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
    spread = "" if score.low == score.high else f" ±{(score.high - score.low) / 2:.{digits}f}"
    return flagged(score, f"{score.mean:.{digits}f}{spread}")


def to_markdown(scores: Sequence[Score]) -> str:
    """All tables in Markdown, means first, then differences to the input."""
    parts = [
        "Mean over images with 95 % interval (bootstrap, stretched by Student's t; fewer than three images have none); "
        "`input` is the degraded image itself. In `overall`, the damages of one image are resampled together.\n"
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
