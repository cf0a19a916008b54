"""Lost colour."""

import torch
from kornia.color import rgb_to_grayscale
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.parameters import Parameters


class Grey(Degradation):
    """Mixes each pixel with its luma: ``degraded = (1 - amount) * image + amount * (0.299 R + 0.587 G + 0.114 B)``.

    Args:
        amount: Interval of the lost saturation; 1 is black and white, 0.7 a faded print.

    Raises:
        ValueError: If the interval is reversed or outside [0, 1].

    References:
        ITU-R BT.601 (the weights).
    """

    word = "grey"

    def __init__(self, amount: Interval = (1.0, 1.0)) -> None:
        self.amount = check_interval("amount", amount, 0, 1)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"amount": uniform(self.amount, generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        luma = rgb_to_grayscale(image).expand_as(image)
        return torch.lerp(image, luma, per_image(parameters["amount"], image)).clamp(0, 1)
