"""One self-contained HTML page of a run."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ldrps.results.pictures import Previews, best_median_worst
from ldrps.results.run_folder import INPUT, TARGET, Row, RunFolder
from ldrps.results.summary import Score, count_images, main_metric, methods_of, seconds_of, table_of
from modules.safe_files import complete_or_absent

TEMPLATE = "report.html.j2"


def write_report(folder: RunFolder, rows: Sequence[Row], scores: Sequence[Score]) -> Path:
    """Write ``report.html``: settings, tables, sliders, best and worst, film strips, seconds, memory, versions.

    Raises:
        ValueError: If the folder is no run folder.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("ldrps.results", "."), autoescape=True, undefined=StrictUndefined)
    run = folder.read_settings()
    suites = list(dict.fromkeys(score.suite for score in scores))
    ranked_by = main_metric(scores)
    failures = [row for row in rows if row.error is not None]
    page = environment.get_template(TEMPLATE).render(
        title=folder.path.resolve().name,
        tables=[(suite, *table_of(scores, suite)) for suite in suites],
        gains=gains(scores, ranked_by),
        sections=[
            (suite, examples(folder, rows, run, suite, ranked_by)) for suite in sorted({row.suite for row in rows})
        ],
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
    path = folder.path / "report.html"
    with complete_or_absent(path) as stream:
        stream.write(page.encode())
    return path


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


def examples(
    folder: RunFolder, rows: Sequence[Row], run: dict[str, Any], suite: str, metric: str
) -> list[dict[str, str]]:
    """Before and after of the best, median and worst result of each method whose pictures were kept."""
    previews = Previews(folder.path)
    found = []
    is_better = run["information"]["higher_is_better"].get(metric, True)
    for restorer in methods_of(rows, suite):
        for label, row in best_median_worst(rows, suite, restorer, metric, is_better):
            files = {kind: previews.path(suite, row.name, kind) for kind in (INPUT, restorer, TARGET)}
            if not all(path.is_file() for path in (files[INPUT], files[restorer])):
                continue
            found.append(
                {
                    "label": f"{restorer}, {label}: {row.name}, {metric} {row.metrics[metric]:.2f}",
                    "before": embedded(files[INPUT]),
                    "after": embedded(files[restorer]),
                    "target": embedded(files[TARGET]),
                }
            )
    return found


def embedded(path: Path) -> str:
    """Turn a picture into a data URL; empty if it is not there."""
    if not path.is_file():
        return ""
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
