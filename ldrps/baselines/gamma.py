"""A gamma curve to mid grey."""

from math import log

from torch import Tensor

from ldrps.baselines.base import Baseline


class Gamma(Baseline):
    """``image ** gamma`` with the gamma that takes the image's mean to `mid_grey`.

    Args:
        mid_grey: Brightness the mean is taken to, 0 to 1.
    """

    def __init__(self, mid_grey: float = 0.5) -> None:
        super().__init__()
        self.mid_grey = mid_grey

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        mean = min(max(float(image.mean()), 1e-3), 1 - 1e-3)
        return image ** (log(self.mid_grey) / log(mean))
