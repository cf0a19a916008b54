"""No damage but what every loss sees: for noise, and as the reference in ablations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from modules.alignment.base import Alignment


class Identity(Alignment):
    """psi(x) = x; nothing is learnt."""

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """Nothing to start."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the images."""
        return images
