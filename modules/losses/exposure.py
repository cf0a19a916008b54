"""Patches of the restored image should be of middle brightness."""

import torch.nn.functional as F
from torch import Tensor

from modules.losses.base import Loss, State


class Exposure(Loss):
    """Mean of ``(patch brightness - level) ** 2`` over square patches of the restored image.

    Args:
        patch_size_px: Side of the patches; images smaller than a patch are one patch.
        level: Brightness to aim at, in (0, 1).

    Raises:
        ValueError: If patch_size_px is below 1.

    References:
        Guo et al. 2020, Zero-Reference Deep Curve Estimation, Eq. 6 (squared instead of absolute, as in LD-RPS).
    """

    def __init__(self, patch_size_px: int = 32, level: float = 0.5) -> None:
        super().__init__()
        if patch_size_px < 1:
            raise ValueError(f"patch_size_px={patch_size_px} must be at least 1; 32 is usual")
        self.patch_size_px = patch_size_px
        self.grid_px = patch_size_px
        self.level = level

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        brightness = state.restored.mean(dim=1, keepdim=True)
        seen = brightness.shape[-2:]
        height, width = seen if state.window is None else state.window.size
        patch = min(self.patch_size_px, height), min(self.patch_size_px, width)
        if seen[0] < patch[0] or seen[1] < patch[1]:
            # The picture's last window may be thinner than a patch: what it shows lies in no whole one of the picture.
            return 0 * brightness.sum(dim=(1, 2, 3))
        return state.mean((F.avg_pool2d(brightness, patch) - self.level) ** 2, stride=self.patch_size_px)
