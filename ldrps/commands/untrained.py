"""`ldrps untrained`: folders of the exact shape of a Stable Diffusion model, with random weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ldrps.commands.options import option, parse_alone

WHEN_INTERRUPTED = "interrupted; what was written is incomplete"


@dataclass(frozen=True)
class Untrained:
    """Make a folder of the exact shape of Stable Diffusion 1.5 or 2.1-base, with random weights.

    For measuring what a full-size model costs where none can be had: time and memory are those of the real one,
    pictures are noise. Its tokenizer is the embedded model's, with CLIP's length.

    Attributes:
        model: Which model: sd15 or sd21.
        output: Folder to make, of 2.1 or 2.6 GB.
        seed: Seed of the weights.
    """

    model: Literal["sd15", "sd21"] = field(metadata=option())
    output: Path = field(metadata=option("-o", metavar="FOLDER"))
    seed: int = field(default=0, metadata=option(metavar="N"))


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps untrained` and return its exit code."""
    options = parse_alone("untrained", Untrained, arguments)
    from ldrps.configuration.quiet import quieten

    quieten()
    from ldrps.commands.untrained_folders import make

    make(options)
    return 0
