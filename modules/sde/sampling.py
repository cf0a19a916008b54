"""Sampling with the mean-reverting SDE."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

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

    Returns:
        The sample at timestep 0, same shape, not clipped.

    References:
        Luo et al. 2023, Image Restoration with Mean-Reverting Stochastic Differential Equations, Algorithm 2.
    """
    images = scheduler.initial_sample(degraded, generators)
    for timestep in scheduler.timesteps:  # T, ..., 1
        timesteps = timestep.to(degraded).expand(len(degraded))

        def predict(both: Tensor, timesteps: Tensor = timesteps) -> Tensor:
            prediction: Tensor = network(*both.chunk(2, dim=1), timesteps, *embeddings)
            return prediction.float()

        output = _in_windows(predict, torch.cat([images, degraded], dim=1), windows, num_views)
        step = scheduler.step(output, timestep, images, degraded, generators)
        observe(float(timestep), step.pred_original_sample)
        images = step.prev_sample
    return images


def _in_windows(predict: Callable[[Tensor], Tensor], both: Tensor, windows: WindowSettings, num_views: int) -> Tensor:
    """What is predicted of a picture that is looked at in windows, each from several sides."""
    height, width = both.shape[-2:]
    is_whole = windows.side_px is None or max(height, width) <= windows.side_px
    if is_whole and num_views == 1:
        return predict(both)
    padded = F.pad(both, (0, -width % GRID_PX, 0, -height % GRID_PX), mode="replicate")
    seen = partial(mean_of_views, predict, num_views=num_views)
    side = max(padded.shape[-2:]) if windows.side_px is None or is_whole else windows.side_px
    return fused(seen, padded, side, windows.overlap_px, GRID_PX)[..., :height, :width]
