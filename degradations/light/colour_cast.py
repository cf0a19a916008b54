"""Wrong white balance."""

from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from torch import Tensor

from degradations.base import Degradation
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, normal, uniform
from degradations.parameters import Parameters


class ColourCast(Degradation):
    """Gains of the channels in linear light: ``linear * 2 ** (stops * d)``, d a random direction of zero mean.

    Args:
        stops: Interval of the strongest channel's gain or loss in photographic stops; 0 is none, 0.5 visible, 1 strong.

    Raises:
        ValueError: If the interval is reversed or outside [0, 5].

    References:
        von Kries 1902 (one gain per channel).
    """

    word = "colour cast"

    def __init__(self, stops: Interval = (0.3, 0.8)) -> None:
        self.stops = check_interval("stops", stops, 0, 5)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        drawn = normal(generators, 3)
        direction = drawn - drawn.mean(dim=1, keepdim=True)
        strongest = direction.abs().amax(dim=1, keepdim=True)
        return {"stops": uniform(self.stops, generators)[:, None] * direction / strongest}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        gains = 2 ** parameters["stops"].to(image).view(-1, 3, 1, 1)
        return linear_rgb_to_rgb((rgb_to_linear_rgb(image) * gains).clamp(0, 1)).clamp(0, 1)
