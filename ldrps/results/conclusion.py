"""What a run folder amounts to: tables, grids, a plot, a report."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ldrps.data.image_files import write_picture
from ldrps.results.pictures import Previews, grid, quality_against_seconds
from ldrps.results.report import write_report
from ldrps.results.run_folder import Row, RunFolder
from ldrps.results.summary import (
    OVERALL,
    Score,
    best_mean,
    count_images,
    main_metric,
    methods_of,
    names_in_order,
    seconds_of,
    summarise,
)
from ldrps.results.tables import mean_cell, short_cell, table_of, to_csv, to_json_lines, to_latex, to_markdown
from modules.safe_files import complete_or_absent

MANY_SUITES = 3
"""From more suites on, the screen shows an overview instead of every table."""


def conclude(folder: RunFolder) -> list[Row]:
    """Merge the rows of all processes, write everything that follows from them, and return them.

    Raises:
        ValueError: If the folder is no run folder.
    """
    rows = folder.rows()
    information = folder.read_settings()["information"]
    scores = summarise(rows)
    texts = {
        "results.jsonl": to_json_lines(rows),
        "tables.csv": to_csv(scores),
        "tables.md": to_markdown(scores),
        "tables.tex": to_latex(scores),
    }
    for name, text in texts.items():
        with complete_or_absent(folder.path / name) as stream:
            stream.write(text.encode())
    metric = main_metric(scores)
    previews = Previews(folder.path)
    is_better = information["higher_is_better"].get(metric, True)
    for suite in sorted({row.suite for row in rows}):
        for restorer in methods_of(rows, suite):
            picture = grid(rows, previews, suite, restorer, metric, is_better)
            if picture is not None:
                write_picture(picture, folder.path / "grids" / f"{suite}.{restorer}.png")
    plot = quality_against_seconds(scores, seconds_of(rows), metric)
    if plot is not None:
        write_picture(plot, folder.path / "quality_against_seconds.png")
    write_report(folder, rows, scores)
    print_scores(rows, information, scores)
    return rows


def print_scores(rows: Sequence[Row], information: Mapping[str, Any], scores: Sequence[Score] | None = None) -> None:
    """Print the tables, or an overview of many suites, and what could not be measured."""
    scores = summarise(rows) if scores is None else scores
    console = Console()
    suites = list(dict.fromkeys(score.suite for score in scores))
    if len(suites) > MANY_SUITES:
        console.print(overview(scores, main_metric(scores), information))
        suites = [OVERALL]
    for suite in suites:
        header, body = table_of(scores, suite, short_cell)
        table = Table(title=suite or None, title_justify="left")
        for number, name in enumerate(header):
            table.add_column(name, justify="right" if number else "left", no_wrap=not number)
        for line in body:
            table.add_row(*line)
        console.print(table)
    failed = count_images([row for row in rows if row.error is not None])
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in seconds_of(rows).items())
    lines = [
        f"{count_images(rows)} images, {failed} of them with a failure; mean and half the width of its 95 % interval",
        f"median seconds an image: {seconds or 'nothing restored'}",
        *(f"{name} is not available: {reason}" for name, reason in information["not_available"].items()),
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)


def overview(scores: Sequence[Score], metric: str, information: Mapping[str, Any]) -> Table:
    """One measure: suites down; the input, the methods, and the best of the simple tools across, the best in bold.

    Only what has every image that others have can be the best.
    """
    own = [score for score in scores if score.metric == metric and score.count]
    names = names_in_order(own)
    tools = [name for name in names if name in information.get("baselines", ())]
    methods = [name for name in names if name not in tools]
    higher_is_better = information.get("higher_is_better", {}).get(metric, True)
    pick = max if higher_is_better else min
    table = Table(title=metric, title_justify="left")
    for name in ("", *methods, *(["best simple tool"] if tools else [])):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for suite in dict.fromkeys(score.suite for score in own):
        here = {score.restorer: score for score in own if score.suite == suite}
        best = best_mean(list(here.values()), higher_is_better)
        marked = {
            name: f"[bold]{mean_cell(score)}[/]" if score.is_whole and score.mean == best else mean_cell(score)
            for name, score in here.items()
        }
        cells = [marked.get(name, "-") for name in methods]
        there = [name for name in tools if name in here]
        if there:
            winner = pick([name for name in there if here[name].is_complete] or there, key=lambda name: here[name].mean)
            cells.append(f"{winner} {marked[winner]}")
        table.add_row(suite, *cells)
    return table
