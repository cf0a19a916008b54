"""Rain streaks."""

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.blur.blur import convolve
from degradations.blur.motion_blur import line_kernels
from degradations.checks import IntegerInterval, Interval, check_interval, check_kernel_size
from degradations.drawing import Generators, integers, seeds, uniform, uniform_field
from degradations.parameters import Parameters, where

GAUSSIAN_RADIUS = 3.0
"""Standard deviations after which a Gaussian is cut off."""

SMALLEST_WIDTH = 0.01
"""Standard deviation in pixels at which a Gaussian is a single pixel and still a number."""


class Rain(Degradation):
    """Bright streaks in front of the scene: ``degraded = image * (1 - a) + brightness * a``.

    The opacity ``a`` is a field of random drops, each drawn out along one direction for as long as the shutter was
    open, and as wide as it was out of focus; drops differ in opacity.

    Args:
        density: Interval of the drops per pixel; 0.001 is a shower, 0.01 a downpour.
        kernel_size: Interval of the streaks' length in pixels, odd numbers.
        angle: Interval of the direction in degrees; 90 falls straight down.
        opacity: Interval of the opacity of the thickest drop.
        brightness: Interval of the light the drops scatter, 0 to 1.
        width: Interval of the standard deviation in pixels that widens the streaks, as drops near the lens and out of
            focus are; 0 leaves them a pixel thin.

    Raises:
        ValueError: If an interval is reversed, out of range or has an even end.

    References:
        Garg and Nayar 2006, Photorealistic Rendering of Rain Streaks; Yang et al. 2017, Deep Joint Rain Detection and
        Removal, Eq. 1 (the additive layer; here composited, so that it stays in range).
    """

    word = "rain"

    def __init__(
        self,
        density: Interval = (0.002, 0.008),
        kernel_size: IntegerInterval = (11, 27),
        angle: Interval = (70.0, 110.0),
        opacity: Interval = (0.5, 0.8),
        brightness: Interval = (0.8, 0.95),
        width: Interval = (0.0, 0.0),
    ) -> None:
        self.density = check_interval("density", density, 0, 1)
        self.kernel_size = check_kernel_size(kernel_size)
        self.angle = check_interval("angle", angle, -360, 360)
        self.opacity = check_interval("opacity", opacity, 0, 1)
        self.brightness = check_interval("brightness", brightness, 0, 1)
        self.width = check_interval("width", width, 0, 100)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; where the drops are is kept as a seed."""
        intervals = ("density", "angle", "opacity", "brightness")
        parameters = {
            **{name: uniform(getattr(self, name), generators) for name in intervals},
            "kernel_size": integers(self.kernel_size, generators, step=2),
            "seed": seeds(generators),
        }
        # Thin streaks draw what they drew when all were thin, so that what was made of them comes out again.
        return parameters | {"width": uniform(self.width, generators)} if self.width[1] > 0 else parameters

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        luck = uniform_field(parameters["seed"], (2, *image.shape[2:]), image)
        drops = luck[:, 1:] * (luck[:, :1] < per_image(parameters["density"], image))
        streaks = torch.empty_like(drops)
        for size in parameters["kernel_size"].unique().tolist():
            rows = where(parameters["kernel_size"] == size)
            lines = line_kernels(parameters["angle"][rows], size)
            if "width" in parameters:
                lines = self._widened(lines, parameters["width"][rows])
            # Height 1 along the line, so that a drop keeps its opacity over the whole streak.
            streaks[rows] = convolve(drops[rows], lines / lines.amax(dim=(1, 2), keepdim=True))
        opacity = streaks.clamp(0, 1) * per_image(parameters["opacity"], image)
        return torch.lerp(image, per_image(parameters["brightness"], image).expand_as(image), opacity).clamp(0, 1)

    def _widened(self, lines: Tensor, width: Tensor) -> Tensor:
        """Blur lines, shape (B, k, k), each by its own width, in a square large enough for the widest."""
        radius = int(GAUSSIAN_RADIUS * self.width[1] + 0.5)
        sigma = width.to(lines)[:, None].clamp(min=SMALLEST_WIDTH).expand(-1, 2)
        padded = F.pad(lines, (radius,) * 4)[:, None]
        return gaussian_blur2d(padded, (2 * radius + 1,) * 2, sigma, border_type="constant")[:, 0]
