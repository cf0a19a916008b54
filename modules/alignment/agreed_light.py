"""Light and haze as a network guesses them, with a global exposure halfway to what the histogram says."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modules.alignment.light_and_haze import LightAndHaze
from modules.alignment.tone_curve import ToneCurve


class AgreedLight(LightAndHaze):
    """psi as in `LightAndHaze`; what it undoes starts as the geometric mean of two opinions about the light.

    A network has seen how bright rooms and streets are, but says it roughly; the brightest and darkest pixels say
    exactly how much light is missing, but only if something in the scene was white. Their errors have little in common,
    so that the mean of their logarithms errs less than either where both see darkness (docs/benchmarks.md).

    Args:
        weights: See `LightAndHaze`.
        light_belief: See `LightAndHaze`.
        haze_belief: See `LightAndHaze`.
    """

    @torch.no_grad()
    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        super().begin(degraded, generators)
        curve = ToneCurve()
        curve.begin(degraded, generators)
        # What is undone is (y * gain) ** (1 / gamma): the mean of two logarithms of it has the mean of both factors.
        exponent = (-self.log_gamma).exp()
        their_exponent = (-curve.log_gamma).exp()
        white = (curve.offset + curve.log_scale.exp()).log()
        mean_exponent = (exponent + their_exponent) / 2
        log_gain = (exponent * self.log_gain - their_exponent * white) / (2 * mean_exponent)
        self.log_gain = nn.Parameter(log_gain)
        self.log_gamma = nn.Parameter(-mean_exponent.log())
