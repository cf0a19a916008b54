"""A gamma curve to mid grey."""

from math import log

from torch import Tensor

from ldrps.methods.baselines.mid_grey import MidGrey


class Gamma(MidGrey):
    """``image ** gamma`` with the gamma that takes the image's mean to `mid_grey`.

    Args:
        mid_grey: See `MidGrey`.
    """

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        mean = min(max(float(image.mean()), 1e-3), 1 - 1e-3)
        return image ** (log(self.mid_grey) / log(mean))
