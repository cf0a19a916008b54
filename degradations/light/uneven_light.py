"""Light that varies over the picture."""

import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.parameters import Parameters


class UnevenLight(Degradation):
    """Takes light away over a smooth random map: ``degraded = image * 2 ** (-stops * shade)``.

    The shade is smooth between knots that lie anywhere from 0, where the light stays, to 1, where all `stops` are lost:
    a lamp in a dark room, a window, the shadow of a house.

    Args:
        stops: Interval of how often the brightness is halved where the shade is 1, in the image's own values, as in
            `LowLight`; 0 keeps it.
        grid_size: Knots a side of the map; 2 gives a slope, larger numbers smaller patches of light.

    Raises:
        ValueError: If the interval is reversed or outside [0, 10], or grid_size is below 2.
    """

    word = "low light"

    def __init__(self, stops: Interval = (1.0, 3.0), grid_size: int = 4) -> None:
        if grid_size < 2:
            raise ValueError(f"grid_size={grid_size} must be at least 2; for even light use LowLight")
        self.stops = check_interval("stops", stops, 0, 10)
        self.grid_size = grid_size

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {
            "stops": uniform(self.stops, generators),
            "shade": uniform((0, 1), generators, 1, self.grid_size, self.grid_size),
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        shade = F.interpolate(parameters["shade"].to(image), size=image.shape[2:], mode="bicubic", align_corners=True)
        return (image * 2 ** (-per_image(parameters["stops"], image) * shade.clamp(0, 1))).clamp(0, 1)
