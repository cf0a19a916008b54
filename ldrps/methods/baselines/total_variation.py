"""Total-variation denoising."""

from torch import Tensor

from ldrps.methods.baselines.base import Baseline, through_numpy


class TotalVariation(Baseline):
    """Chambolle's total-variation denoising (scikit-image).

    Args:
        weight: Weight of the total variation; more is smoother.

    References:
        Chambolle 2004, An algorithm for total variation minimization and applications.
    """

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__()
        self.weight = weight

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        from skimage.restoration import denoise_tv_chambolle

        return through_numpy(lambda array: denoise_tv_chambolle(array, weight=self.weight, channel_axis=2), image)
