"""Sampling with the mean-reverting SDE."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modules.blocks import BLOCK_PX, first_blocks
from modules.fused_windows import fused
from modules.networks.restoration_network import RestorationNetwork
from modules.sde.mean_reverting import MeanReverting
from modules.views import mean_of_views
from modules.windows import WindowSettings

GRID_PX = 16
"""Windows start at multiples of it, and what is mirrored is a multiple of it wide: a network knows where JPEG's blocks
lie, 8 pixels wide and of colour 16, from the border of the photo on."""


class Embeddings(NamedTuple):
    """What DA-CLIP says of degraded images, each shape (B, D) and not normalised; None without DA-CLIP."""

    content: Tensor | None = None
    degradation: Tensor | None = None

    def of(self, rows: list[int]) -> "Embeddings":
        """What is said of some of the images."""
        return Embeddings(*(None if values is None else values[rows] for values in self))


@torch.no_grad()
def sample(
    network: RestorationNetwork,
    scheduler: MeanReverting,
    degraded: Tensor,
    embeddings: Embeddings,
    generators: list[torch.Generator],
    observe: Callable[[float, Tensor], None] = lambda timestep, x0_prediction: None,
    windows: WindowSettings = WindowSettings(side_px=None),
    num_views: int = 1,
    aligns_blocks: bool = False,
) -> Tensor:
    """Lead degraded images back to clean ones.

    Args:
        network: Predicts what the scheduler's prediction type says.
        scheduler: The SDE, its step rule and the timesteps to visit.
        degraded: Shape (B, 3, H, W), range [0, 1]; the mean that the SDE reverts to.
        embeddings: What the network is told about them.
        generators: One an image.
        observe: Sees timestep and x0 prediction of every step.
        windows: How images are cut that the network does not see at once; its predictions are fused. Noise and
            embeddings are those of the whole image.
        num_views: Over how many flips and turns of a window its predictions are averaged.
        aligns_blocks: Whether an image is moved, for the network's eyes, to where its blocks of JPEG lie as they did in
            training: an image that was cut after it was coded.

    Returns:
        The sample at timestep 0, same shape, not clipped.

    References:
        Luo et al. 2023, Image Restoration with Mean-Reverting Stochastic Differential Equations, Algorithm 2.
    """
    images = scheduler.initial_sample(degraded, generators)
    by_border = _by_border(degraded) if aligns_blocks else {(0, 0): list(range(len(degraded)))}
    for timestep in scheduler.timesteps:  # T, ..., 1
        timesteps = timestep.to(degraded).expand(len(degraded))

        def predict(both: Tensor, rows: list[int], timesteps: Tensor = timesteps) -> Tensor:
            prediction: Tensor = network(*both.chunk(2, dim=1), timesteps[rows], *embeddings.of(rows))
            return prediction.float()

        output = torch.empty_like(images)
        for border, rows in by_border.items():
            both = torch.cat([images[rows], degraded[rows]], dim=1)
            output[rows] = _in_windows(partial(predict, rows=rows), both, border, windows, num_views)
        step = scheduler.step(output, timestep, images, degraded, generators)
        observe(float(timestep), step.pred_original_sample)
        images = step.prev_sample
    return images


def _by_border(images: Tensor) -> dict[tuple[int, int], list[int]]:
    """Numbers of images by the rows above and columns on the left with which blocks begin where they are expected."""
    rows: dict[tuple[int, int], list[int]] = {}
    for number, (top, left) in enumerate((-first_blocks(images) % BLOCK_PX).tolist()):
        rows.setdefault((top, left), []).append(number)
    return rows


def _in_windows(
    predict: Callable[[Tensor], Tensor],
    both: Tensor,
    border: tuple[int, int],
    windows: WindowSettings,
    num_views: int,
) -> Tensor:
    """What is predicted of a picture with a border above and on the left, in windows, each seen from several sides."""
    top, left = border
    height, width = (length + more for length, more in zip(both.shape[-2:], border, strict=True))
    is_whole = windows.side_px is None or max(height, width) <= windows.side_px
    if is_whole and num_views == 1 and border == (0, 0):
        return predict(both)
    padded = F.pad(both, (left, -width % GRID_PX, top, -height % GRID_PX), mode="replicate")
    seen = partial(mean_of_views, predict, num_views=num_views)
    side = max(padded.shape[-2:]) if windows.side_px is None or is_whole else windows.side_px
    return fused(seen, padded, side, windows.overlap_px, GRID_PX)[..., top:height, left:width]
