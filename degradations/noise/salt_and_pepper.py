"""Dead and hot pixels."""

from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, seeds, uniform, uniform_field
from degradations.parameters import Parameters


class SaltAndPepper(Degradation):
    """Sets a share of the pixels to white or black, all channels together.

    Args:
        amount: Interval of the share of pixels that are hit; 0.02 is visible, 0.2 strong.
        salt: Interval of the share of the hit pixels that turn white.

    Raises:
        ValueError: If an interval is reversed or outside [0, 1].
    """

    word = "noise"

    def __init__(self, amount: Interval = (0.05, 0.05), salt: Interval = (0.5, 0.5)) -> None:
        self.amount = check_interval("amount", amount, 0, 1)
        self.salt = check_interval("salt", salt, 0, 1)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; where the pixels are is kept as a seed."""
        return {
            "amount": uniform(self.amount, generators),
            "salt": uniform(self.salt, generators),
            "seed": seeds(generators),
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        amount, salt = (per_image(parameters[name], image) for name in ("amount", "salt"))
        luck = uniform_field(parameters["seed"], (1, *image.shape[2:]), image)
        is_white, is_hit = (luck < amount * salt), (luck < amount)
        return image.where(~is_hit, is_white.to(image))
