"""Box blur."""

import torch
from torch import Tensor

from degradations.blur.blur import Blur
from degradations.checks import IntegerInterval
from degradations.drawing import Generators
from degradations.parameters import Parameters


class BoxBlur(Blur):
    """A square of equal weights ``1 / k^2``: what averaging k x k pixels does.

    Args:
        kernel_size: Interval of the square's side k in pixels, odd numbers; 3 is slight, 11 strong.

    Raises:
        ValueError: If the interval is reversed or has an even end.
    """

    def __init__(self, kernel_size: IntegerInterval = (5, 11)) -> None:
        super().__init__(kernel_size)

    def sample_shape(self, generators: Generators) -> Parameters:
        """See `Blur.sample_shape`: a box has its size only."""
        return {}

    def kernels(self, parameters: Parameters, size: int) -> Tensor:
        """See `Blur.kernels`."""
        return torch.full((len(parameters["kernel_size"]), size, size), 1 / size**2, dtype=torch.float64)
