"""What a run folder amounts to: tables, grids, a plot, a report."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ldrps.data.image_files import write_picture
from ldrps.data.safe_files import complete_or_absent
from ldrps.results.pictures import Previews, grid, quality_against_seconds
from ldrps.results.report import write_report
from ldrps.results.run_folder import INPUT, Row, RunFolder
from ldrps.results.summary import (
    OVERALL,
    Score,
    seconds_of,
    short_cell,
    summarise,
    table_of,
    to_csv,
    to_json_lines,
    to_latex,
    to_markdown,
)

MANY_SUITES = 3
"""From more suites on, the screen shows an overview instead of every table."""


def conclude(folder: RunFolder) -> list[Score]:
    """Merge the rows of all processes and write everything that follows from them.

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
    for suite in sorted({row.suite for row in rows}):
        for restorer in sorted({row.restorer for row in rows if row.suite == suite and row.restorer != INPUT}):
            picture = grid(rows, previews, suite, restorer, metric)
            if picture is not None:
                write_picture(picture, folder.path / "grids" / f"{suite}.{restorer}.png")
    plot = quality_against_seconds(scores, seconds_of(rows), metric)
    if plot is not None:
        write_picture(plot, folder.path / "quality_against_seconds.png")
    write_report(folder, rows, scores)
    print_scores(rows, information["not_available"], scores)
    return scores


def main_metric(scores: Sequence[Score]) -> str:
    """The measure that pictures are ranked by: PSNR if there is one, else the first."""
    metrics = list(dict.fromkeys(score.metric for score in scores))
    return next((metric for metric in metrics if metric.startswith("psnr")), metrics[0] if metrics else "psnr")


def print_scores(rows: Sequence[Row], not_available: dict[str, str], scores: Sequence[Score] | None = None) -> None:
    """Print the tables, or an overview of many suites, and what could not be measured."""
    scores = summarise(rows) if scores is None else scores
    console = Console()
    suites = list(dict.fromkeys(score.suite for score in scores))
    if len(suites) > MANY_SUITES:
        console.print(overview(scores, main_metric(scores)))
        suites = [OVERALL]
    for suite in suites:
        header, body = table_of(scores, suite, short_cell)
        table = Table(title=suite or None, title_justify="left")
        for number, name in enumerate(header):
            table.add_column(name, justify="right" if number else "left")
        for line in body:
            table.add_row(*line)
        console.print(table)
    failed = sum(row.error is not None for row in rows)
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in seconds_of(rows).items())
    lines = [
        f"{len({row.identity[:3] for row in rows})} images, {failed} failed; "
        "mean and half the width of its 95 % bootstrap interval",
        f"median seconds an image: {seconds or 'nothing restored'}",
        *(f"{name} is not available: {reason}" for name, reason in not_available.items()),
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)


def overview(scores: Sequence[Score], metric: str) -> Table:
    """One measure: suites down, methods across, the best in bold."""
    own = [score for score in scores if score.metric == metric]
    restorers = list(dict.fromkeys(score.restorer for score in own))
    table = Table(title=metric, title_justify="left")
    table.add_column("")
    for restorer in restorers:
        table.add_column(restorer, justify="right")
    for suite in dict.fromkeys(score.suite for score in own):
        values = {score.restorer: score.mean for score in own if score.suite == suite}
        best = max(values.values())
        cells = [
            "-"
            if name not in values
            else f"[bold]{values[name]:.2f}[/]"
            if values[name] == best
            else f"{values[name]:.2f}"
            for name in restorers
        ]
        table.add_row(suite, *cells)
    return table
