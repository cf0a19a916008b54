"""Haze and fog."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation, Interval, Parameters, check_interval, per_image, uniform


class Haze(Degradation):
    """Atmospheric scattering: ``degraded = image * t + airlight * (1 - t)``.

    Args:
        transmission: Interval of the transmission ``t``; 1 is clear air, 0.3 dense haze.
        airlight: Interval of the brightness of the haze, equal for all channels.
        grid_size: 1 gives even haze; larger numbers a smooth random transmission map from that many knots a side.

    Raises:
        ValueError: If an interval is reversed or outside [0, 1], or grid_size is below 1.

    References:
        Koschmieder 1924; He et al. 2009, Single Image Haze Removal Using Dark Channel Prior, Eq. 1.
    """

    def __init__(
        self, transmission: Interval = (0.3, 0.6), airlight: Interval = (0.8, 0.95), grid_size: int = 1
    ) -> None:
        if grid_size < 1:
            raise ValueError(f"grid_size={grid_size} must be at least 1, which gives even haze")
        self.transmission = check_interval("transmission", transmission, 0, 1)
        self.airlight = check_interval("airlight", airlight, 0, 1)
        self.grid_size = grid_size

    def sample_parameters(self, generators: Sequence[torch.Generator]) -> Parameters:
        """See `Degradation.sample_parameters`."""
        knots = uniform(self.transmission, generators, 1, self.grid_size, self.grid_size)
        return {"transmission": knots, "airlight": uniform(self.airlight, generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        knots = parameters["transmission"].to(image)
        transmission = F.interpolate(knots, size=image.shape[-2:], mode="bilinear", align_corners=True)
        return image * transmission + per_image(parameters["airlight"], image) * (1 - transmission)
