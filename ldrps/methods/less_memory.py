"""How a restoration needs less memory: smaller windows, then lower precision."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

import torch

from ldrps.methods.economies import Economy
from modules.windows import WindowSettings

SMALLEST_WINDOW_PX = 128
"""Below, a window is mostly margin."""


class InWindows(Protocol):
    """What takes large pictures in windows."""

    windows: WindowSettings


def less_memory(
    made_in: InWindows, size: tuple[int, int], device: torch.device, is_low: Callable[[], bool] = lambda: False
) -> Iterator[Economy]:
    """Economies for pictures of this height and width, the mildest first.

    Args:
        made_in: Whose windows become smaller.
        size: Height and width.
        device: Where it computes.
        is_low: Whether its precision was low anyway, when that is to be lowered.

    Example:
        >>> from modules.backbones.stable_diffusion import StableDiffusion
        >>> [economy.name for economy in less_memory(StableDiffusion(), (600, 800), torch.device("cpu"))]
        ['windows of 256 px', 'windows of 128 px', 'networks in bfloat16']
    """
    side, overlap = made_in.windows.side_px, made_in.windows.overlap_px
    side = max(size) if side is None else min(side, max(size))
    while (side := side // 2) >= SMALLEST_WINDOW_PX:
        yield Economy(
            f"windows of {side} px", partial(_windows, made_in, WindowSettings(side, min(overlap, side // 4)))
        )
    if not (is_low() or torch.is_autocast_enabled(device.type)):
        yield Economy("networks in bfloat16", partial(torch.autocast, device.type, dtype=torch.bfloat16))


@contextmanager
def _windows(made_in: InWindows, windows: WindowSettings) -> Iterator[None]:
    before = made_in.windows
    made_in.windows = windows
    try:
        yield
    finally:
        made_in.windows = before
