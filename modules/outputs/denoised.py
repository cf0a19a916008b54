"""The input with its damage undone, denoised by a network that is told how much noise lies where."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from modules.backbones.loading import load_frozen
from modules.backbones.precision import Precision
from modules.networks.pixel_denoiser import PixelDenoiser
from modules.outputs.base import Output, Undo, UndoAt
from modules.outputs.clipped_noise import ClippedNoise
from modules.outputs.photo_noise import BRIGHTNESS_RADIUS_PX, local_mean
from modules.outputs.undone_noise import Noise, UndoneNoise, in_rgb
from modules.views import check_num_views, mean_of_views
from modules.windows import Window

FAINT = 2 / 255
"""Standard deviation of noise below which the network's correction fades to nothing, so that a photo without noise is
left as it is."""


class Denoised(Output, Precision):
    """out = f(m(y), s), with a convolutional network f, the undone input m(y) and the map s of its noise.

    The map is what was heard in the photo, at each brightness, enlarged by the slope of what undoes the damage: a dark
    corner that was made four times as bright has four times the noise. The sample takes no part; it has done its work
    when the damage is known.

    Args:
        weights: Folder of the `PixelDenoiser`; ``package:`` paths lie in an installed package.
        noise_weights: Folder of the `NoiseShare`.
        strength: Factor of the estimated noise level.
        num_views: How many of the eight flips and turns of the photo are denoised and averaged.

    Raises:
        ValueError: If strength is negative, or num_views outside 1 to 8.

    References:
        Zhang et al. 2018, FFDNet: Toward a Fast and Flexible Solution for CNN based Image Denoising, Sec. 3.
    """

    reach_px = 84 + BRIGHTNESS_RADIUS_PX
    """Of the embedded network: its convolutions on a half, a quarter and an eighth of the resolution; and of what says
    how bright a place is."""

    grid_px = 8
    """The network's coarsest pixels."""

    uses_sample = False
    """The sample has done its work when the damage is known."""

    network: Any
    """The `PixelDenoiser`, there once its weights are read."""

    def __init__(
        self,
        weights: str = "package:ldrps/pretrained/mini/pixel_denoiser",
        noise_weights: str = "package:ldrps/pretrained/mini/noise_share",
        strength: float = 1.0,
        num_views: int = 2,
    ) -> None:
        super().__init__()
        self.weights = weights
        self.num_views = check_num_views(num_views)
        self.noise = UndoneNoise(noise_weights, strength)

    def load(self) -> None:
        """See `Output.load`."""
        self.noise.load()
        if not hasattr(self, "network"):
            network = load_frozen(PixelDenoiser, self.weights, "output Denoised", "pixel_denoiser", "output Decoded")
            # A fifth faster on a CPU.
            self.network = network.to(memory_format=torch.channels_last)

    def look(self, degraded: Tensor, undo_at: UndoAt, windows: Sequence[Window]) -> Noise:
        """Find the noise; see `Output.look`."""
        return self.noise.find(degraded, undo_at, windows)

    @torch.no_grad()
    def forward(self, decoded: Tensor, degraded: Tensor, undo: Undo, facts: Noise | None = None) -> Tensor:
        """See `Output.forward`."""
        self.load()
        self.network.to(degraded)
        noise = self.look_at_whole(degraded, undo) if facts is None else facts
        undone = undo(degraded)
        deviation = in_rgb(noise.variance).sqrt()
        weight = (deviation / FAINT).clamp(max=1)
        # Most photos have no noise, and the network is most of this output's time.
        if not bool(weight.any()):
            return undone
        mean = local_mean(undone)
        black, white = undo(torch.zeros_like(degraded)), undo(torch.ones_like(degraded))
        clipped = ClippedNoise.heard(deviation, mean, black, white)
        denoised = clipped.undone(self._denoised(undone, clipped.left_at(mean)))
        return torch.lerp(undone, denoised, weight)

    def _denoised(self, images: Tensor, deviation: Tensor) -> Tensor:
        """Mean over the views of what the network makes of images, both of shape (B, 3, H, W)."""
        height, width = images.shape[-2:]
        # Turned by half, a picture's last pixels come first: its coarsest pixels must begin where they begin unturned.
        edge = (0, -width % self.grid_px, 0, -height % self.grid_px)
        both = F.pad(torch.cat([images, deviation], dim=1), edge, mode="replicate")
        return mean_of_views(self._network_denoised, both, self.num_views)[..., :height, :width]

    def _network_denoised(self, both: Tensor) -> Tensor:
        images, deviation = both.chunk(2, dim=1)
        return self.precisely(partial(self.network, noise_std=deviation), images)
