"""What simple restoration tools share: one image after another, no weights, nothing learnt."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step


class Baseline(Restorer):
    """A tool a user would otherwise reach for: blind, without weights."""

    is_baseline = True

    def __init__(self) -> None:
        super().__init__(seed=0)

    def load(self) -> None:
        """See `Restorer.load`: there are no weights."""

    @abstractmethod
    def restore_one(self, image: Tensor) -> Tensor:
        """Restore one image, shape (3, H, W), range [0, 1]."""

    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """See `Restorer.restore`."""
        return torch.stack([self.restore_one(image).clamp(0, 1) for image in degraded])


def through_numpy(tool: Callable[[np.ndarray], np.ndarray], image: Tensor) -> Tensor:
    """Apply a tool for arrays of shape (H, W, 3), float64, to an image of shape (3, H, W)."""
    # On the CPU first: Apple's GPUs know no double precision.
    array = tool(image.permute(1, 2, 0).cpu().double().numpy())
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1).to(image)
