"""Noise that was cut off at black and white: there it is smaller than elsewhere, and its mean is not the photo.

With x the photo, n normal noise of unit variance and s its standard deviation in units of the photo, what is seen is
``max(black, x + s n)``. In units of s above black its mean and variance are

    M(x) = x Phi(x) + phi(x),    S^2(x) = (x^2 + 1) Phi(x) + x phi(x) - M^2(x)

with the normal density phi and its integral Phi; white is the same from the other side. A denoiser returns the mean.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

TABLE_END, TABLE_STEPS = 5.0, 512
"""Standard deviations from black or white from which on nothing is cut off, and entries of a table for each of them."""


class ClippedNoise(NamedTuple):
    """Noise of B photos, and between which values they were cut off.

    Attributes:
        deviation: Standard deviation of the noise before it was cut off, shape (B, 3, H, W) or broadcastable to it.
        black: What black became, shape (B, 3, H, W).
        white: What white became, shape (B, 3, H, W), nowhere below `black`.

    References:
        Foi 2009, Clipped noisy images: Heteroskedastic modeling and practical denoising (Sec. 2 and 4).
    """

    deviation: Tensor
    black: Tensor
    white: Tensor

    @classmethod
    def heard(cls, deviation: Tensor, mean: Tensor, black: Tensor, white: Tensor) -> "ClippedNoise":
        """Tell how much noise there was from how much is left.

        Args:
            deviation: Standard deviation of what is left, heard from all channels together, shape (B, 3, H, W).
            mean: Local mean of what is seen, same shape.
            black: See `ClippedNoise`.
            white: See `ClippedNoise`.
        """
        left = deviation.mean(dim=1, keepdim=True).clamp(min=1e-6)
        seen, lowest, highest = (channels.mean(dim=1, keepdim=True) for channels in (mean, black, white))
        nearest = torch.minimum(seen - lowest, highest - seen)
        return cls(deviation / _looked_up(_DEVIATION_BY_RATIO, nearest / left), black, white)

    def left_at(self, mean: Tensor) -> Tensor:
        """Standard deviation of what is left of the noise where the mean of what is seen is so high, (B, 3, H, W)."""
        units = self.deviation.clamp(min=1e-6)
        nearest = torch.minimum(mean - self.black, self.white - mean)
        return self.deviation * _looked_up(_DEVIATION_BY_MEAN, nearest / units)

    def undone(self, mean: Tensor) -> Tensor:
        """The photo behind noise that, cut off, has that mean, shape (B, 3, H, W)."""
        units = self.deviation.clamp(min=1e-6)
        above, below = (mean - self.black) / units, (self.white - mean) / units
        return mean - units * (_looked_up(_EXCESS_BY_MEAN, above) - _looked_up(_EXCESS_BY_MEAN, below))


def _looked_up(table: Tensor, place: Tensor) -> Tensor:
    """A function with values at evenly spread places from 0 to `TABLE_END`; beyond them that at the nearest."""
    position = (place * TABLE_STEPS).clamp(0, len(table) - 1)
    start = position.floor().clamp(max=len(table) - 2)
    table = table.to(place)
    return torch.lerp(table[start.long()], table[start.long() + 1], position - start)


def _tables() -> tuple[Tensor, Tensor, Tensor]:
    """By the mean of what is left, how much it is too high, and the deviation; the deviation by their ratio, too.

    No photo is darker than black: below the mean and the ratio there, they are what they are there.
    """
    photo = np.linspace(0, TABLE_END, 16 * round(TABLE_END * TABLE_STEPS))
    below, density = ndtr(photo), np.exp(-(photo**2) / 2) / math.sqrt(2 * math.pi)
    mean = photo * below + density
    deviation = np.sqrt((photo**2 + 1) * below + photo * density - mean**2)
    places = np.arange(round(TABLE_END * TABLE_STEPS) + 1) / TABLE_STEPS
    tables = (
        places - np.interp(places, mean, photo),
        np.interp(places, mean, deviation),
        np.interp(places, mean / deviation, deviation),
    )
    excess, by_mean, by_ratio = (torch.from_numpy(table).float() for table in tables)
    return excess, by_mean, by_ratio


_EXCESS_BY_MEAN, _DEVIATION_BY_MEAN, _DEVIATION_BY_RATIO = _tables()
