"""Rain so dense that single drops are lost in it."""

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.blur.blur import convolve
from degradations.blur.motion_blur import line_kernels
from degradations.checks import IntegerInterval, Interval, check_interval, check_kernel_size
from degradations.drawing import Generators, integers, log_uniform, normal_field, seeds, uniform
from degradations.parameters import Parameters, where
from degradations.weather.rain import GAUSSIAN_RADIUS


class HeavyRain(Degradation):
    """Sheets of streaks that add up to a veil of light: ``degraded = image + fading * (accumulation + contrast * s)``.

    The field ``s`` is white noise drawn out along one direction and widened across it, of mean 0 and variance 1. What
    is below zero in the brackets is no rain, so that an accumulation below zero leaves single broad streaks.
    The rain grows evenly weaker from one side of the picture to the other.

    Args:
        kernel_size: Interval of the streaks' length in pixels, odd numbers.
        width: Interval of the standard deviation in pixels that widens the streaks, drawn on a logarithmic
            scale; 0.3 leaves them thin.
        angle: Interval of the direction in degrees; 90 falls straight down.
        accumulation: Interval of the light that the rain adds on average, -1 to 1.
        contrast: Interval of the standard deviation of the streaks in that light, 0 to 1.
        fading: Interval of the part of the rain that is missing at the side where it is weakest, 0 to 1.

    Raises:
        ValueError: If an interval is reversed, out of range or has an even end.

    References:
        Yang et al. 2017, Deep Joint Rain Detection and Removal, Eq. 1 and 2 (layers of streaks that add up); Li et al.
        2019, Heavy Rain Image Restoration (their accumulation).
    """

    word = "rain"

    def __init__(
        self,
        kernel_size: IntegerInterval = (21, 51),
        width: Interval = (0.3, 2.0),
        angle: Interval = (70.0, 110.0),
        accumulation: Interval = (-0.1, 0.2),
        contrast: Interval = (0.06, 0.15),
        fading: Interval = (0.0, 0.7),
    ) -> None:
        self.kernel_size = check_kernel_size(kernel_size)
        self.width = check_interval("width", width, 0.1, 100)
        self.angle = check_interval("angle", angle, -360, 360)
        self.accumulation = check_interval("accumulation", accumulation, -1, 1)
        self.contrast = check_interval("contrast", contrast, 0, 1)
        self.fading = check_interval("fading", fading, 0, 1)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; the noise that becomes streaks is kept as a seed."""
        intervals = ("angle", "accumulation", "contrast", "fading")
        return {
            **{name: uniform(getattr(self, name), generators) for name in intervals},
            "width": log_uniform(self.width, generators),
            "kernel_size": integers(self.kernel_size, generators, step=2),
            "weakest": uniform((0, 2 * torch.pi), generators),
            "seed": seeds(generators),
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        light = per_image(parameters["accumulation"], image) + per_image(parameters["contrast"], image) * self._streaks(
            image, parameters
        )
        return (image + light.clamp(min=0) * faded(parameters, image)).clamp(0, 1)

    def _streaks(self, image: Tensor, parameters: Parameters) -> Tensor:
        """Noise drawn out, shape (B, 1, H, W), mean 0 and variance 1 wherever it is large enough to have them."""
        noise = normal_field(parameters["seed"], (1, *image.shape[2:]), image)
        for size in parameters["kernel_size"].unique().tolist():
            rows = where(parameters["kernel_size"] == size)
            lines = line_kernels(parameters["angle"][rows], size)
            noise[rows] = convolve(noise[rows], lines)
        side = 2 * int(GAUSSIAN_RADIUS * self.width[1] + 0.5) + 1
        width = parameters["width"].to(image)[:, None].expand(-1, 2)
        blurred = gaussian_blur2d(noise, (side, side), width, border_type="replicate")
        return (blurred - blurred.mean((2, 3), keepdim=True)) / blurred.std((2, 3), correction=0, keepdim=True).clamp(
            min=1e-6
        )


def faded(parameters: Parameters, image: Tensor) -> Tensor:
    """What is left of the rain at each place, shape (B, 1, H, W)."""
    height, width = image.shape[2:]
    rows = torch.linspace(-0.5, 0.5, height).to(image).view(1, 1, -1, 1)
    columns = torch.linspace(-0.5, 0.5, width).to(image).view(1, 1, 1, -1)
    angle = per_image(parameters["weakest"], image)
    along = angle.sin() * rows + angle.cos() * columns
    # From 0 at one corner to 1 at the opposite one.
    share = along / (angle.sin().abs() + angle.cos().abs()) + 0.5
    return 1 - per_image(parameters["fading"], image) * share
