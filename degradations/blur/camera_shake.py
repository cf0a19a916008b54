"""Motion along a curve."""

from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.blur.blur import Blur, normalised
from degradations.checks import IntegerInterval, Interval, check_interval
from degradations.drawing import Generators, normal, uniform
from degradations.parameters import Parameters

NUM_POINTS = 48
"""Moments of the exposure at which the direction changes."""


class CameraShake(Blur):
    """The curved path of a hand-held camera while the shutter was open.

    The direction of motion is a random walk, ``a_t = a_{t-1} + curvature n_t``, the speed varies smoothly by up to a
    factor of two; the path is scaled to fill the kernel, and each of its points spread over the four nearest cells.

    Args:
        kernel_size: Interval of the path's larger extent in pixels, odd numbers; 9 is slight, 25 strong.
        curvature: Interval of the standard deviation of the turn between two moments, in radians; 0 is a straight line,
            0.3 a scribble.

    Raises:
        ValueError: If an interval is reversed, out of range or has an even end.

    References:
        Boracchi and Foi 2012, Modeling the performance of image restoration from motion blur, Sec. II (random
        trajectories; here without their sudden jerks).
    """

    word = "motion blur"

    def __init__(self, kernel_size: IntegerInterval = (11, 25), curvature: Interval = (0.05, 0.25)) -> None:
        super().__init__(kernel_size)
        self.curvature = check_interval("curvature", curvature, 0, 3)

    def sample_shape(self, generators: Generators) -> Parameters:
        """See `Blur.sample_shape`."""
        turns = normal(generators, NUM_POINTS)
        return {
            "direction": uniform((0, 2 * torch.pi), generators),
            "turns": uniform(self.curvature, generators)[:, None] * turns,
            "pace": uniform((0, 2 * torch.pi), generators),
        }

    def kernels(self, parameters: Parameters, size: int) -> Tensor:
        """See `Blur.kernels`."""
        direction, turns, pace = (parameters[name].double() for name in ("direction", "turns", "pace"))
        angles = direction[:, None] + turns.cumsum(1)
        moments = torch.linspace(0, 2 * torch.pi, NUM_POINTS, dtype=torch.float64)
        speed = 1.5 + 0.5 * torch.cos(moments + pace[:, None])
        path = (torch.stack([angles.sin(), angles.cos()], dim=2) * speed[:, :, None]).cumsum(1)
        low, high = path.amin(1, keepdim=True), path.amax(1, keepdim=True)
        extent = (high - low).amax(2, keepdim=True)
        corners = (path - (low + high) / 2) / extent * (size - 1) + size // 2
        return normalised(torch.stack([_drawn(row, size) for row in corners]))


def _drawn(corners: Tensor, size: int) -> Tensor:
    """How long a path through corners, shape (NUM_POINTS, 2), stays in each of size x size cells."""
    # A winding path is far longer than its extent; between its corners, points at most a third of a cell apart.
    longest = float((corners[1:] - corners[:-1]).norm(dim=1).max())
    count = (NUM_POINTS - 1) * max(1, ceil(3 * longest)) + 1
    cells = F.interpolate(corners.T[None], size=count, mode="linear", align_corners=True)[0].T
    # A point counts in a cell by how near it is, linearly, in both directions.
    grid = torch.arange(size, dtype=torch.float64)
    near = (1 - (cells[..., None] - grid).abs()).clamp_min(0)
    return torch.einsum("ty,tx->yx", near[:, 0], near[:, 1])
