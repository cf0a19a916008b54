"""Noise in proportion to the brightness."""

from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, normal_field, seeds, uniform
from degradations.parameters import Parameters


class SpeckleNoise(Degradation):
    """``degraded = clip(image * (1 + sigma * n))`` with standard normal ``n``: coherent light, radar, ultrasound.

    Args:
        sigma: Interval of the standard deviation of the factor, no unit; 0.1 is visible, 0.4 strong.

    Raises:
        ValueError: If the interval is reversed or outside [0, 2].
    """

    word = "noise"

    def __init__(self, sigma: Interval = (0.2, 0.2)) -> None:
        self.sigma = check_interval("sigma", sigma, 0, 2)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; the noise itself is kept as a seed."""
        return {"sigma": uniform(self.sigma, generators), "seed": seeds(generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        noise = normal_field(parameters["seed"], image.shape[1:], image)
        return (image * (1 + per_image(parameters["sigma"], image) * noise)).clamp(0, 1)
