"""A tone curve per image, guessed from the histogram and refined while sampling: low light, haze, low contrast."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.alignment.base import Alignment


class ToneCurve(Alignment):
    """psi(x) = low + (high - low) * x ** gamma, per image and channel.

    The first guess is the curve under which the restored image would use the whole range and be of middle brightness:
    ``low`` and ``high`` are the brightness percentiles of the degraded image (of all channels together, so that
    colours keep their balance), and ``gamma`` brings the mean of the restored image to ``mid_grey``.

    Args:
        percentile: Share of pixels below ``low`` and above ``high``, in (0, 0.5).
        mid_grey: Mean brightness the restored image should have, in (0, 1).
        gamma_strength: How far to go from gamma 1 (0) to full mid-grey (1); well-exposed photos differ in brightness.
        smoothing_px: Side of the window that averages noise away before the percentiles are taken.

    Raises:
        ValueError: If percentile, mid_grey or gamma_strength lie outside their intervals.
    """

    def __init__(
        self,
        percentile: float = 0.01,
        mid_grey: float = 0.45,
        gamma_strength: float = 0.5,
        smoothing_px: int = 5,
    ) -> None:
        super().__init__()
        if not 0 < percentile < 0.5:
            raise ValueError(f"percentile={percentile} must lie in (0, 0.5)")
        if not 0 < mid_grey < 1:
            raise ValueError(f"mid_grey={mid_grey} must lie in (0, 1)")
        if not 0 <= gamma_strength <= 1:
            raise ValueError(f"gamma_strength={gamma_strength} must lie in [0, 1]")
        self.percentile = percentile
        self.mid_grey = mid_grey
        self.gamma_strength = gamma_strength
        self.smoothing_px = smoothing_px

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        window = min(self.smoothing_px, *degraded.shape[-2:])
        smooth = F.avg_pool2d(degraded, window, stride=1)
        darkest, brightest = smooth.amin(dim=1).flatten(1), smooth.amax(dim=1).flatten(1)
        low = torch.quantile(darkest, self.percentile, dim=1)
        high = torch.maximum(torch.quantile(brightest, 1 - self.percentile, dim=1), low + 1 / 64)
        stretched = ((smooth.mean(dim=1) - low[:, None, None]) / (high - low)[:, None, None]).clamp(0.01, 1)
        # x ** (1 / gamma) of the mean brightness should be mid_grey.
        gamma = stretched.flatten(1).mean(dim=1).clamp(0.02, 0.98).log() / torch.tensor(self.mid_grey).log()
        gamma = gamma.clamp(0.4, 3) ** self.gamma_strength
        self.low = nn.Parameter(self._per_channel(low))
        self.log_range = nn.Parameter(self._per_channel((high - low).log()))
        self.log_gamma = nn.Parameter(self._per_channel(gamma.log()))

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        chains = len(images) // len(self.low)
        low, scale, gamma = (
            parameter.repeat(chains, 1, 1, 1) for parameter in (self.low, self.log_range.exp(), self.log_gamma.exp())
        )
        # The slope of x ** gamma is infinite or zero at 0; a small floor keeps gradients finite.
        return low + scale * images.clamp(min=1e-3) ** gamma

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        stretched = ((degraded - self.low) / self.log_range.exp()).clamp(0, 1)
        return (stretched ** (-self.log_gamma).exp()).detach()

    @staticmethod
    def _per_channel(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1).repeat(1, 3, 1, 1)
