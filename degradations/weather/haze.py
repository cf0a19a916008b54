"""Haze and fog."""

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.parameters import Parameters


class Haze(Degradation):
    """Atmospheric scattering: ``degraded = image * t + airlight * (1 - t)``, ``t = transmission ** depth``.

    The depth runs from 0, at the camera, to 1, where the air lets `transmission` through. A depth map of your own,
    shape (B, 1, h, w) of any size, takes the place of the parameter ``depth``:
    ``haze.apply(image, haze.sample_parameters(generators) | {"depth": depth})``.

    Args:
        transmission: Interval of the transmission at depth 1; 1 is clear air, 0.3 dense haze.
        airlight: Interval of the brightness of the haze, equal for all channels.
        grid_size: 1 gives even haze, depth 1 everywhere; larger numbers a smooth random depth map from that many knots
            a side.

    Raises:
        ValueError: If an interval is reversed or outside [0, 1], or grid_size is below 1.

    References:
        Koschmieder 1924; He et al. 2009, Single Image Haze Removal Using Dark Channel Prior, Eq. 1 and 2.
    """

    word = "haze"

    def __init__(
        self, transmission: Interval = (0.3, 0.6), airlight: Interval = (0.8, 0.95), grid_size: int = 1
    ) -> None:
        if grid_size < 1:
            raise ValueError(f"grid_size={grid_size} must be at least 1, which gives even haze")
        self.transmission = check_interval("transmission", transmission, 0, 1)
        self.airlight = check_interval("airlight", airlight, 0, 1)
        self.grid_size = grid_size

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        even = torch.ones(len(generators), 1, 1, 1)
        knots = uniform((0, 1), generators, 1, self.grid_size, self.grid_size) if self.grid_size > 1 else even
        return {
            "transmission": uniform(self.transmission, generators),
            "airlight": uniform(self.airlight, generators),
            "depth": knots,
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        depth = F.interpolate(parameters["depth"].to(image), size=image.shape[2:], mode="bicubic", align_corners=True)
        transmission = per_image(parameters["transmission"], image) ** depth.clamp(0, 1)
        return torch.lerp(per_image(parameters["airlight"], image), image, transmission).clamp(0, 1)
