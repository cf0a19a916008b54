"""Measures of closeness to a ground truth, from torchmetrics and kornia; none needs torchvision."""

import kornia
import torchmetrics
import torchmetrics.functional.image as functional
from torch import Tensor

from ldrps.metrics.base import Metric

LIBRARY = f"torchmetrics {torchmetrics.__version__}"


class PSNR(Metric):
    """Peak signal-to-noise ratio in decibels, data range 1."""

    name = "psnr"
    implementation = f"{LIBRARY}, data range 1"

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `Metric.measure`."""
        return functional.peak_signal_noise_ratio(preds, target, data_range=1.0, reduction="none", dim=(1, 2, 3))


class PSNRMeanMatched(PSNR):
    """PSNR after scaling the image to the target's mean brightness: the low-light literature's "GT-mean"."""

    name = "psnr_gt_mean"
    implementation = f"{LIBRARY}, data range 1, image scaled to the target's mean luma (GT-mean)"

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `Metric.measure`."""
        gain = mean_luma(target) / mean_luma(preds).clamp_min(1e-6)
        return super().measure((preds * gain).clamp(0, 1), target)


class SSIM(Metric):
    """Structural similarity with a Gaussian window of 11 pixels, sigma 1.5, where the whole window is in the image.

    As the authors' MATLAB code and scikit-image; torchmetrics also counts the border, with mirrored windows: 0.637
    against 0.642 on a noisy photo.

    References:
        Wang et al. 2004, Image quality assessment: from error visibility to structural similarity.
    """

    name = "ssim"
    min_side_px = 11
    implementation = f"kornia {kornia.__version__}, Gaussian window 11, sigma 1.5, whole windows only, data range 1"

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `Metric.measure`."""
        return kornia.metrics.ssim(preds, target, window_size=11, max_val=1.0, padding="valid").mean(dim=(1, 2, 3))


class MultiScaleSSIM(Metric):
    """Structural similarity over five scales; the border counts in the coarsest alone, with mirrored windows."""

    name = "ms_ssim"
    min_side_px = 176
    implementation = f"{LIBRARY}, five scales, Gaussian window 11, sigma 1.5, data range 1"

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `Metric.measure`."""
        return functional.multiscale_structural_similarity_index_measure(
            preds, target, data_range=1.0, reduction="none"
        ).reshape(-1)


def mean_luma(image: Tensor) -> Tensor:
    """Mean brightness of each image, shape (B, 1, 1, 1)."""
    weights = image.new_tensor([0.299, 0.587, 0.114]) if image.shape[1] == 3 else image.new_ones(1)
    return (image * weights.view(1, -1, 1, 1)).sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True)
