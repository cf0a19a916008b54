"""A gain to mid grey."""

from torch import Tensor

from ldrps.methods.baselines.mid_grey import MidGrey


class Gain(MidGrey):
    """``image * gain`` with the gain that takes the image's mean to `mid_grey`.

    Args:
        mid_grey: See `MidGrey`.
    """

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        return image * (self.mid_grey / image.mean().clamp(min=1e-3))
