"""What `ldrps convert` does: official checkpoints to folders that this package reads."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ldrps.commands.account import say
from ldrps.commands.convert import Convert
from ldrps.data.checkpoint_files import read_saved
from ldrps.data.outputs import prepare_folder
from modules.conversion.conditional_unet import convert_conditional_unet
from modules.conversion.da_clip import convert_da_clip
from modules.file_modes import give_usual_modes
from modules.sde.folder import INDEX, save_sde
from modules.sde.mean_reverting import MeanReverting

DA_CLIP, UNET = "visual_control.conv1.weight", "init_conv.weight"
"""An entry that tells either kind of checkpoint."""

LOOKS = {
    "clip.visual.conv1.weight": "a CLIP without the controller of DA-CLIP",
    "visual.conv1.weight": "a CLIP without the controller of DA-CLIP",
    "intro.weight": "a NAFNet, as image-restoration-sde has for single tasks",
    "model.diffusion_model.time_embed.0.weight": "a Stable Diffusion in one file, which diffusers converts",
    "conv_first.weight": "an ESRGAN or SwinIR",
}
"""Entries of checkpoints that one may take for them."""


def convert(job: Convert) -> None:
    """Read an official checkpoint and write our folder.

    Raises:
        ValueError: If the checkpoint cannot be read safely or is of another kind, or the folder is in use.
    """
    if job.output.exists() and any(job.output.iterdir()) and not job.overwrite:
        raise ValueError(f"output folder {str(job.output)!r} is not empty: add --overwrite or choose another --output")
    state = read_state(job.checkpoint)
    names = {name.removeprefix("module.") for name in state}
    if DA_CLIP in names:
        write_da_clip(job, state)
    elif UNET in names:
        write_unet(job, state)
    else:
        look = next(
            (look for name, look in LOOKS.items() if name in names), f"something else, with {sorted(names)[:3]}"
        )
        raise ValueError(
            f"checkpoint {str(job.checkpoint)!r} is neither a DA-CLIP nor the U-Net of IR-SDE: it looks like {look}"
        )


def write_da_clip(job: Convert, state: dict[str, Tensor]) -> None:
    """Write a DA-CLIP folder."""
    network = convert_da_clip(state, job.activation)
    tokenizer = None if job.tokenizer is None else read_tokenizer(job.tokenizer)
    with new_folder(job.output, "config.json") as folder:
        network.save_pretrained(folder)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder / "tokenizer")
        shutil.rmtree(job.output / "tokenizer", ignore_errors=True)
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    say(f"DA-CLIP with {count:.0f} M parameters, {network.image_size} px, {job.activation}, in {job.output}")
    if tokenizer is None:
        say(
            "without a tokenizer, which the priors need: convert again with --tokenizer FOLDER, such as that of "
            "openai/clip-vit-base-patch32, whose words every released DA-CLIP shares"
        )


def write_unet(job: Convert, state: dict[str, Tensor]) -> None:
    """Write an IR-SDE folder; the released networks predict the noise, on the SDE that is the default."""
    network = convert_conditional_unet(state)
    with new_folder(job.output, INDEX) as folder:
        save_sde(folder, network, MeanReverting())
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    kind = "universal" if network.config["has_degradation"] else "wild"
    say(f"U-Net of IR-SDE ({kind}) with {count:.1f} M parameters, in {job.output}")
    if network.embedding_dim is not None:
        say(
            f"it is told embeddings of {network.embedding_dim} numbers: convert the {kind} DA-CLIP to "
            f"{job.output / 'da_clip'}, or set --model.has_embeddings false"
        )


@contextmanager
def new_folder(output: Path, last: str) -> Iterator[Path]:
    """A temporary folder whose contents are moved to `output` when all are there.

    Args:
        output: Folder to make or fill.
        last: File without which a folder is not taken for complete.
    """
    prepare_folder(output)
    with tempfile.TemporaryDirectory(dir=output, prefix=".ldrps-") as temporary:
        yield Path(temporary)
        give_usual_modes(Path(temporary))
        for made in sorted(Path(temporary).iterdir(), key=lambda path: path.name == last):
            if (output / made.name).is_dir():
                shutil.rmtree(output / made.name)
            made.replace(output / made.name)


def read_state(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint, without running what it may hold.

    Raises:
        ValueError: If the file is damaged, or holds more than tensors.
    """
    try:
        state = load_file(file) if file.suffix == ".safetensors" else read_saved(file)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"checkpoint {str(file)!r} cannot be read: {' '.join(str(error).split())[:160]}") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(values, Tensor) for values in state.values()):
        raise ValueError(f"checkpoint {str(file)!r} holds no state dict: it should map names to tensors")
    return state


def read_tokenizer(source: str) -> Any:
    """Read a tokenizer.

    Raises:
        ValueError: If it cannot be read.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"tokenizer {source!r} cannot be read: give a folder with CLIP's tokenizer files, or a hub id while online"
        ) from error
