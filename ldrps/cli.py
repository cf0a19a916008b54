"""The `ldrps` command: dispatches to ldrps/commands, nothing else."""

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from degradations.nearest import nearest
from ldrps.commands import lightning
from ldrps.commands.exit_codes import fail, run_job

SUMMARY = """\
ldrps restores damaged photos without being told what is wrong with them.

  ldrps restore IN... --output DIR    restore photos, folders or globs
  ldrps plan IN...                    say what that will take on this machine: time, memory
  ldrps degrade IN... --suite NAME --output DIR
                                      make degraded copies of clean photos, with receipts that rebuild them
  ldrps test --suite NAME... --clean IN... --output RUN
                                      restore degraded copies of clean photos, score them beside simple tools
  ldrps test --pairs FOLDER --output RUN
                                      restore FOLDER/input, score against FOLDER/target
  ldrps caption IN... --prior X       write what a prior says of each photo beside it, for later runs
  ldrps convert FILE --output FOLDER  make a DA-CLIP folder of an official checkpoint
  ldrps untrained sd21 --output FOLDER
                                      make a folder of a full-size model's shape, with random weights
  ldrps sweep run FILE --clean IN... --output RUN
                                      run an ablation sweep, with or without W&B, to a table, a plot and a page
  ldrps report RUN                    make tables and the HTML page of a run folder again
  ldrps demo                          damage three sample photos, restore them, say where to look
  ldrps ui                            open a page in the browser: drop photos, compare, download
  ldrps completion SHELL              print the completion script of bash, zsh or tcsh
  ldrps predict --config X ...        Lightning's predict, every setting by name
  ldrps fit --config train/X ...      train the embedded models
  ldrps validate --config train/X ... score a trained model on held-out photos
  ldrps export CHECKPOINT --output FOLDER
                                      write the weights of a training that still runs, as its end will

`ldrps VERB --help` lists the options of a verb; `--print_config` shows a resolved run.
"""
EVERYDAY = (
    "restore",
    "plan",
    "degrade",
    "test",
    "caption",
    "convert",
    "export",
    "sweep",
    "untrained",
    "report",
    "demo",
    "ui",
    "completion",
)
LIGHTNING = ("fit", "validate", "predict")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 all done, 1 something failed, 2 wrong use or input."""
    # Classes of one's own are named from the folder one works in, where the installed script does not look by itself.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    verb, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["help"]
    if verb in {"-h", "--help", "help"}:
        sys.stdout.write(SUMMARY)
        return 0
    if verb == "--version":
        sys.stdout.write(f"ldrps {version('ldrps')}\n")
        return 0
    if verb in LIGHTNING:
        return run_job(partial(lightning.run, verb, rest), lightning.WHEN_INTERRUPTED)
    if verb not in EVERYDAY:
        known = [*EVERYDAY, *LIGHTNING]
        return fail(f"unknown verb {verb!r}{nearest(verb, known)} (there are {', '.join(known)})")
    command = import_module(f"ldrps.commands.{verb}")
    return run_job(partial(command.run, rest), command.WHEN_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
