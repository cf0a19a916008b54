"""Too few tones."""

from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import IntegerInterval, check_integers
from degradations.drawing import Generators, integers
from degradations.parameters import Parameters


class Banding(Degradation):
    """Rounds to equally spaced levels: ``degraded = round(image * (levels - 1)) / (levels - 1)``.

    Args:
        levels: Interval of the number of levels per channel; 256 is 8 bits, 16 visible in skies, 4 a poster.

    Raises:
        ValueError: If the interval is reversed or below 2.
    """

    word = "banding"
    is_differentiable = False

    def __init__(self, levels: IntegerInterval = (8, 16)) -> None:
        self.levels = check_integers("levels", levels, 2, 65536)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"levels": integers(self.levels, generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        steps = per_image(parameters["levels"] - 1, image)
        return (image * steps).round() / steps
