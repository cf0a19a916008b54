"""Which measures run with a ground truth, with everything needed to quote them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torchmetrics
import torchmetrics.functional.image as image_metrics
from torch import Tensor


@dataclass(frozen=True)
class FullReference:
    """A measure of a restored image against its target.

    Attributes:
        name: Column name.
        compute: Takes predictions and targets, shape (1, 3, H, W), range [0, 1].
        min_side_px: Images with a shorter side cannot be measured.
        settings: What must be known to compare the number with others.
    """

    name: str
    compute: Callable[[Tensor, Tensor], Any]
    min_side_px: int
    settings: str

    def __call__(self, preds: Tensor, target: Tensor) -> float | None:
        """Measure one image, shape (3, H, W), rounded to 8 bits as it would be stored; None if it is too small."""
        if min(preds.shape[-2:]) < self.min_side_px:
            return None
        stored = [(image.clamp(0, 1) * 255).round()[None] / 255 for image in (preds, target)]
        return float(self.compute(*stored))


_LIBRARY = f"torchmetrics {torchmetrics.__version__}, RGB, 8-bit, no crop"

FULL_REFERENCE = (
    FullReference(
        "psnr_db",
        lambda preds, target: image_metrics.peak_signal_noise_ratio(preds, target, data_range=1.0),
        1,
        f"{_LIBRARY}, data range 1, mean of per-image values",
    ),
    FullReference(
        "ssim",
        lambda preds, target: image_metrics.structural_similarity_index_measure(preds, target, data_range=1.0),
        11,
        f"{_LIBRARY}, Gaussian window 11, sigma 1.5",
    ),
    FullReference(
        "ms_ssim",
        lambda preds, target: image_metrics.multiscale_structural_similarity_index_measure(
            preds, target, data_range=1.0
        ),
        161,
        f"{_LIBRARY}, five scales, Gaussian window 11, sigma 1.5",
    ),
)
"""Measures of every `ldrps test`; all run without torchvision."""
