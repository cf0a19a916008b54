"""Visual information fidelity."""

import torch
from kornia.filters import filter2d_separable, get_gaussian_kernel1d
from torch import Tensor

from ldrps.metrics.base import Metric

NOISE_VARIANCE = 2.0
"""Of the eye, on the scale 0-255."""

SCALES = 4
TINY = 1e-10


class VIF(Metric):
    """Share of the target's visual information that the image keeps, in the pixel domain; 1 for equal images.

    The same numbers as torchmetrics' (test), with the Gaussian windows applied along rows and columns in turn, in a
    fifth of the time: in torchmetrics it is most of what a run of `ldrps test` costs besides restoring.

    References:
        Sheikh and Bovik 2006, Image information and visual quality, Sec. V (pixel domain version of the authors).
    """

    name = "vif"
    min_side_px = 41
    implementation = "ldrps, equal to torchmetrics 1.9, pixel domain, four scales, noise variance 2 on the scale 0-255"

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `Metric.measure`."""
        preds, target = preds * 255, target * 255
        kept, there = (torch.zeros(preds.shape[:2]).to(preds) for _ in range(2))
        for scale in range(SCALES):
            size = 2 ** (SCALES - scale) + 1
            kernel = get_gaussian_kernel1d(size, size / 5, device=preds.device, dtype=preds.dtype)
            if scale:
                preds, target = (windowed(image, kernel)[:, :, ::2, ::2] for image in (preds, target))
            information, whole = information_of(preds, target, kernel)
            kept, there = kept + information, there + whole
        return (kept / there).mean(dim=1)


def information_of(preds: Tensor, target: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Information of one scale that the image keeps and that the target has, shape (B, C) each."""
    maps = torch.cat([preds, target, preds**2, target**2, preds * target], dim=1)
    mean_p, mean_t, square_p, square_t, product = windowed(maps, kernel).chunk(5, dim=1)
    variance_p = (square_p - mean_p**2).clamp_min(0)
    variance_t = (square_t - mean_t**2).clamp_min(0)
    covariance = product - mean_p * mean_t

    # The image is modelled as gain * target + noise; where that makes no sense, it is all noise.
    gain = covariance / (variance_t + TINY)
    noise = variance_p - gain * covariance
    is_flat, is_lost = variance_t < TINY, variance_p < TINY
    noise = noise.where(~is_flat, variance_p).where(~is_lost, 0.0).where(gain >= 0, variance_p).clamp_min(TINY)
    gain = gain.where(~(is_flat | is_lost), 0.0).clamp_min(0)
    variance_t = variance_t.where(~is_flat, 0.0)

    kept = torch.log10(1 + gain**2 * variance_t / (noise + NOISE_VARIANCE)).sum(dim=(2, 3))
    return kept, torch.log10(1 + variance_t / NOISE_VARIANCE).sum(dim=(2, 3))


def windowed(image: Tensor, kernel: Tensor) -> Tensor:
    """Mean in a Gaussian window around each pixel that has a whole one."""
    return filter2d_separable(image, kernel, kernel, padding="valid")
