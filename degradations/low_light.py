"""Too little light."""

from collections.abc import Sequence

import torch
from torch import Tensor

from degradations.base import Degradation, Interval, Parameters, check_interval, per_image, uniform


class LowLight(Degradation):
    """Underexposes an image: ``degraded = image ** gamma * 2 ** -stops``.

    Args:
        stops: Interval of exposure loss in photographic stops; 0 keeps the brightness, 3 is a dark room.
        gamma: Interval of the tone-curve exponent, no unit; 1 keeps the curve.

    Raises:
        ValueError: If an interval is reversed or out of range.
    """

    def __init__(self, stops: Interval = (2.5, 2.5), gamma: Interval = (1.2, 1.2)) -> None:
        self.stops = check_interval("stops", stops, 0, 10)
        self.gamma = check_interval("gamma", gamma, 0.1, 10)

    def sample_parameters(self, generators: Sequence[torch.Generator]) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"stops": uniform(self.stops, generators), "gamma": uniform(self.gamma, generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        gamma, stops = (per_image(parameters[name], image) for name in ("gamma", "stops"))
        return image**gamma * 2**-stops
