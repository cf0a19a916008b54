"""One self-contained HTML page of a sweep: table, plot, and pictures of every point beside the baseline's."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ldrps.results.pictures import Previews, best_median_worst
from ldrps.results.report import embedded
from ldrps.results.run_folder import INPUT
from ldrps.results.tables import digits_of
from ldrps.results.templates import environment
from ldrps.sweeps.outcome import Entry, Outcome
from modules.safe_files import complete_or_absent

TEMPLATE = "page.html.j2"


def write_page(outcome: Outcome, tables: Sequence[tuple[str, list[str], list[list[str]]]], folder: Path) -> Path:
    """Write ``sweep.html``.

    Args:
        outcome: What the sweep came to.
        tables: Title, header and cells of each table.
        folder: Where to write; the plot lies there already.
    """
    template = environment("ldrps.sweeps").get_template(TEMPLATE)
    page = template.render(
        title=outcome.sweep.name,
        tables=tables,
        plot=embedded(folder / "sweep.png"),
        metric=outcome.metric,
        baseline=outcome.baseline.point.label,
        ordered_by=outcome.ordered_by,
        lacking=outcome.lacking,
        points=[(number, entry.point.label, cards(outcome, entry)) for number, entry in enumerate(outcome.entries, 1)],
        missing=[(outcome.sweep.point(record.chosen).label, record.error) for record in outcome.missing],
        failures=[(entry.point.label, row) for entry in outcome.entries for row in entry.rows if row.error is not None],
        sweep=json.dumps(outcome.sweep.for_wandb(), indent=1),
    )
    path = folder / "sweep.html"
    with complete_or_absent(path) as stream:
        stream.write(page.encode())
    return path


def cards(outcome: Outcome, entry: Entry) -> list[dict[str, Any]]:
    """The best and the worst picture of a point over all suites, beside the baseline's; beside the input for itself."""
    reference = entry if entry is outcome.baseline else outcome.baseline
    ranked = [
        (row.metrics[outcome.metric] or 0.0, row)
        for suite in sorted({row.suite for row in entry.rows})
        for _, row in best_median_worst(
            entry.rows, suite, entry.rows[0].restorer, outcome.metric, outcome.higher_is_better
        )
    ]
    ranked.sort(key=lambda pair: (pair[0], pair[1].name), reverse=outcome.higher_is_better)
    picked = {"best": ranked[:1], "worst": ranked[-1:] if len(ranked) > 1 else []}
    found = []
    for label, rows in picked.items():
        for value, row in rows:
            kind = INPUT if reference is entry else reference.rows[0].restorer
            before = Previews(reference.run.path).path(row.suite, row.name, kind)
            after = Previews(entry.run.path).path(row.suite, row.name, row.restorer)
            if before.is_file() and after.is_file():
                numbers = [f"#{outcome.entries.index(one) + 1}" for one in (reference, entry)]
                figure = f"{outcome.metric} {value:.{digits_of(outcome.metric)}f}"
                found.append(
                    {
                        "label": f"{label}: {row.suite}, {row.name}, {figure}",
                        "before": embedded(before),
                        "after": embedded(after),
                        "left": "the input" if reference is entry else numbers[0],
                        "right": numbers[1],
                    }
                )
    return found
