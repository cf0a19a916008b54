"""Weights of diffusers' models, read from folders, packages or the hub; what goes wrong is one sentence."""

from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers import AutoModel, ModelMixin, StableDiffusionPipeline
from huggingface_hub.utils import HFValidationError, validate_repo_id

from modules.backbones.autoencoder_codec import AutoencoderCodec
from modules.backbones.codec import Codec

PACKAGE_PREFIX = "package:"
Network = TypeVar("Network", bound=ModelMixin)
Read = TypeVar("Read")
FAILURES = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)


def load_pipeline(path: str, dtype: torch.dtype) -> Any:
    """Read a pipeline from a folder, a package or the hub.

    Raises:
        ValueError: If that fails; the message is one sentence that says what a folder must hold.
    """
    try:
        return StableDiffusionPipeline.from_pretrained(
            source(path), dtype=dtype, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    except FAILURES as error:
        raise ValueError(
            f"backbone {path!r} cannot be read ({reason(error)}): give a folder in the StableDiffusionPipeline layout "
            "(model_index.json, scheduler, text_encoder, tokenizer, unet, vae), made with "
            "`hf download MODEL_ID --local-dir FOLDER`, or a hub id while online"
        ) from error


def load_gradient_codec(path: str, codec: Codec, dtype: torch.dtype) -> AutoencoderCodec:
    """Read an autoencoder whose decoder is a cheap one for another codec's latents.

    Raises:
        ValueError: If it cannot be read, or its latents have another size.
    """
    try:
        cheap = AutoencoderCodec(AutoModel.from_pretrained(source(path), dtype=dtype))
    except FAILURES as error:
        raise ValueError(
            f"gradient_autoencoder {path!r} cannot be read ({reason(error)}): give a folder or hub id of an "
            "AutoencoderTiny or AutoencoderKL made for this backbone's latents, or null"
        ) from error
    sizes = [(one.latent_channels, one.downscale_factor) for one in (cheap, codec)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"gradient_autoencoder {path!r} has {sizes[0][0]} channels at 1/{sizes[0][1]} of the size, but the "
            f"backbone's latents have {sizes[1][0]} at 1/{sizes[1][1]}: give one made for them, or null"
        )
    return cheap


def load_ip_adapter(pipeline: Any, file: Path, scale: float) -> None:
    """Add an IP-Adapter to a pipeline's denoiser.

    Raises:
        ValueError: If the file cannot be read or was made for another denoiser.
    """
    try:
        pipeline.load_ip_adapter(str(file.parent), "", file.name, image_encoder_folder=None)
        pipeline.set_ip_adapter_scale(scale)
    except FAILURES as error:
        raise ValueError(
            f"ip_adapter {str(file)!r} cannot be read ({reason(error)}): give a weight file of an IP-Adapter made for "
            "this denoiser"
        ) from error


def load_frozen(kind: type[Network], path: str, name: str, recipe: str, alternative: str) -> Network:
    """Read a network of our own that is used and not trained.

    Args:
        kind: Its class.
        path: Folder or ``package:`` path; no hub is asked, where nobody keeps them.
        name: What a user calls it.
        recipe: The training that exports such a folder.
        alternative: What needs no weights.

    Raises:
        ValueError: If it is missing or does not fit; one sentence with the remedy.
    """
    try:
        network = _read(kind, path)
    except FAILURES as error:
        raise ValueError(
            f"weights {path!r} of the {name} cannot be read ({reason(error)}): give a folder that "
            f"`ldrps fit --config train/{recipe}` exported, or use the {alternative}, which needs none"
        ) from error
    frozen: Network = network.requires_grad_(False).eval()
    return frozen


def load_earlier(kind: type[Read], folder: str, setting: str) -> Read:
    """Read a network that a training goes on from, in float32.

    Args:
        kind: Its class.
        folder: Where it lies.
        setting: Name of the setting that said so.

    Raises:
        ValueError: If it is missing or does not fit; one sentence with the remedy.
    """
    try:
        network = _read(kind, folder)
    except FAILURES as error:
        raise ValueError(
            f"{setting}={folder!r} holds no {kind.__name__} to go on from ({reason(error)}): give a folder that an "
            "earlier training exported, or leave the setting out, which starts anew"
        ) from error
    earlier: Read = network.train()
    return earlier


def _read(kind: type[Read], path: str) -> Read:
    """Read all weights of a network, in float32; no hub is asked.

    Raises:
        ValueError: If weights are missing, which diffusers only warns of; and what `FAILURES` holds.
    """
    network: Read
    network, report = cast(Any, kind).from_pretrained(
        source(path), torch_dtype=torch.float32, local_files_only=True, output_loading_info=True
    )
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"{len(missing)} weights are missing, the first is {missing[0]}")
    return network


def source(path: str) -> str:
    """What ``from_pretrained`` is given for a folder, hub id or ``package:`` path."""
    return package_folder(path) if path.startswith(PACKAGE_PREFIX) else path


def check_source(path: str) -> None:
    """Make sure that a backbone's path is a folder unless it can be a hub id; no hub is asked.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> check_source("package:modules/backbones"), check_source("openai/clip-vit-base-patch32")
        (None, None)
    """
    if Path(source(path)).is_dir():
        return
    try:
        validate_repo_id(path)
    except HFValidationError as error:
        raise ValueError(f"backbone {path!r} does not exist: give a folder that is there, or a hub id") from error


def package_folder(path: str) -> str:
    """Translate ``package:NAME/FOLDER`` to the folder inside the installed package.

    Example:
        >>> Path(package_folder("package:modules/backbones")).name
        'backbones'
    """
    package, _, folder = path.removeprefix(PACKAGE_PREFIX).partition("/")
    return str(Path(str(resources.files(package))) / folder)


def reason(error: Exception) -> str:
    """The beginning of an error's text, in one line."""
    return " ".join(str(error).split())[:160]
