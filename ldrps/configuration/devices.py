"""Devices that a run asks for, and those that there are."""

import os
from typing import Any

import torch
from pytorch_lightning.accelerators import AcceleratorRegistry

ORDINARY = ("auto", "cpu", "cuda", "gpu", "mps")
"""Accelerators of which Lightning itself says in a sentence that they are not there."""


def check_devices(accelerator: Any, devices: Any) -> None:
    """Refuse accelerators that are not there, and more processes than a CPU has cores.

    Each process would load everything, and all wait for one another. Of GPUs Lightning itself knows how many there are.

    Args:
        accelerator: See Lightning's Trainer.
        devices: Likewise; a number, "auto", or a list of numbers.

    Raises:
        ValueError: If it is not there, or they are too many.

    Example:
        >>> check_devices("cpu", 4096)
        Traceback (most recent call last):
        ValueError: trainer.devices=4096 is more than the ... processor cores here: give at most as many
    """
    # Others, such as TPUs, are Lightning's business where they work; elsewhere it would tell to install what they need.
    is_known = not isinstance(accelerator, str) or accelerator in ORDINARY
    if not is_known and not (accelerator in AcceleratorRegistry and _is_available(accelerator)):
        raise ValueError(f"device {accelerator!r} is not available here: choose auto, cpu, cuda or mps")
    is_cpu = accelerator == "cpu" or (accelerator == "auto" and not has_accelerator())
    cores = max(2, os.cpu_count() or 1)
    if is_cpu and str(devices).isdecimal() and int(devices) > cores:
        raise ValueError(
            f"trainer.devices={devices} is more than the {cores} processor cores here: give at most as many"
        )


def has_accelerator() -> bool:
    """Whether "auto" finds something other than the CPU."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _is_available(accelerator: str) -> bool:
    return bool(AcceleratorRegistry[accelerator]["accelerator"].is_available())
