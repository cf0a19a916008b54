"""`ldrps sweep join`: helps with a sweep that W&B hands out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ldrps.commands.account import say
from ldrps.commands.options import option, parse_alone

if TYPE_CHECKING:
    from ldrps.sweeps.records import SweepFolder


@dataclass(frozen=True, kw_only=True)
class SweepJoin:
    """Run points of a sweep that W&B hands out, as one machine of many.

    Attributes:
        sweep: Its path, ENTITY/PROJECT/ID, as `ldrps sweep run` printed it.
        output: Folder for results.
        clean: Where the clean images lie on this machine.
        pairs: Where the pairs lie on this machine.
        count: At most N points.
        device: Where it runs: auto, cpu, cuda or mps.
    """

    sweep: str = field(metadata=option(metavar="ID"))
    output: Path = field(metadata=option("-o", metavar="RUN"))
    clean: list[str] = field(default_factory=list, metadata=option(metavar="IN", nargs="+"))
    pairs: str | None = field(default=None, metadata=option(metavar="FOLDER"))
    count: int | None = field(default=None, metadata=option(metavar="N"))
    device: str = field(default="auto", metadata=option(metavar="X"))


def start(arguments: Sequence[str]) -> int:
    """Run `ldrps sweep join` and return its exit code."""
    options = parse_alone("sweep join", SweepJoin, arguments)
    from ldrps.commands.sweep_run import conclude
    from ldrps.commands.sweeping import point_maker
    from ldrps.configuration.quiet import quieten
    from ldrps.sweeps.agents import help_with

    folder = joined_folder(options.sweep, options.output, options.clean, options.pairs)
    quieten()
    help_with(options.sweep, folder, point_maker(options.device), say, options.count)
    return conclude(folder)


def joined_folder(path: str, output: Path, clean: Sequence[str], pairs: str | None) -> "SweepFolder":
    """Folder of a sweep of W&B on this machine, where its images may lie elsewhere."""
    from ldrps.sweeps.agents import fetch
    from ldrps.sweeps.checking import check_images
    from ldrps.sweeps.records import SweepFolder

    own = {"clean": [os.path.abspath(name) for name in clean], "pairs": pairs}  # noqa: PTH100 (it may be a pattern)
    sweep = fetch(path).with_constants({name: value for name, value in own.items() if value})
    check_images(sweep)
    folder = SweepFolder(output)
    folder.begin(sweep)
    return folder
