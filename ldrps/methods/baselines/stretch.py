"""Contrast stretch."""

import torch
from torch import Tensor

from ldrps.methods.baselines.base import Baseline


class Stretch(Baseline):
    """The 1st and 99th percentile of all values become black and white.

    Args:
        low: Percentile that becomes black.
        high: Percentile that becomes white.
    """

    def __init__(self, low: float = 1.0, high: float = 99.0) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def restore_one(self, image: Tensor) -> Tensor:
        """See `Baseline.restore_one`."""
        # Sorted here, since torch.quantile takes no more than 16 million values.
        values = image.flatten().sort().values
        black, white = (values[round(share / 100 * (len(values) - 1))] for share in (self.low, self.high))
        return (image - black) / torch.clamp(white - black, min=1e-3)
