"""Additive noise that is equally strong everywhere."""

import torch
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval, check_probability
from degradations.drawing import Generators, coins, normal_field, seeds, uniform
from degradations.parameters import Parameters


class GaussianNoise(Degradation):
    """``degraded = clip(image + sigma * n)`` with standard normal ``n`` for each pixel and channel.

    Args:
        sigma: Interval of the standard deviation in image units; 25 / 255 is clearly visible.
        grey_probability: How often ``n`` is the same in all channels.

    Raises:
        ValueError: If the interval is reversed or outside [0, 1].

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> degraded = GaussianNoise((0.1, 0.1))(torch.full((1, 3, 64, 64), 0.5), [generator])
        >>> round(float(degraded.std()), 2)
        0.1
    """

    word = "noise"

    def __init__(self, sigma: Interval = (25 / 255, 25 / 255), grey_probability: float = 0.0) -> None:
        self.sigma = check_interval("sigma", sigma, 0, 1)
        self.grey_probability = check_probability("grey_probability", grey_probability)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; the noise itself is kept as a seed."""
        return {
            "sigma": uniform(self.sigma, generators),
            "is_grey": coins(self.grey_probability, generators),
            "seed": seeds(generators),
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        noise = normal_field(parameters["seed"], image.shape[1:], image)
        is_grey = parameters["is_grey"]
        noise[is_grey] = noise[is_grey, :1]
        return torch.addcmul(image, per_image(parameters["sigma"], image), noise).clamp_(0, 1)
