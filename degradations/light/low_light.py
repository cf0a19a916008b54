"""Too little light."""

import torch
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, normal_field, seeds, uniform
from degradations.parameters import Parameters


class LowLight(Degradation):
    """Underexposes an image: ``degraded = clip(image ** gamma * 2 ** -stops + sigma * n)``, standard normal ``n``.

    Args:
        stops: Interval of how often the brightness is halved, in the image's own values; 0 keeps it, 3 is a dark room.
            These values follow light by a power of about 1 / 2.2, so that each is about 2.2 photographic stops.
        gamma: Interval of the tone-curve exponent, no unit; 1 keeps the curve.
        sigma: Interval of the standard deviation of the noise in image units, which the brightness does not shrink.

    Raises:
        ValueError: If an interval is reversed or out of range.
    """

    word = "low light"

    def __init__(
        self, stops: Interval = (2.5, 2.5), gamma: Interval = (1.2, 1.2), sigma: Interval = (0.0, 0.0)
    ) -> None:
        self.stops = check_interval("stops", stops, 0, 10)
        self.gamma = check_interval("gamma", gamma, 0.1, 10)
        self.sigma = check_interval("sigma", sigma, 0, 1)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; the noise itself is kept as a seed."""
        return {
            "stops": uniform(self.stops, generators),
            "gamma": uniform(self.gamma, generators),
            "sigma": uniform(self.sigma, generators),
            "seed": seeds(generators),
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        gamma, stops, sigma = (per_image(parameters[name], image) for name in ("gamma", "stops", "sigma"))
        # A curve flatter than a line is infinitely steep at black, which no gradient survives.
        dark = torch.where(image > 0, image.clamp_min(1e-8) ** gamma, 0.0) * 2**-stops
        if (parameters["sigma"] > 0).any():
            dark = dark + sigma * normal_field(parameters["seed"], image.shape[1:], image)
        return dark.clamp(0, 1)

    def words(self, parameters: Parameters) -> list[tuple[str, ...]]:
        """See `Degradation.words`; noise is named where there is some."""
        return [(self.word, "noise") if sigma > 0 else (self.word,) for sigma in parameters["sigma"].tolist()]
