"""The ablation table: Markdown, LaTeX and CSV, beside the plot and the page."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ldrps.data.image_files import write_picture
from ldrps.results.summary import Score
from ldrps.results.tables import cell, escaped, gain_cell, mean_cell
from ldrps.sweeps.outcome import DEGRADED, Entry, Outcome, read_outcome
from ldrps.sweeps.page import write_page
from ldrps.sweeps.plot import plot
from ldrps.sweeps.records import SweepFolder
from ldrps.sweeps.sweep import short_names
from modules.safe_files import complete_or_absent

Table = tuple[str, list[str], list[list[str]]]
"""Title, header and cells."""


def write_tables(
    folders: Sequence[SweepFolder], baseline: str | None = None, metric: str | None = None, output: Path | None = None
) -> str:
    """Write ``sweep.md``, ``.tex``, ``.csv``, ``.png`` and ``.html``, and return the main table and where they are.

    Args:
        folders: Folders of one sweep.
        baseline: See `read_outcome`.
        metric: See `read_outcome`.
        output: Where to write; None takes the first folder.

    Raises:
        ValueError: See `read_outcome`.
    """
    outcome = read_outcome(folders, baseline, metric)
    folder = output or folders[0].path
    tables = [main_table(outcome), *suite_tables(outcome)]
    picture = plot(outcome)
    if picture is not None:
        write_picture(picture, folder / "sweep.png")
    texts = {"sweep.md": to_markdown(outcome, tables), "sweep.tex": to_latex(tables), "sweep.csv": to_csv(outcome)}
    for name, text in texts.items():
        with complete_or_absent(folder / name) as stream:
            stream.write(text.encode())
    write_page(outcome, tables, folder)
    return f"{markdown(tables[0])}\n{folder / 'sweep.html'} (beside it .md, .tex, .csv, .png)"


def main_table(outcome: Outcome) -> Table:
    """Points down; values, main measure with interval, difference to the baseline, other measures, seconds."""
    varying = [own.name for own in outcome.sweep.varying]
    names = short_names(varying)
    others = outcome.metrics[1:]
    main = outcome.metric
    header = ["#", *(names[name] for name in varying), "images", main, f"{main} to #{number_of(outcome)}", *others]
    body = [["", DEGRADED, *[""] * (len(varying) - 1), *measured(outcome, None), ""]]
    for number, entry in enumerate(outcome.entries, 1):
        words = [outcome.sweep.word(name, entry.point.chosen[name]) for name in varying]
        body.append([str(number), *(words or [outcome.sweep.name]), *measured(outcome, entry), f"{entry.seconds:.2f}"])
    if not varying:
        header.insert(1, "sweep")
    return "Everything", [*header, "seconds"], body


def measured(outcome: Outcome, entry: Entry | None) -> list[str]:
    """Images, main measure, difference and other measures of a point, or of the input."""
    key = DEGRADED if entry is None else entry.point.key
    suite = outcome.suites[0]
    main = outcome.scores.get((suite, key, outcome.metric))
    others = [outcome.scores.get((suite, key, metric)) for metric in outcome.metrics[1:]]
    count = "-" if main is None else str(main.count)
    if entry is not None and entry.failed:
        count += f" ({entry.failed} failed)"
    difference = "" if entry is None or entry is outcome.baseline else gain_cell(main)
    return [count, cell(main), difference, *(mean_cell(score) for score in others)]


def suite_tables(outcome: Outcome) -> list[Table]:
    """The main measure by suite: points down, suites across, mean and difference to the baseline in each cell."""
    suites = outcome.suites[1:]
    if not suites:
        return []
    body = [["", DEGRADED, *(mean_cell(outcome.scores.get((suite, DEGRADED, outcome.metric))) for suite in suites)]]
    for number, entry in enumerate(outcome.entries, 1):
        cells = []
        for suite in suites:
            score = outcome.score(entry, suite)
            difference = "" if entry is outcome.baseline else f" ({gain_cell(score)})"
            cells.append(mean_cell(score) + difference)
        body.append([str(number), entry.point.label, *cells])
    title = f"{outcome.metric} by suite, difference to #{number_of(outcome)} in brackets"
    return [(title, ["#", "", *suites], body)]


def number_of(outcome: Outcome) -> int:
    """Number of the baseline."""
    return outcome.entries.index(outcome.baseline) + 1


def markdown(table: Table) -> str:
    """One table in Markdown."""
    _, header, body = table
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(value.replace("|", r"\|") for value in line) + " |" for line in lines) + "\n"


def to_markdown(outcome: Outcome, tables: Sequence[Table]) -> str:
    """All tables in Markdown."""
    about = (
        f"{about_of(outcome)} Mean over images; in brackets the 95 % interval (bootstrap, stretched by Student's t; "
        "fewer than three images have none), in which the damages of one image are resampled together. Differences are "
        "means over pairs of the same image and damage."
    )
    parts = [f"# {outcome.sweep.name}\n\n{about}\n", *(f"## {table[0]}\n\n{markdown(table)}" for table in tables)]
    return "\n".join(parts)


def about_of(outcome: Outcome) -> str:
    """How many points there are, in which order, and what is missing."""
    missing = f", {len(outcome.missing)} without result" if outcome.missing else ""
    order = f" The best by {outcome.ordered_by} comes first." if outcome.ordered_by else ""
    lacking = " Points that lack images which others have come last." if outcome.lacking else ""
    return f"{len(outcome.entries)} points{missing}; `{DEGRADED}` is the input itself.{order}{lacking}"


def to_latex(tables: Sequence[Table]) -> str:
    """All tables in LaTeX (booktabs)."""
    parts = []
    for title, header, body in tables:
        text = "\n".join("  " + " & ".join(map(escaped, line)) + r" \\" for line in body)
        parts.append(
            f"% {title}\n\\begin{{tabular}}{{ll{'r' * (len(header) - 2)}}}\n  \\toprule\n"
            f"  {' & '.join(map(escaped, header))} \\\\\n  \\midrule\n{text}\n  \\bottomrule\n\\end{{tabular}}\n"
        )
    return "\n".join(parts)


def to_csv(outcome: Outcome) -> str:
    """One line for each point, suite and measure; ``gain`` is the difference to the baseline."""
    stream = io.StringIO()
    varying = [own.name for own in outcome.sweep.varying]
    numbers = [name for name in Score.__dataclass_fields__ if name != "restorer"]
    writer = csv.DictWriter(stream, ["number", "point", *varying, *numbers, "seconds"], lineterminator="\n")
    writer.writeheader()
    for number, entry in enumerate(outcome.entries, 1):
        values = {name: outcome.sweep.word(name, entry.point.chosen[name]) for name in varying}
        for suite in outcome.suites:
            for metric in outcome.metrics:
                if (score := outcome.score(entry, suite, metric)) is not None:
                    own = {name: value for name, value in asdict(score).items() if name != "restorer"}
                    line = {"number": number, "point": entry.point.label, **values, **own, "seconds": entry.seconds}
                    writer.writerow(line)
    return stream.getvalue()
