"""What is measured unless a protocol says otherwise."""

from ldrps.metrics.base import Metric
from ldrps.metrics.color_difference import ColorDifference
from ldrps.metrics.fidelity import PSNR, SSIM, MultiScaleSSIM, PSNRMeanMatched
from ldrps.metrics.learned import CLIPIQA, DISTS, LPIPS
from ldrps.metrics.pyiqa import PyIQA
from ldrps.metrics.vif import VIF


def default_metrics() -> list[Metric]:
    """Fidelity always, and what needs packages or weights that may be missing."""
    fidelity = [PSNR(), PSNRMeanMatched(), SSIM(), MultiScaleSSIM(), VIF(), ColorDifference()]
    learned = [LPIPS(), DISTS(), CLIPIQA()]
    return [*fidelity, *learned, *(PyIQA(name) for name in ("niqe", "pi", "musiq"))]
