"""`ldrps caption`: texts beside photos, for later runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ldrps.commands.options import option, parse
from ldrps.configuration.arguments import one_each
from ldrps.configuration.presets import read_prior
from ldrps.data.inputs import check_inputs

WHEN_INTERRUPTED = "interrupted; texts written so far are kept"


@dataclass(frozen=True)
class Caption:
    """Write what a prior says of each photo into photo.txt, and what it should not show into photo.negative.txt.

    `ldrps restore` reads both. Settings of the prior can be added by their dotted names, such as --prior.question TEXT.

    Attributes:
        inputs: Image files, folders or glob patterns.
        prior: Preset such as mllm, endpoint or da_clip, YAML file or class path.
        backbone: Pipeline folder that may hold a DA-CLIP (that of mini).
        device: Where it runs: auto, cpu, cuda or mps.
        output: Folder for the texts (beside the photos).
        overwrite: Replace texts that exist; otherwise photos with one are left.
    """

    inputs: list[str] = field(metadata=option(metavar="IN", nargs="+"))
    prior: str = field(default="da_clip", metadata=option(metavar="X"))
    backbone: str = field(default="package:ldrps/pretrained/mini", metadata=option(metavar="X"))
    device: str = field(default="auto", metadata=option(metavar="X"))
    output: Path | None = field(default=None, metadata=option("-o", metavar="DIR"))
    overwrite: bool = False


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps caption` and return its exit code."""
    options, settings = parse("caption", Caption, arguments)
    # What is misspelt is told before what takes seconds to import.
    check_inputs(options.inputs)
    read_prior(options.prior)
    from ldrps.configuration.quiet import quieten, tell

    quieten()
    tell()
    from ldrps.commands.captioning import caption

    return caption(options, one_each(settings)).exit_code
