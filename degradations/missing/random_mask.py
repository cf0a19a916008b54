"""Missing pixels."""

from torch import Tensor

from degradations.base import per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, seeds, uniform, uniform_field
from degradations.missing.mask import Mask
from degradations.parameters import Parameters


class RandomMask(Mask):
    """Single pixels, each missing with the same probability.

    Args:
        amount: Interval of the share of pixels that are missing; 0.5 is usual, 0.9 extreme.
        fill: Interval of the grey value that takes their place; 0 is black.

    Raises:
        ValueError: If an interval is reversed or outside [0, 1].
    """

    def __init__(self, amount: Interval = (0.5, 0.5), fill: Interval = (0.0, 0.0)) -> None:
        super().__init__(fill)
        self.amount = check_interval("amount", amount, 0, 1)

    def sample_mask(self, generators: Generators) -> Parameters:
        """See `Mask.sample_mask`; which pixels is kept as a seed."""
        return {"amount": uniform(self.amount, generators), "seed": seeds(generators)}

    def missing(self, parameters: Parameters, image: Tensor) -> Tensor:
        """See `Mask.missing`."""
        luck = uniform_field(parameters["seed"], (1, *image.shape[2:]), image)
        return (luck < per_image(parameters["amount"], image)).to(image)
