"""`ldrps degrade`: degraded copies of clean photos."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from degradations.suites import find_suite
from ldrps.commands.options import option, parse_alone
from ldrps.data.inputs import check_inputs
from ldrps.data.shipped import suite_folder

WHEN_INTERRUPTED = "interrupted; pictures finished so far are kept"


@dataclass(frozen=True)
class Degrade:
    """Make degraded copies of clean photos, with receipts that rebuild them bit for bit.

    Attributes:
        inputs: Image files, folders or glob patterns.
        suite: Suites or YAML files, after the photos; several get a folder each.
        output: Folder for the pictures.
        seed: Seed of the run.
        pairs: Write input/ and target/, as `ldrps test` reads them.
        sheet: Write only a contact sheet of each photo, reduced.
        replay: Rebuild what a receipt, or a folder of them, describes.
        overwrite: Replace pictures of earlier runs.
    """

    inputs: list[str] = field(metadata=option(metavar="IN", nargs="+"))
    suite: list[str] = field(default_factory=list, metadata=option("-s", metavar="NAME"))
    output: Path = field(default=Path("degraded"), metadata=option("-o", metavar="DIR"))
    seed: int = field(default=0, metadata=option(metavar="N"))
    pairs: bool = False
    sheet: bool = False
    replay: Path | None = field(default=None, metadata=option(metavar="RECEIPTS"))
    overwrite: bool = False


def one_suite_each(arguments: Sequence[str]) -> list[str]:
    """Write the option before each of several suites; where it comes first, photos follow its one suite.

    Example:
        >>> one_suite_each(["a.png", "--suite", "haze", "rain", "--pairs"])
        ['a.png', '--suite', 'haze', '--suite', 'rain', '--pairs']
        >>> one_suite_each(["--suite", "haze", "a.png"])
        ['--suite', 'haze', 'a.png']
    """
    photos_first = bool(arguments) and not arguments[0].startswith("-")
    written: list[str] = []
    option = ""
    for argument in arguments:
        if argument.startswith("-"):
            option = argument
        elif photos_first and option in ("--suite", "-s") and written[-1] != option:
            written.append(option)
        written.append(argument)
    return written


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps degrade` and return its exit code."""
    options = parse_alone("degrade", Degrade, one_suite_each(arguments))
    # What is misspelt is told before what takes seconds to import.
    for suite in options.suite:
        find_suite(suite, suite_folder())
    check_inputs(options.inputs)
    from ldrps.commands.degrading import degrade

    return degrade(options).exit_code
