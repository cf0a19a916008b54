"""`ldrps sweep point`: what W&B's own program, `wandb agent`, starts for each point."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ldrps.commands.account import say
from ldrps.commands.options import option, parse_alone


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """Run the point that `wandb agent` hands to this process.

    `ldrps sweep join` does the same for many points in one process, which spares loading the model for each.

    Attributes:
        output: Folder for results.
        clean: Where the clean images lie on this machine.
        pairs: Where the pairs lie on this machine.
        device: Where it runs: auto, cpu, cuda or mps.
    """

    output: Path = field(metadata=option("-o", metavar="RUN"))
    clean: list[str] = field(default_factory=list, metadata=option(metavar="IN", nargs="+"))
    pairs: str | None = field(default=None, metadata=option(metavar="FOLDER"))
    device: str = field(default="auto", metadata=option(metavar="X"))


def start(arguments: Sequence[str]) -> int:
    """Run `ldrps sweep point` and return its exit code."""
    options = parse_alone("sweep point", SweepPoint, arguments)
    from ldrps.commands.sweep_join import joined_folder
    from ldrps.commands.sweeping import point_maker
    from ldrps.configuration.quiet import quieten
    from ldrps.sweeps.agents import run_handed_point
    from ldrps.sweeps.worker import Worker

    parts = [os.environ.get(name, "") for name in ("WANDB_ENTITY", "WANDB_PROJECT", "WANDB_SWEEP_ID")]
    if not parts[-1]:
        raise ValueError("`ldrps sweep point` is started by `wandb agent`; `ldrps sweep run` runs a sweep")
    quieten()
    folder = joined_folder("/".join(filter(None, parts)), options.output, options.clean, options.pairs)
    run_handed_point(Worker(folder, point_maker(options.device), say, lambda run, logged: None))
    return 0
