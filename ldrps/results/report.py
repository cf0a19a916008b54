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
from ldrps.results.summary import Score, count_images, main_metric, methods_of, seconds_of, table_of
from ldrps.results.templates import environment
from modules.safe_files import complete_or_absent

TEMPLATE = "report.html.j2"

QUALITY = 75
"""Of the copies in the page, which are half as large as those in the folder, or less."""


class Cell(NamedTuple):
    """One number of a table: what is written, what it is sorted by, whether it is the best of its column."""

    text: str
    value: float | str | None
    is_best: bool


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
    """Header and cells of a suite's table, with what they are sorted by and the best of each column."""
    header, body = table_of(scores, suite)
    means = {(score.restorer, score.metric): score.mean for score in scores if score.suite == suite and score.count}
    best = {
        metric: (max if higher_is_better.get(metric, True) else min)(own)
        for metric in header[2:]
        if (own := [mean for (_, name), mean in means.items() if name == metric])
    }
    lines = []
    for restorer, count, *texts in body:
        values = [means.get((restorer, metric)) for metric in header[2:]]
        cells = [
            Cell(text, value, value is not None and math.isclose(value, best[metric], rel_tol=1e-9))
            for metric, text, value in zip(header[2:], texts, values, strict=True)
        ]
        lines.append([Cell(restorer, None, False), Cell(count, int(count), False), *cells])
    return header, lines


def gains(scores: Sequence[Score], metric: str) -> tuple[list[str], list[list[str]]]:
    """What each method adds to the input: header and cells, suites down, methods across."""
    own = [score for score in scores if score.metric == metric and score.gain is not None]
    restorers = list(dict.fromkeys(score.restorer for score in own))
    cells = {
        (score.suite, score.restorer): f"{score.gain:+.2f} [{score.gain_low:+.2f}, {score.gain_high:+.2f}]"
        for score in own
    }
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
