"""Defocus."""

from torch import Tensor

from degradations.blur.blur import Blur, normalised, offsets
from degradations.checks import IntegerInterval
from degradations.drawing import Generators
from degradations.parameters import Parameters


class DefocusBlur(Blur):
    """A disk, the image of a point by a lens out of focus.

    Args:
        kernel_size: Interval of the disk's diameter in pixels, odd numbers; 5 is slight, 15 strong.

    Raises:
        ValueError: If the interval is reversed or has an even end.
    """

    def __init__(self, kernel_size: IntegerInterval = (7, 15)) -> None:
        super().__init__(kernel_size)

    def sample_shape(self, generators: Generators) -> Parameters:
        """See `Blur.sample_shape`: a disk has its size only."""
        return {}

    def kernels(self, parameters: Parameters, size: int) -> Tensor:
        """See `Blur.kernels`; cells closer to the centre than ``size // 2 + 1``, corners excepted, as in pyblur."""
        y, x = offsets(size)[:, None].abs(), offsets(size)[None, :].abs()
        edge = size // 2
        disk = ((y**2 + x**2).sqrt() < edge + 1) & ~((y == edge) & (x == edge) & (edge > 0))
        return normalised(disk.double()[None]).expand(len(parameters["kernel_size"]), -1, -1)
