"""The average colour of the restored image should be grey."""

import torch
from torch import Tensor

from modules.losses.base import Loss, State


class ColorConstancy(Loss):
    """Root of the summed fourth powers of the differences between the channel means of the restored image.

    References:
        Guo et al. 2020, Zero-Reference Deep Curve Estimation, Eq. 7 (grey-world assumption), in the form of the
        released LD-RPS code.
    """

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        red, green, blue = state.restored_color().unbind(dim=1)
        fourth_powers = (red - green) ** 4 + (red - blue) ** 4 + (green - blue) ** 4
        # The root has no slope at 0, where the loss is at its minimum.
        return torch.sqrt(fourth_powers + 1e-12)
