"""Additive noise that is equally strong everywhere."""

from collections.abc import Sequence

import torch
from torch import Tensor

from degradations.base import Degradation, Interval, Parameters, check_interval, per_image, uniform


class GaussianNoise(Degradation):
    """``degraded = clip(image + sigma * n)`` with standard normal ``n`` for each pixel and channel.

    Args:
        sigma: Interval of the standard deviation in image units; 25 / 255 is clearly visible.

    Raises:
        ValueError: If the interval is reversed or outside [0, 1].

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> degraded = GaussianNoise((0.1, 0.1))(torch.full((1, 3, 64, 64), 0.5), [generator])
        >>> round(float(degraded.std()), 2)
        0.1
    """

    def __init__(self, sigma: Interval = (25 / 255, 25 / 255)) -> None:
        self.sigma = check_interval("sigma", sigma, 0, 1)

    def sample_parameters(self, generators: Sequence[torch.Generator]) -> Parameters:
        """See `Degradation.sample_parameters`; the noise itself is kept as a seed."""
        seeds = [int(torch.randint(2**62, (), generator=generator)) for generator in generators]
        return {"sigma": uniform(self.sigma, generators), "seed": torch.tensor(seeds)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        rows = [
            torch.randn(image.shape[1:], generator=torch.Generator().manual_seed(int(seed)))
            for seed in parameters["seed"]
        ]
        return (image + per_image(parameters["sigma"], image) * torch.stack(rows).to(image)).clamp(0, 1)
