"""How far the colours are off, as people see them."""

from importlib.metadata import version

import numpy as np
from torch import Tensor

from ldrps.metrics.base import Metric


class ColorDifference(Metric):
    """Mean CIEDE2000 difference of the pixels; about 1 is just visible, 0 is equal.

    References:
        Luo, Cui, Rigg 2001, The development of the CIE 2000 colour-difference formula.
    """

    name = "ciede2000"
    higher_is_better = False
    implementation = f"scikit-image {version('scikit-image')}, D65, mean over pixels"

    def __init__(self, border_px: int = 0) -> None:
        super().__init__("rgb", border_px)

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `Metric.measure`."""
        from skimage.color import deltaE_ciede2000, rgb2lab

        first, second = (rgb2lab(images.permute(0, 2, 3, 1).float().cpu().numpy()) for images in (preds, target))
        differences = deltaE_ciede2000(first, second)
        return preds.new_tensor(np.asarray(differences).reshape(len(preds), -1).mean(axis=1))
