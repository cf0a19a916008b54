"""What `ldrps untrained` does: full-size models from their configurations, with random weights in half precision."""

import gc
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel

from ldrps.commands.account import say
from ldrps.commands.untrained import Untrained
from ldrps.data.outputs import prepare_folder
from ldrps.data.shipped import PACKAGE, preset_folder
from modules.file_modes import give_usual_modes

NEEDED_BYTES = 3_000_000_000
"""Room that the larger of the folders wants on the disk."""

NETWORKS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "vae": AutoencoderKL.from_config,
    "text_encoder": lambda config: CLIPTextModel(CLIPTextConfig(**config)),
    "unet": UNet2DConditionModel.from_config,
}


def make(job: Untrained) -> None:
    """Write the folder part by part; no more than one part is in memory.

    Raises:
        ValueError: If the folder is in use, or the disk has too little room.
    """
    if job.output.exists() and any(job.output.iterdir()):
        raise ValueError(f"output folder {str(job.output)!r} is not empty: choose another --output")
    prepare_folder(job.output)
    if (free := shutil.disk_usage(job.output).free) < NEEDED_BYTES:
        raise ValueError(
            f"output folder {str(job.output)!r} has {free / 1e9:.1f} GB of room, {NEEDED_BYTES / 1e9:.0f} are needed: "
            "choose one on another disk"
        )
    count = 0
    for name in NETWORKS:
        with half_precision(job.seed):
            network = build(job.model, name)
        network.save_pretrained(job.output / name)
        count += sum(parameter.numel() for parameter in network.parameters())
        del network
        gc.collect()
    PNDMScheduler.from_config(configuration(job.model, "scheduler")).save_pretrained(job.output / "scheduler")
    tokenizer = AutoTokenizer.from_pretrained(PACKAGE / "pretrained" / "mini" / "tokenizer")
    tokenizer.model_max_length = configuration(job.model, "text_encoder")["max_position_embeddings"]
    tokenizer.save_pretrained(job.output / "tokenizer")
    give_usual_modes(job.output)
    # Last: a folder without it is not taken for a pipeline.
    (job.output / "model_index.json").write_text(json.dumps(index(), indent=1), encoding="utf-8")
    say(f"{job.model} with {count / 1e6:.0f} M random weights in {job.output}: --backbone {job.output} uses it")


def build(model: str, name: str) -> Any:
    """One network of a model, as its configuration says.

    Example:
        >>> with torch.device("meta"):
        ...     sum(parameter.numel() for parameter in build("sd15", "vae").parameters())
        83653863
    """
    return NETWORKS[name](configuration(model, name))


def configuration(model: str, name: str) -> dict[str, Any]:
    """Published configuration of a part of a model."""
    content: dict[str, Any] = json.loads(
        (preset_folder() / "untrained" / model / f"{name}.json").read_text(encoding="utf-8")
    )
    return content


def index() -> dict[str, Any]:
    """What ``model_index.json`` says of the parts."""
    parts = {
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "PNDMScheduler"],
    }
    absent = {name: [None, None] for name in ("safety_checker", "feature_extractor", "image_encoder")}
    return {"_class_name": "StableDiffusionPipeline", **parts, **absent, "requires_safety_checker": False}


@contextmanager
def half_precision(seed: int) -> Iterator[None]:
    """Draw weights in half precision from a seed; the caller's random numbers stay as they were."""
    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.float16)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
