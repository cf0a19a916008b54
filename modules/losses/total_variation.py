"""Neighbouring pixels of the restored image should be alike."""

import torch
from torch import Tensor

from modules.losses.base import Loss, State


class TotalVariation(Loss):
    """Mean length of the image gradient (isotropic total variation) of the restored image.

    Args:
        smoothing: Length below which gradients count as quadratic, in image units.

    References:
        Rudin, Osher and Fatemi 1992, Nonlinear total variation based noise removal algorithms.
    """

    reach_px = 1

    def __init__(self, smoothing: float = 1e-3) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        image = state.restored
        down = image[..., 1:, :-1] - image[..., :-1, :-1]
        right = image[..., :-1, 1:] - image[..., :-1, :-1]
        return state.mean(torch.sqrt(down**2 + right**2 + self.smoothing**2))
