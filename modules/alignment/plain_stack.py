"""The plain convolution stack: TAO's degradation net, the released LD-RPS code's default."""

from collections.abc import Sequence

import torch
from torch import Tensor

from modules.alignment.base import Alignment
from modules.alignment.fpam import convolution_stack, with_mean_channel


class PlainStack(Alignment):
    """psi(x) = h2(x): convolutions only, starting at random (Kaiming normal, zero bias).

    Args:
        width: Channels of the first layer, 64 in the released code (371,587 parameters an image).
        use_mean_channel: Feed R, G, B and their mean M.
    """

    def __init__(self, width: int = 64, use_mean_channel: bool = False) -> None:
        super().__init__()
        self.width = width
        self.use_mean_channel = use_mean_channel

    @property
    def reach_px(self) -> int:
        """See `Alignment.reach_px`; three convolutions of 3 x 3."""
        return 3

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        self.stack = convolution_stack(4 if self.use_mean_channel else 3, self.width, generators).to(degraded)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        return self.stack(with_mean_channel(images) if self.use_mean_channel else images)
