"""Networks of our own on disk, whether diffusers or transformers wrote them."""

from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError

Network = TypeVar("Network")

UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)
"""What reading damaged files raises."""


def read_network(kind: type[Network], folder: Path | str, name: str) -> Network:
    """Read a whole network that is used and not trained, in float32; no hub is asked.

    Args:
        kind: Its class.
        folder: What its ``save_pretrained`` wrote.
        name: What a user calls it.

    Raises:
        ValueError: If it cannot be read, or weights are missing; the message names the first missing ones.
    """
    reader: Any = kind
    try:
        network, report = reader.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
    except UNREADABLE as error:
        raise ValueError(unreadable(name, folder, error)) from error
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{name} {str(folder)!r} lacks {len(missing)} weights, the first are {', '.join(missing[:3])}: "
            "convert the checkpoint again"
        )
    frozen: Network = network.eval().requires_grad_(False)
    return frozen


def unreadable(name: str, folder: Path | str, error: Exception) -> str:
    """The sentence about a folder that cannot be read."""
    return f"{name} {str(folder)!r} cannot be read: {' '.join(str(error).split())[:200]}"
