"""Ringing and overshoot of an ideal low-pass filter."""

from math import pi

import torch
from torch import Tensor

from degradations.blur.blur import Blur, normalised, offsets
from degradations.checks import IntegerInterval, Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.parameters import Parameters


class SincFilter(Blur):
    """Kernel ``w J1(w r) / (2 pi r)``, ``w^2 / (4 pi)`` at r = 0: cuts all frequencies above w, in all directions.

    Args:
        cutoff: Interval of the cut-off frequency w in radians a pixel; pi keeps nearly all, pi / 5 rings widely. None
            draws from [pi / 3, pi] for kernels below 13 pixels and [pi / 5, pi] for larger ones.
        kernel_size: Interval of the kernel's side in pixels, odd numbers.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Wang et al. 2021, Real-ESRGAN, Sec. 3.2, Eq. 6.
    """

    word = "ringing artifact"

    def __init__(self, cutoff: Interval | None = None, kernel_size: IntegerInterval = (21, 21)) -> None:
        super().__init__(kernel_size)
        self.cutoff = cutoff if cutoff is None else check_interval("cutoff", cutoff, 0.1, pi)

    def sample_shape(self, generators: Generators) -> Parameters:
        """See `Blur.sample_shape`; how far the cut-off is from its lowest to its highest value."""
        return {"cutoff_share": uniform((0, 1), generators)}

    def kernels(self, parameters: Parameters, size: int) -> Tensor:
        """See `Blur.kernels`."""
        low, high = self.cutoff or (pi / 3 if size < 13 else pi / 5, pi)
        cutoff = (low + (high - low) * parameters["cutoff_share"].double()).view(-1, 1, 1)
        radius = (offsets(size)[:, None] ** 2 + offsets(size)[None, :] ** 2).sqrt()[None]
        # The centre is a limit; any other number avoids dividing by zero before it is replaced.
        away = torch.where(radius == 0, 1.0, radius)
        ring = cutoff * torch.special.bessel_j1(cutoff * away) / (2 * pi * away)
        return normalised(torch.where(radius == 0, cutoff**2 / (4 * pi), ring))
