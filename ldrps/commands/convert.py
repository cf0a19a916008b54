"""`ldrps convert`: official checkpoints to folders that this package reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ldrps.commands.options import option, parse_alone

WHEN_INTERRUPTED = "interrupted; what was written is incomplete"


@dataclass(frozen=True)
class Convert:
    """Make a folder of an official checkpoint of DA-CLIP or IR-SDE.

    DA-CLIP: daclip_ViT-B-32.pt and wild-daclip_ViT-L-14.pt. Put the folder into a backbone's as
    da_clip, or name it with --model.prior.path. IR-SDE: universal-ir.pth and wild-ir.pth. Put the
    DA-CLIP of the same name into the folder as da_clip, and restore with --config ir_sde
    --model.weights FOLDER --model.num_inference_steps 100.

    Attributes:
        checkpoint: Checkpoint of the official release.
        output: Folder to make.
        activation: Of DA-CLIP's towers: gelu for CLIPs trained on LAION, quick_gelu for OpenAI's.
        tokenizer: Folder or hub id with CLIP's tokenizer, which the priors need of a DA-CLIP.
        overwrite: Write into a folder that is not empty.
    """

    checkpoint: Path = field(metadata=option(metavar="FILE"))
    output: Path = field(metadata=option("-o", metavar="FOLDER"))
    activation: Literal["gelu", "quick_gelu"] = "gelu"
    tokenizer: str | None = field(default=None, metadata=option(metavar="X"))
    overwrite: bool = False


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps convert` and return its exit code."""
    options = parse_alone("convert", Convert, arguments)
    # What is misspelt is told before what takes seconds to import.
    if not options.checkpoint.is_file():
        raise ValueError(
            f"checkpoint {str(options.checkpoint)!r} does not exist: give the file of the official release"
        )
    from ldrps.configuration.quiet import quieten

    quieten()
    from ldrps.commands.converting import convert

    convert(options)
    return 0
