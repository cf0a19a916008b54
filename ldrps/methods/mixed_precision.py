"""The Trainer's precision, for pretrained networks alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from modules.backbones.precision import Precision


@contextmanager
def networks_only(method: nn.Module, device: torch.device) -> Iterator[None]:
    """Within it, the networks of a method compute as the Trainer says; what is learnt, compared and filtered does not.

    Args:
        method: Whose networks; those that are a `Precision`.
        device: Where it computes.
    """
    kind = device.type
    compute_dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    for part in method.modules():
        if isinstance(part, Precision):
            part.compute_dtype = compute_dtype
    with torch.autocast(kind, enabled=False):
        yield
