"""Biharmonic inpainting."""

import numpy as np
from torch import Tensor

from ldrps.methods.baselines.base import Baseline, through_numpy
from modules.alignment.missing_pixels import missing_pixels


class Biharmonic(Baseline):
    """Fills areas of exact black with hard edges as smoothly as a bent plate (scikit-image); leaves the rest alone.

    References:
        Damelin and Hoang 2018, On Surface Completion and Image Inpainting by Biharmonic Functions.
    """

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        from skimage.restoration import inpaint_biharmonic

        missing = missing_pixels(image[None])[0, 0].cpu().numpy()

        def tool(array: np.ndarray) -> np.ndarray:
            return inpaint_biharmonic(array, missing, channel_axis=2)

        return through_numpy(tool, image) if missing.any() else image
