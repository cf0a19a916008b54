"""`ldrps sweep`: dispatches to its sub-verbs."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal

from degradations.nearest import nearest
from ldrps.commands.options import option, parse_alone

WHEN_INTERRUPTED = "interrupted; finished points are kept: the same command, or `ldrps sweep run FOLDER`, goes on"

ACTIONS = ("init", "run", "join", "point", "table")


@dataclass(frozen=True)
class Sweep:
    """Run ablations: one YAML file in the format of W&B, many points, one table.

    `init FILE KEY=VALUES...` writes a file; `run FILE --clean IN... --output RUN` runs it, through W&B when logged in,
    on this machine otherwise; `join ID --output RUN` helps with a sweep of W&B, `point JSON` is what `wandb agent`
    calls; `table RUN` makes table, plot and page. `ldrps sweep ACTION --help` lists the options of each.

    Attributes:
        action: What to do.
    """

    action: Literal["init", "run", "join", "point", "table"] = field(metadata=option())


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps sweep` and return its exit code."""
    action, *rest = arguments or ["--help"]
    if action.startswith("-"):
        parse_alone("sweep", Sweep, [action])
    if action in ACTIONS:
        return int(import_module(f"ldrps.commands.sweep_{action}").start(rest))
    from ldrps.data.shipped import preset_folder

    if Path(action).exists() or (preset_folder() / "sweep" / f"{action}.yaml").is_file():
        return int(import_module("ldrps.commands.sweep_run").start(arguments))
    sys.stderr.write(
        f"ldrps: sweep has no action {action!r}{nearest(action, ACTIONS)} (there are {', '.join(ACTIONS)})\n"
    )
    return 2
