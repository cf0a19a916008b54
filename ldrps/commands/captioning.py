"""What `ldrps caption` does: what a prior says of each picture, written beside it for later runs."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ldrps.commands.account import Account, read_all, say
from ldrps.commands.caption import Caption
from ldrps.configuration.presets import build_prior
from ldrps.data.inputs import named_images
from ldrps.data.outputs import prepare_folder
from modules.backbones.stable_diffusion import StableDiffusion
from modules.priors.base import Prior, asked
from modules.priors.prompt_file import NEGATIVE_SUFFIX, PromptFile
from modules.safe_files import complete_or_absent


def caption(job: Caption, settings: Sequence[str] = ()) -> Account:
    """Describe every picture that has no text yet; one bad file does not stop the others.

    Args:
        job: What was asked for.
        settings: Changes to the prior, such as ``--prior.question=...``.

    Raises:
        ValueError: If the job as a whole cannot be done.
    """
    files = named_images(job.inputs)
    if job.output is not None:
        prepare_folder(job.output)
    place = PromptFile(str(job.output) if job.output else None)
    open_files = [(file, name) for file, name in files if job.overwrite or not place.prompt_file(file).exists()]
    taken: dict[Path, Path] = {}
    for file, _ in open_files:
        if (other := taken.setdefault(place.prompt_file(file), file)) != file:
            raise ValueError(
                f"{other} and {file} would share {place.prompt_file(file)}: rename one, or caption them apart"
            )
    prior = build_prior(job.prior, settings)
    if open_files:
        prior.load(StableDiffusion(job.backbone).folder)
    device = pick_device(job.device)
    prior.to(device)
    account = Account()
    for picture, file, _ in read_all(open_files, account, "describing"):
        try:
            texts = describe(prior, picture.image.to(device), file)
            write(texts, file, place, job.overwrite)
        except Exception as error:
            if "LDRPS_DEBUG" in os.environ:
                raise
            account.fail(f"{file}: {error}")
            continue
        say(f"{file}: {' | not: '.join(texts.values())}")
        account.done += 1
    passed_over = len(files) - len(open_files)
    say(f"{account.done} text(s) written" + (f", {passed_over} there already" if passed_over else ""))
    return account


def pick_device(name: str) -> torch.device:
    """Device of that name; "auto" is a GPU if there is one.

    Raises:
        ValueError: If this machine has none of that name.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} is not available here: choose auto, cpu, cuda or mps") from error


def write(texts: dict[str, str], file: Path, place: PromptFile, overwrite: bool) -> None:
    """Write the texts of one picture; those that exist are kept, or all replaced."""
    for kind in ("", NEGATIVE_SUFFIX):
        path = place.prompt_file(file, kind)
        if kind in texts and (overwrite or not path.exists()):
            with complete_or_absent(path) as stream:
                stream.write(f"{texts[kind]}\n".encode())
        elif overwrite:
            # What another prior said of the damage does not belong to the new prompt.
            path.unlink(missing_ok=True)


def describe(prior: Prior, image: Tensor, file: Path) -> dict[str, str]:
    """What the prior says of one image, by the kind of file it belongs in.

    Raises:
        ValueError: If it says nothing.
    """
    with torch.no_grad():
        semantics = asked(prior, image[None], [file])
    if not (semantics.prompts and semantics.prompts[0]):
        raise ValueError(f"the prior {type(prior).__name__} gives no text: choose mllm, endpoint or da_clip")
    texts = {"": semantics.prompts[0]}
    if semantics.negative_prompts and semantics.negative_prompts[0]:
        texts[NEGATIVE_SUFFIX] = semantics.negative_prompts[0]
    return texts
