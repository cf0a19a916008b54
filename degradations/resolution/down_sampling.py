"""Too few pixels."""

import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation
from degradations.checks import IntegerInterval, check_integers
from degradations.drawing import Generators, integers
from degradations.parameters import Parameters, where


class DownSampling(Degradation):
    """Shrinks by a whole factor (bicubic, smoothed first) and enlarges back (bicubic): the input of super-resolution.

    The shrinking is Pillow's and MATLAB's ``imresize``; the enlarged image has the size of the clean one, so that both
    can be compared.

    Args:
        factor: Interval of the whole-numbered divisor of the sides; 2 and 4 are usual.

    Raises:
        ValueError: If the interval is reversed or outside [1, 64].
    """

    word = "low resolution"

    def __init__(self, factor: IntegerInterval = (4, 4)) -> None:
        self.factor = check_integers("factor", factor, 1, 64)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"factor": integers(self.factor, generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        degraded = image.clone()
        for factor in parameters["factor"].unique().tolist():
            rows = where(parameters["factor"] == factor)
            small = shrunk(image[rows], factor)
            degraded[rows] = F.interpolate(small, size=image.shape[2:], mode="bicubic").clamp(0, 1)
        return degraded


def shrunk(image: Tensor, factor: int) -> Tensor:
    """Shrink images, shape (B, 3, H, W), to (B, 3, H / factor, W / factor), rounded."""
    sizes = [max(1, round(side / factor)) for side in image.shape[2:]]
    return F.interpolate(image, size=sizes, mode="bicubic", antialias=True).clamp(0, 1)
