"""Motion along a straight line."""

from kornia.filters import get_motion_kernel2d
from torch import Tensor

from degradations.blur.blur import Blur, normalised
from degradations.checks import IntegerInterval, Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.parameters import Parameters


class MotionBlur(Blur):
    """A straight line of equal weights: camera or subject moved evenly while the shutter was open.

    Args:
        kernel_size: Interval of the line's length in pixels, odd numbers; 7 is slight, 21 strong.
        angle: Interval of the line's direction in degrees; 0-180 are all there are.

    Raises:
        ValueError: If an interval is reversed, out of range or has an even end.
    """

    word = "motion blur"

    def __init__(self, kernel_size: IntegerInterval = (9, 21), angle: Interval = (0.0, 180.0)) -> None:
        super().__init__(kernel_size)
        self.angle = check_interval("angle", angle, -360, 360)

    def sample_shape(self, generators: Generators) -> Parameters:
        """See `Blur.sample_shape`."""
        return {"angle": uniform(self.angle, generators)}

    def kernels(self, parameters: Parameters, size: int) -> Tensor:
        """See `Blur.kernels`."""
        return normalised(line_kernels(parameters["angle"], size))


def line_kernels(angle: Tensor, size: int) -> Tensor:
    """Draw lines through the centre, angle in degrees of shape (B,), result (B, size, size), float64."""
    if size == 1:
        return angle.new_ones(len(angle), 1, 1).double()
    return get_motion_kernel2d(size, angle.double(), angle.double() * 0, mode="bilinear")
