"""`ldrps sweep table`: table, plot and page of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ldrps.commands.account import say
from ldrps.commands.options import option, parse_alone


@dataclass(frozen=True)
class SweepTable:
    """Write the table (Markdown, LaTeX, CSV), the plot and the HTML page of a sweep.

    Several folders of one sweep, from several machines, become one table.

    Attributes:
        folders: Folders of the sweep.
        baseline: Point that others are compared with: its label or a part of it (the first).
        metric: Measure to compare by (what the sweep improves).
        output: Where to write (the first folder).
    """

    folders: list[Path] = field(metadata=option(metavar="RUN", nargs="+"))
    baseline: str | None = field(default=None, metadata=option("-b", metavar="LABEL"))
    metric: str | None = field(default=None, metadata=option("-m", metavar="NAME"))
    output: Path | None = field(default=None, metadata=option("-o", metavar="FOLDER"))


def start(arguments: Sequence[str]) -> int:
    """Run `ldrps sweep table` and return its exit code."""
    options = parse_alone("sweep table", SweepTable, arguments)
    from ldrps.sweeps.records import SweepFolder

    folders = [SweepFolder(folder) for folder in options.folders]
    # What is misspelt is told before what takes seconds to import.
    for folder in folders:
        folder.read()
    from ldrps.sweeps.table import write_tables

    say(write_tables(folders, options.baseline, options.metric, options.output))
    return 0
