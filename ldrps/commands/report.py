"""`ldrps report`: tables and page of a run folder, made again."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ldrps.commands.options import option, parse_alone

WHEN_INTERRUPTED = "interrupted; the rows are kept"


@dataclass(frozen=True)
class Report:
    """Merge a run folder's rows and make its tables, pictures and HTML page again.

    Attributes:
        folder: Run folder of `ldrps test`.
    """

    folder: Path = field(metadata=option(metavar="RUN"))


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps report` and return its exit code."""
    folder = parse_alone("report", Report, arguments).folder
    from ldrps.results.run_folder import RunFolder

    # What is misspelt is told before what takes seconds to import.
    RunFolder(folder).read_settings()
    from ldrps.results.conclusion import conclude

    conclude(RunFolder(folder))
    sys.stdout.write(f"report: {folder / 'report.html'}\n")
    return 0
