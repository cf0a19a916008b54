"""`ldrps completion`: what a shell needs to complete verbs and options."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ldrps.commands.options import make_parser, option, parse_alone

WHEN_INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Completion:
    """Print the completion script of a shell.

    For bash: ldrps completion bash > ~/.local/share/bash-completion/completions/ldrps

    Attributes:
        shell: Which shell.
    """

    shell: Literal["bash", "zsh", "tcsh"] = field(metadata=option())


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps completion` and return its exit code."""
    shell = parse_alone("completion", Completion, arguments).shell
    from jsonargparse import ArgumentParser

    from ldrps.commands.caption import Caption
    from ldrps.commands.convert import Convert
    from ldrps.commands.degrade import Degrade
    from ldrps.commands.demo import Demo
    from ldrps.commands.export import Export
    from ldrps.commands.plan import Plan
    from ldrps.commands.report import Report
    from ldrps.commands.restore import Restore
    from ldrps.commands.sweep import Sweep
    from ldrps.commands.test import Test
    from ldrps.commands.ui import Ui
    from ldrps.commands.untrained import Untrained

    parser = ArgumentParser(prog="ldrps")
    verbs = parser.add_subcommands()
    files = (Caption, Convert, Export, Untrained, Report, Demo, Ui, Completion)
    for options in (Restore, Plan, Degrade, Test, Sweep, *files):
        name = options.__name__.lower()
        verbs.add_subcommand(name, make_parser(name, options))
    sys.stdout.write(parser.get_completion_script(f"shtab-{shell}"))
    return 0
