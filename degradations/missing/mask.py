"""What masks for inpainting share."""

from abc import abstractmethod

import torch
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.parameters import Parameters


class Mask(Degradation):
    """``degraded = image * (1 - missing) + fill * missing`` with a binary map of missing pixels.

    Args:
        fill: Interval of the grey value that takes the place of what is missing; 0 is black.

    Raises:
        ValueError: If the interval is reversed or outside [0, 1].
    """

    word = "missing parts"

    def __init__(self, fill: Interval = (0.0, 0.0)) -> None:
        self.fill = check_interval("fill", fill, 0, 1)

    @abstractmethod
    def sample_mask(self, generators: Generators) -> Parameters:
        """Draw what defines the map, without knowing the image's size."""

    @abstractmethod
    def missing(self, parameters: Parameters, image: Tensor) -> Tensor:
        """Make the map, shape (B, 1, H, W), 1 where a pixel is missing and 0 elsewhere, like `image`."""

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"fill": uniform(self.fill, generators), **self.sample_mask(generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        fill = per_image(parameters["fill"], image).expand_as(image)
        return torch.where(self.missing(parameters, image) > 0, fill, image)
