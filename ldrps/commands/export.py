"""`ldrps export`: the weights of a training that goes on, as its end will write them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ldrps.commands.options import option, parse
from ldrps.data.checkpoint_files import check_file

WHEN_INTERRUPTED = "interrupted; what was written may be incomplete"


@dataclass(frozen=True)
class Export:
    """Write the network of a checkpoint in half precision, averaged over the steps where the training keeps an average.

    Any checkpoint of `ldrps fit` will do, also of a training that still runs; its settings are read beside it. Folders
    among them (model.pipeline_dir, data.sources) count from where the command runs, and can be changed by name. Photos
    are looked at by `train/autoencoder` and `train/text_image` alone.

    Attributes:
        checkpoint: Checkpoint of `ldrps fit`, in the folder where it was written.
        output: Pipeline folder that receives the part; an earlier one is kept beside it.
    """

    checkpoint: Path = field(metadata=option(metavar="FILE"))
    output: Path = field(metadata=option("-o", metavar="FOLDER"))


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps export` and return its exit code."""
    options, changes = parse("export", Export, arguments)
    # What is misspelt is told before what takes seconds to import.
    check_file(options.checkpoint)
    from ldrps.configuration.quiet import quieten

    quieten()
    from ldrps.commands.account import say
    from ldrps.configuration.checkpoints import export

    step = export(options.checkpoint, options.output, changes)
    say(f"these are the weights of step {step}")
    return 0
