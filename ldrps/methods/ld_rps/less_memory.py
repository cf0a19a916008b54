"""How a restoration in latents needs less memory: smaller windows, then lower precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

from ldrps.methods.economies import Economy
from modules.backbones.base import Backbone
from modules.windows import WindowSettings

SMALLEST_WINDOW_PX = 128
"""Below, a window is mostly margin."""


def less_memory(backbone: Backbone, size: tuple[int, int], device: torch.device) -> Iterator[Economy]:
    """Economies for pictures of this height and width, the mildest first.

    Example:
        >>> from modules.backbones.stable_diffusion import StableDiffusion
        >>> [economy.name for economy in less_memory(StableDiffusion(), (600, 800), torch.device("cpu"))]
        ['windows of 256 px', 'windows of 128 px', 'networks in bfloat16']
    """
    side, overlap = backbone.windows.side_px, backbone.windows.overlap_px
    side = max(size) if side is None else min(side, max(size))
    while (side := side // 2) >= SMALLEST_WINDOW_PX:
        yield Economy(
            f"windows of {side} px", partial(_windows, backbone, WindowSettings(side, min(overlap, side // 4)))
        )
    if not (backbone.is_low or torch.is_autocast_enabled(device.type)):
        yield Economy("networks in bfloat16", partial(torch.autocast, device.type, dtype=torch.bfloat16))


@contextmanager
def _windows(backbone: Backbone, windows: WindowSettings) -> Iterator[None]:
    before = backbone.windows
    backbone.windows = windows
    try:
        yield
    finally:
        backbone.windows = before
