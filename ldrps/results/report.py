"""One self-contained HTML page of a run."""

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from ldrps.results.pictures import PREVIEW_PX, Previews
from ldrps.results.run_folder import INPUT, TARGET, Row, RunFolder
from ldrps.results.summary import Score, best_mean, count_images, main_metric, methods_of, names_in_order, seconds_of
from ldrps.results.tables import digits_of, gain_cell, table_of, with_images
from ldrps.results.templates import environment
from modules.safe_files import complete_or_absent

TEMPLATE = "report.html.j2"

QUALITY = 75
"""Of the copies in the page, which are half as large as those in the folder, or less."""


class Cell(NamedTuple):
    """One number of a table.

    Attributes:
        text: What is written.
        value: What it is sorted by.
        is_best: Whether it is the best of its column.
        is_last: Whether it is sorted behind the others, since it is a mean of fewer images.
    """

    text: str
    value: float | str | None
    is_best: bool
    is_last: bool = False


def write_report(folder: RunFolder, rows: Sequence[Row], scores: Sequence[Score]) -> Path:
    """Write ``report.html``: tables, plot, a browser of all pictures, film strips, settings, versions.

    Raises:
        ValueError: If the folder is no run folder.
    """
    run = folder.read_settings()
    suites = list(dict.fromkeys(score.suite for score in scores))
    ranked_by = main_metric(scores)
    directions = run["information"]["higher_is_better"]
    failures = [row for row in rows if row.error is not None]
    images, pictures = browsable(folder, rows, ranked_by)
    page = (
        environment()
        .get_template(TEMPLATE)
        .render(
            title=folder.path.resolve().name,
            tables=[(suite, *sortable(scores, suite, directions)) for suite in suites],
            arrows=Arrows(directions),
            gains=gains(scores, ranked_by),
            images=images,
            pictures=pictures,
            preview_px=PREVIEW_PX,
            higher_is_better=directions.get(ranked_by, True),
            ranked_by=ranked_by,
            digits=digits_of(ranked_by),
            plot=embedded(folder.path / "quality_against_seconds.png"),
            strips=[(path.stem, embedded(path)) for path in sorted((folder.path / "trajectories").glob("*.jpg"))],
            seconds=seconds_of(rows),
            memory=max((row.peak_mib for row in rows), default=0.0),
            failures=failures,
            metrics=run["settings"]["metrics"],
            information=run["information"],
            settings=json.dumps(run["settings"], indent=1),
            count=count_images(rows),
            failed=count_images(failures),
            continued=[entry["software"] for entry in run.get("continued", [])],
        )
    )
    path = folder.path / "report.html"
    with complete_or_absent(path) as stream:
        stream.write(page.encode())
    return path


class Arrows(dict[str, str]):
    """Which way is better, as an arrow behind a measure's name; nothing for other columns."""

    def __init__(self, higher_is_better: Mapping[str, bool]) -> None:
        super().__init__({name: " ↑" if is_higher else " ↓" for name, is_higher in higher_is_better.items()})

    def __missing__(self, name: str) -> str:
        return ""


def sortable(
    scores: Sequence[Score], suite: str, higher_is_better: Mapping[str, bool]
) -> tuple[list[str], list[list[Cell]]]:
    """Header and cells of a suite's table, with what they are sorted by and the best of each column.

    Only what has every image that others have can be the best.
    """
    header, body = table_of(scores, suite)
    own = {(score.restorer, score.metric): score for score in scores if score.suite == suite and score.count}
    best = {
        metric: best_mean(
            [score for (_, name), score in own.items() if name == metric], higher_is_better.get(metric, True)
        )
        for metric in header[2:]
    }
    lines = []
    for restorer, count, *texts in body:
        found = [own.get((restorer, metric)) for metric in header[2:]]
        cells = [
            number_cell(text, score, best[metric]) for metric, text, score in zip(header[2:], texts, found, strict=True)
        ]
        lines.append([Cell(restorer, None, False), Cell(count, int(count), False), *cells])
    return header, lines


def number_cell(text: str, score: Score | None, best: float | None) -> Cell:
    """One mean of a table.

    Args:
        text: What is written.
        score: The mean; None where there is none.
        best: The best mean of the column; None where there is none.
    """
    if score is None:
        return Cell(text, None, False)
    is_best = score.is_whole and best is not None and math.isclose(score.mean, best, rel_tol=1e-9)
    return Cell(text, score.mean, is_best, not score.is_complete)


def gains(scores: Sequence[Score], metric: str) -> tuple[list[str], list[list[str]]]:
    """What each method adds to the input: header and cells, suites down, methods across."""
    own = [score for score in scores if score.metric == metric and score.gain is not None]
    restorers = names_in_order(own)
    cells = {(score.suite, score.restorer): with_images(score, gain_cell(score)) for score in own}
    suites = dict.fromkeys(score.suite for score in own)
    return ["", *restorers], [[suite, *(cells.get((suite, name), "-") for name in restorers)] for suite in suites]


def browsable(folder: RunFolder, rows: Sequence[Row], metric: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Every image whose pictures were kept, and the pictures as base64 text, which the images name by number."""
    previews = Previews(folder.path)
    figures = {
        (row.suite, row.name, row.restorer): row.metrics.get(metric) for row in rows if row.error is None and row.key
    }
    images: list[dict[str, Any]] = []
    pictures: list[str] = []
    remarks = {(row.suite, row.name, row.restorer): row.remark for row in rows if row.remark}
    methods = {suite: methods_of(rows, suite) for suite in {row.suite for row in rows}}
    for suite, name in dict.fromkeys((row.suite, row.name) for row in rows):
        kinds: dict[str, int] = {}
        for kind in (INPUT, *methods[suite], TARGET):
            path = previews.path(suite, name, kind)
            if path.is_file():
                kinds[kind] = len(pictures)
                pictures.append(reduced(path))
        scores = {kind: value for kind in kinds if (value := figures.get((suite, name, kind))) is not None}
        if len(kinds) > 1:
            said = {kind: remark for kind in kinds if (remark := remarks.get((suite, name, kind)))}
            images.append({"suite": suite, "name": name, "kinds": kinds, "scores": scores, "remarks": said})
    return images, pictures


def reduced(path: Path) -> str:
    """A picture as a smaller JPEG in base64."""
    stream = io.BytesIO()
    with Image.open(path) as picture:
        picture.save(stream, format="JPEG", quality=QUALITY)
    return base64.b64encode(stream.getvalue()).decode()


def embedded(path: Path) -> str:
    """Turn a picture into a data URL; empty if it is not there."""
    if not path.is_file():
        return ""
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
