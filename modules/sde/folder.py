"""A trained network of the mean-reverting SDE on disk: ``model_index.json``, ``network`` and ``scheduler``."""

import json
from importlib import import_module
from pathlib import Path

from modules.networks.folder import UNREADABLE, read_network, unreadable
from modules.networks.restoration_network import RestorationNetwork
from modules.sde.mean_reverting import MeanReverting

INDEX = "model_index.json"


def save_sde(folder: Path, network: RestorationNetwork, scheduler: MeanReverting) -> None:
    """Write network and scheduler into a folder, in the network's precision; the index comes last."""
    network.save_pretrained(folder / "network")
    scheduler.save_pretrained(folder / "scheduler")
    kind = type(network)
    index = json.dumps({"network": f"{kind.__module__}.{kind.__qualname__}"}, indent=2)
    (folder / INDEX).write_text(index + "\n", encoding="utf-8")


def load_sde(folder: Path) -> tuple[RestorationNetwork, MeanReverting]:
    """Read network and scheduler from a folder.

    Raises:
        ValueError: If the folder holds none, or its files are damaged or do not fit.
    """
    if not (folder / INDEX).is_file():
        raise ValueError(
            f"{str(folder)!r} holds no IR-SDE weights: train them with `ldrps fit --config train/ir_sde`, or make such "
            "a folder of an official checkpoint with `ldrps convert`"
        )
    try:
        kind = network_class(json.loads((folder / INDEX).read_text(encoding="utf-8"))["network"])
        scheduler: MeanReverting = MeanReverting.from_pretrained(folder / "scheduler", local_files_only=True)
    except UNREADABLE as error:
        raise ValueError(unreadable("IR-SDE weights", folder, error)) from error
    return read_network(kind, folder / "network", "network of IR-SDE"), scheduler


def network_class(path: str) -> type[RestorationNetwork]:
    """The class that a class path names.

    Raises:
        ValueError: If it cannot be imported or is no `RestorationNetwork`.

    Example:
        >>> network_class("modules.networks.nafnet.NAFNet").__name__
        'NAFNet'
    """
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"network {path!r} cannot be imported: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, RestorationNetwork)):
        raise ValueError(f"network {path!r} is no RestorationNetwork")
    return kind
