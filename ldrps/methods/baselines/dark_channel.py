"""Dehazing by the dark channel prior."""

import torch.nn.functional as F
from torch import Tensor

from ldrps.methods.baselines.base import Baseline


class DarkChannel(Baseline):
    """Estimates haze from the darkest value of each neighbourhood and removes it; no soft matting.

    Args:
        window_px: Side of the neighbourhood, odd.
        omega: Share of the haze that is removed.
        floor: Smallest transmission.

    Raises:
        ValueError: If window_px is not an odd number from 1 on.

    References:
        He et al. 2009, Single Image Haze Removal Using Dark Channel Prior, Eq. 5, 12, 22.
    """

    def __init__(self, window_px: int = 15, omega: float = 0.95, floor: float = 0.1) -> None:
        super().__init__()
        if window_px < 1 or window_px % 2 == 0:
            raise ValueError(f"window_px={window_px} must be odd and at least 1; 15 is usual")
        self.window_px = window_px
        self.omega = omega
        self.floor = floor

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        dark = self._darkest(image)
        brightest = dark.flatten().topk(max(1, dark.numel() // 1000)).indices
        airlight = image.flatten(1)[:, brightest].amax(dim=1).clamp_min(1e-3).view(3, 1, 1)
        transmission = (1 - self.omega * self._darkest(image / airlight)).clamp_min(self.floor)
        return (image - airlight) / transmission + airlight

    def _darkest(self, image: Tensor) -> Tensor:
        darkest = image.amin(dim=0, keepdim=True)
        edge = self.window_px // 2
        padded = F.pad(darkest[None], (edge,) * 4, mode="replicate")
        return -F.max_pool2d(-padded, self.window_px, stride=1)[0]
