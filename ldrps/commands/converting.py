"""What `ldrps convert` does: official checkpoints to folders that this package reads."""

import pickle
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ldrps.commands.account import say
from ldrps.commands.convert import Convert
from ldrps.data.outputs import prepare_folder
from modules.conversion.da_clip import convert_da_clip


def convert(job: Convert) -> None:
    """Read a DA-CLIP checkpoint and write our folder.

    Raises:
        ValueError: If the checkpoint cannot be read safely or is not a DA-CLIP's, or the folder is in use.
    """
    if job.output.exists() and any(job.output.iterdir()) and not job.overwrite:
        raise ValueError(f"output folder {str(job.output)!r} is not empty: add --overwrite or choose another --output")
    network = convert_da_clip(read_state(job.checkpoint), job.activation)
    tokenizer = None if job.tokenizer is None else read_tokenizer(job.tokenizer)
    prepare_folder(job.output)
    with tempfile.TemporaryDirectory(dir=job.output, prefix=".ldrps-") as temporary:
        network.save_pretrained(temporary)
        if tokenizer is not None:
            tokenizer.save_pretrained(Path(temporary) / "tokenizer")
        shutil.rmtree(job.output / "tokenizer", ignore_errors=True)
        # The configuration last: a folder without it is not taken for a DA-CLIP.
        for made in sorted(Path(temporary).iterdir(), key=lambda path: path.name == "config.json"):
            made.replace(job.output / made.name)
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    say(f"DA-CLIP with {count:.0f} M parameters, {network.image_size} px, {job.activation}, in {job.output}")
    if tokenizer is None:
        say(
            "without a tokenizer, which the priors need: convert again with --tokenizer FOLDER, such as that of "
            "openai/clip-vit-base-patch32, whose words every released DA-CLIP shares"
        )


def read_state(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint, without running what it may hold.

    Raises:
        ValueError: If the file is missing, damaged, or holds more than tensors.
    """
    if not file.is_file():
        raise ValueError(f"checkpoint {str(file)!r} does not exist: give the file of the official release")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"checkpoint {str(file)!r} is damaged or holds more than weights, which could run foreign code: fetch it "
            "again, or save its state dict alone with torch.save, on a machine where you trust it"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, SafetensorError) as error:
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
