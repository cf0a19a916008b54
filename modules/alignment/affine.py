"""A linear tone curve per channel: exposure, haze, colour cast."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modules.alignment.base import Alignment


class Affine(Alignment):
    """psi(x) = scale * x + offset, per image and channel, starting from the identity."""

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        shape = (len(degraded), 3, 1, 1)
        self.scale = nn.Parameter(degraded.new_ones(shape))
        self.offset = nn.Parameter(degraded.new_zeros(shape))

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        chains = len(images) // len(self.scale)
        return self.scale.repeat(chains, 1, 1, 1) * images + self.offset.repeat(chains, 1, 1, 1)

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        return ((degraded - self.offset) / self.scale.clamp(min=1e-3)).detach().clamp(0, 1)
