"""Light and haze as a network guesses them, with a global exposure two fifths of the way to what the histogram says."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modules.alignment.light_and_haze import LightAndHaze
from modules.alignment.tone_curve import ToneCurve


class AgreedLight(LightAndHaze):
    """psi as in `LightAndHaze`; what it undoes starts as a geometric mean of two opinions about the light.

    A network has seen how bright rooms and streets are, but says it roughly; the brightest and darkest pixels say
    exactly how much light is missing, but only if something in the scene was white. Their errors have little in common,
    so that the mean of their logarithms errs less than either where both see darkness (docs/benchmarks.md).

    Args:
        weights: See `LightAndHaze`.
        light_belief: See `LightAndHaze`.
        haze_belief: See `LightAndHaze`.
        histogram_share: Weight of the histogram in the mean where the network is sure that the light is wrong, in
            [0, 1], and less where it is less sure; the network has the rest.

    Raises:
        ValueError: If histogram_share lies outside [0, 1], and see `LightAndHaze`.
    """

    def __init__(
        self,
        weights: str = "package:ldrps/pretrained/mini/first_guess",
        light_belief: float | None = None,
        haze_belief: float | None = None,
        histogram_share: float = 0.4,
    ) -> None:
        super().__init__(weights, light_belief, haze_belief)
        if not 0 <= histogram_share <= 1:
            raise ValueError(f"histogram_share={histogram_share} must lie in [0, 1]; 0 asks the network alone")
        self.histogram_share = histogram_share

    @torch.no_grad()
    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        super().begin(degraded, generators)
        curve = ToneCurve()
        curve.begin(degraded, generators)
        # Where the network sees no wrong light, haze is what makes the histogram narrow.
        share = self.histogram_share * self.light_share.view(-1, 1, 1, 1)
        # What is undone is (y * gain) ** (1 / gamma): a mean of two logarithms of it has the same mean of both factors.
        own, theirs = (weight * (-net.log_gamma).exp() for weight, net in ((1 - share, self), (share, curve)))
        white = (curve.offset + curve.log_scale.exp()).log()
        self.log_gain = nn.Parameter((own * self.log_gain - theirs * white) / (own + theirs))
        self.log_gamma = nn.Parameter(-(own + theirs).log())
