"""Non-local means."""

import numpy as np
from torch import Tensor

from ldrps.methods.baselines.base import Baseline, through_numpy


class NonLocalMeans(Baseline):
    """Averages similar patches, with the noise level estimated from the image (scikit-image).

    Args:
        strength: Filter strength as a multiple of the estimated noise level.

    References:
        Buades et al. 2005, A non-local algorithm for image denoising; Donoho and Johnstone 1994 (the estimate).
    """

    def __init__(self, strength: float = 0.7) -> None:
        super().__init__()
        self.strength = strength

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        from skimage.restoration import denoise_nl_means, estimate_sigma

        def tool(array: np.ndarray) -> np.ndarray:
            sigma = float(np.mean(estimate_sigma(array, channel_axis=2)))
            options = {"patch_size": 5, "patch_distance": 6, "fast_mode": True, "channel_axis": 2}
            return denoise_nl_means(array, h=self.strength * sigma, sigma=sigma, **options)

        return through_numpy(tool, image)
