"""A gain to mid grey."""

from torch import Tensor

from ldrps.baselines.base import Baseline


class Gain(Baseline):
    """``image * gain`` with the gain that takes the image's mean to `mid_grey`.

    Args:
        mid_grey: Brightness the mean is taken to, 0 to 1.
    """

    def __init__(self, mid_grey: float = 0.5) -> None:
        super().__init__()
        self.mid_grey = mid_grey

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        return image * (self.mid_grey / image.mean().clamp(min=1e-3))
