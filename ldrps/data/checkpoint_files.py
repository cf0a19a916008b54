"""Reading checkpoints without running what they may hold; whatever else a file holds is one sentence."""

import pickle
import warnings
from pathlib import Path
from typing import Any


def check_file(file: Path) -> None:
    """Make sure that a checkpoint is there.

    Raises:
        ValueError: If the file does not exist or is empty.
    """
    if not file.is_file():
        raise ValueError(f"checkpoint {str(file)!r} does not exist: give a file")
    if file.stat().st_size == 0:
        raise ValueError(f"checkpoint {str(file)!r} is empty (0 bytes): copy it again from its source")


def read_saved(file: Path) -> Any:
    """Read what ``torch.save`` wrote, on the CPU.

    Raises:
        ValueError: If the file does not exist, is empty, damaged or no checkpoint, or holds more than weights.
    """
    check_file(file)
    # It takes seconds; a file that is not there is told without.
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"checkpoint {str(file)!r} is damaged or holds more than weights, which could run foreign code: fetch it "
            "again, or save its state dict alone with torch.save, on a machine where you trust it"
        ) from error
    except Exception as error:  # Bytes that are no pickle end in whatever their meaning as one leads to.
        raise ValueError(
            f"checkpoint {str(file)!r} cannot be read: it is cut short or no checkpoint, fetch it again"
        ) from error


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read a checkpoint of `ldrps fit`.

    Raises:
        ValueError: If it cannot be read, or is none of Lightning's.
    """
    content = read_saved(file)
    if isinstance(content, dict) and {"state_dict", "global_step"} <= content.keys():
        return content
    raise ValueError(f"checkpoint {str(file)!r} is none that `ldrps fit` wrote; official ones are for `ldrps convert`")
