"""Light that differs from place to place, for photos that are known to be too dark: back light, lamps, deep shadows."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.framing import by_frame, contents, in_order, is_plain

MAP_CELLS, RADIUS_CELLS = 64, 4
"""Cells a side of the maps, whatever the size of the picture, and around a cell that its light is told from."""

EDGE = 0.1
"""Contrast of neighbouring cells from which on the light differs between them; below it is the scene that does."""

DARKEST = 0.04
"""Illumination below which less and less of it is undone: a black sky is a file's rounding rather than a picture."""

NUM_NEWTON_STEPS = 8


class Illumination(Alignment):
    """psi(x) = x T ** share, with the illumination T of each place; where T is next to nothing, with a smaller share.

    T = a m + b, with m the brightest channel of what is seen and with smooth maps a and b, is the edge-preserving
    average of m (guided filter): details keep their contrast, and no halo surrounds what stands in front of the light.
    What share of its logarithm is undone is that with which the illumination has the mean of ordinary photos. Nothing
    becomes brighter than white.

    It does not ask whether the photo is too dark, which only who took it knows: shadows may be meant.

    Args:
        brightness: Mean of the illumination to reach, in (0, 1).
        least_share: Share that is undone even of pictures as bright as that, since somebody said they are too dark.
        largest_share: Bound of the share, below 1, at which no shadow would be left.

    Raises:
        ValueError: If brightness or the shares lie outside their intervals.

    References:
        Land and McCann 1971, Lightness and Retinex Theory; Guo et al. 2017, LIME: Low-Light Image Enhancement via
        Illumination Map Estimation, Eq. 2 and 3 (the brightest channel, and a power of the refined map); He et al.
        2013, Guided Image Filtering, Eq. 5 to 8, and He and Sun 2015, Fast Guided Filter (maps at low resolution).
    """

    slope: Tensor
    level: Tensor
    """The maps a and b, shape (B, 1, g, g)."""

    def __init__(self, brightness: float = 0.45, least_share: float = 0.25, largest_share: float = 0.75) -> None:
        super().__init__()
        if not 0 < brightness < 1:
            raise ValueError(f"brightness={brightness} must lie in (0, 1)")
        if not 0 <= least_share <= largest_share < 1:
            raise ValueError(
                f"least_share={least_share} and largest_share={largest_share} must lie in [0, 1), in this order"
            )
        self.brightness = brightness
        self.least_share = least_share
        self.largest_share = largest_share

    @torch.no_grad()
    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        degraded = degraded.float()
        self.slope, self.level, _ = _illumination(degraded)
        frames = by_frame(degraded)
        self.share = nn.Parameter(in_order([self._share(inside) for inside in contents(degraded, frames)], frames))

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        chains = len(images) // len(self.share)
        slope, level, share = (
            values.repeat(chains, 1, 1, 1) for values in (*self._maps(images), self.share.clamp(0, 0.95))
        )
        # What is seen is where its own illumination says how dark it is: m = M T(m) ** share, in logarithms.
        restored = images.amax(dim=1, keepdim=True).clamp(min=1e-4)
        with torch.no_grad():
            seen = restored
            for _ in range(NUM_NEWTON_STEPS):
                seen = _newton(seen, restored, slope, level, share)
        # One step from the solution has its gradient.
        seen = _newton(seen, restored, slope, level, share)
        return images * (share * _darkness(slope * seen + level)).exp()

    @torch.no_grad()
    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        slope, level = self._maps(degraded)
        illumination = slope * degraded.amax(dim=1, keepdim=True) + level
        return (degraded * (-self.share.clamp(0, 0.95) * _darkness(illumination)).exp()).clamp(0, 1)

    def _maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The maps a and b at every pixel of images."""
        return self.place(self.slope, images), self.place(self.level, images)

    def _share(self, images: Tensor) -> Tensor:
        """What share of the logarithm is undone, shape (B, 1, 1, 1), by bisection; none where nothing is seen."""
        *_, illumination = _illumination(images)
        low, high = (torch.full((len(images), 1, 1, 1), share).to(images) for share in (0.0, self.largest_share))
        for _ in range(12):
            middle = (low + high) / 2
            lit = illumination * (-middle * _darkness(illumination)).exp()
            dark = lit.mean(dim=(1, 2, 3), keepdim=True) < self.brightness
            low, high = torch.where(dark, middle, low), torch.where(dark, high, middle)
        return torch.where(is_plain(images).view(-1, 1, 1, 1), 0, low.clamp(min=self.least_share))


def _illumination(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The maps a and b, and the illumination of each cell, shape (B, 1, g, g)."""
    brightest = F.adaptive_avg_pool2d(images.amax(dim=1, keepdim=True), MAP_CELLS)
    mean = _average(brightest)
    variance = (_average(brightest**2) - mean**2).clamp(min=0)
    slope = variance / (variance + EDGE**2)
    slope, level = _average(slope), _average((1 - slope) * mean)
    return slope, level, slope * brightest + level


def _average(cells: Tensor) -> Tensor:
    side = 2 * RADIUS_CELLS + 1
    return F.avg_pool2d(F.pad(cells, [RADIUS_CELLS] * 4, mode="replicate"), side, stride=1)


def _darkness(illumination: Tensor) -> Tensor:
    """Logarithm of the illumination, at most 0, that goes back to 0 below `DARKEST`."""
    lit = illumination.clamp(1e-4, 1)
    return (lit / DARKEST).clamp(max=1) * lit.log()


def _newton(seen: Tensor, restored: Tensor, slope: Tensor, level: Tensor, share: Tensor) -> Tensor:
    """One step of Newton towards ``seen = restored * exp(share * darkness(seen))``, in logarithms."""
    illumination = slope * seen + level
    lit = illumination.clamp(1e-4, 1)
    steepness = torch.where(lit < DARKEST, (lit.log() + 1) / DARKEST, 1 / lit)
    derivative = 1 - share * slope * seen * torch.where(illumination < 1, steepness, 0)
    step = (restored.log() + share * _darkness(illumination) - seen.log()) / derivative
    return seen * step.clamp(-3, 3).exp()
