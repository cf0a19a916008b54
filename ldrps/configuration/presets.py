"""Presets: YAML files found by name, and restorers built from them in Python."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldrps.configuration.quiet import quieten
from ldrps.data.shipped import preset_folder
from ldrps.methods.restorer import Restorer
from modules.priors.base import Prior

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace


def find_preset(name: str) -> Path:
    """Find a YAML file by path or by preset name.

    Args:
        name: A path, or a name such as ``blind`` or ``train/autoencoder``.

    Raises:
        ValueError: If there is neither; the message lists the presets.

    Example:
        >>> find_preset("blind").name
        'blind.yaml'
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = preset_folder()
    for candidate in (folder / f"{name}.yaml", *sorted(folder.glob(f"*/{name}.yaml"))):
        if candidate.is_file():
            return candidate
    kind = f"{path.parent}/*.yaml" if (folder / path.parent).is_dir() and path.parent != Path() else "*/*.yaml"
    names = sorted(str(preset.relative_to(folder).with_suffix("")) for preset in folder.glob(kind))
    raise ValueError(f"config {name!r} is neither a file nor a preset; presets are: {', '.join(names)}")


def load_preset(name: str = "blind", **settings: Any) -> Restorer:
    """Build the restorer of a preset.

    Args:
        name: Preset name or path of a YAML file with a ``model`` section.
        **settings: Changes by dotted name, with ``__`` for the dot, such as ``sampling__num_inference_steps=20``.

    Returns:
        The restorer; calling it with a PIL image, file name or tensor returns the restored PIL image.

    Raises:
        ValueError: If the preset or a setting does not exist or does not fit.

    Example:
        >>> from PIL import Image
        >>> from skimage.data import cat
        >>> restorer = load_preset("blind", sampling__num_inference_steps=2)
        >>> restorer(Image.fromarray(cat()[:48, :64])).size
        (64, 48)
    """
    parser, config = parse_preset(
        name, [f"--model.{key.replace('__', '.')}={value}" for key, value in settings.items()]
    )
    restorer: Restorer = parser.instantiate(config).model
    return restorer


def find_prior(name: str) -> str:
    """Path of a prior's preset; class paths, files and inline settings stay as they are.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> Path(find_prior("da_clip")).name, find_prior("modules.priors.null.Null")
        ('da_clip.yaml', 'modules.priors.null.Null')
    """
    return name if "." in name or "{" in name else str(find_preset(str(Path("prior") / name)))


def build_prior(name: str, settings: Sequence[str] = ()) -> Prior:
    """Build a semantic prior.

    Args:
        name: Preset name such as ``da_clip``, path of a YAML file, or class path.
        settings: Changes as on the command line, such as ``--prior.num_captions=2``.

    Raises:
        ValueError: If the prior or a setting does not exist or does not fit.

    Example:
        >>> build_prior("text", ["--prior.prompt=a cat"]).prompt
        'a cat'
    """
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(parser_mode="omegaconf+", exit_on_error=False)
    parser.add_subclass_arguments(Prior, "prior")
    try:
        prior: Prior = parser.instantiate(parser.parse_args([f"--prior={find_prior(name)}", *settings])).prior
    except ArgumentError as error:
        raise ValueError(str(error)) from error
    return prior


def preset_model(name: str, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Resolve a preset's restorer to plain data, class path and settings.

    Args:
        name: Preset name or path of a YAML file with a ``model`` section.
        arguments: Changes as on the command line, such as ``--model.seed=3``.

    Raises:
        ValueError: If the preset or a setting does not exist or does not fit.

    Example:
        >>> preset_model("blind", ["--model.seed=3"])["init_args"]["seed"]
        3
    """
    parser, config = parse_preset(name, arguments)
    model: dict[str, Any] = json.loads(parser.dump(config, format="json"))["model"]
    return model


def parse_preset(name: str, arguments: Sequence[str]) -> tuple["ArgumentParser", "Namespace"]:
    """Parse a preset and changes to it; the parser instantiates what it parsed.

    Raises:
        ValueError: If the preset or a setting does not exist or does not fit.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(parser_mode="omegaconf+", exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(Restorer, "model")
    # Presets may also have sections for Lightning (trainer, data), which have no meaning here.
    for section in ("trainer", "data", "results", "seed_everything"):
        parser.add_argument(f"--{section}", type=Any, default=None)
    quieten()
    try:
        return parser, parser.parse_args([f"--config={find_preset(name)}", *arguments])
    except ArgumentError as error:
        raise ValueError(" ".join(str(error).split())) from error
