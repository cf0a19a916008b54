"""Noise of a camera's sensor."""

from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, log_uniform, normal_field, seeds
from degradations.parameters import Parameters


class CameraNoise(Degradation):
    """Shot and read noise in linear light: ``linear + sqrt(shot * linear + read^2) * n``, between the sRGB curves.

    Args:
        shot: Interval of the shot noise, variance at white in linear light, drawn on a logarithmic scale; 0.0001 is
            base sensitivity, 0.012 ISO 6400 and beyond.
        read: Interval of the standard deviation of the read noise in linear light, drawn on a logarithmic scale.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Foi et al. 2008, Practical Poissonian-Gaussian noise modeling, Eq. 5; Brooks et al. 2019, Unprocessing Images
        for Learned Raw Denoising, Sec. 3.1 (the ranges).
    """

    word = "noise"

    def __init__(self, shot: Interval = (0.003, 0.012), read: Interval = (0.003, 0.02)) -> None:
        # A logarithmic scale has no zero; 1e-12 is far below one 8-bit level.
        self.shot = check_interval("shot", shot, 1e-12, 1)
        self.read = check_interval("read", read, 1e-12, 1)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; the noise itself is kept as a seed."""
        return {
            "shot": log_uniform(self.shot, generators),
            "read": log_uniform(self.read, generators),
            "seed": seeds(generators),
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        shot, read = (per_image(parameters[name], image) for name in ("shot", "read"))
        linear = rgb_to_linear_rgb(image)
        noise = normal_field(parameters["seed"], image.shape[1:], image)
        noisy = linear + (shot * linear + read**2).sqrt() * noise
        return linear_rgb_to_rgb(noisy.clamp(0, 1)).clamp(0, 1)
