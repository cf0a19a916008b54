"""A sensor that sees one colour a pixel."""

import torch
import torch.nn.functional as F
from kornia.color import CFA, linear_rgb_to_rgb, raw_to_rgb, rgb_to_linear_rgb, rgb_to_raw
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.parameters import Parameters


class Mosaic(Degradation):
    """Keeps one colour of each pixel (Bayer, red first) and interpolates the two others, in linear light.

    After noise it makes the noise a camera's: coarser than white, and less so in green.

    Args:
        amount: Interval of the share of the interpolated image; 1 is one photo of an ordinary camera, 0 leaves it out.

    Raises:
        ValueError: If the interval is reversed or outside [0, 1].

    References:
        Bayer 1976, Color imaging array, US patent 3971065.
    """

    word = "noise"

    def __init__(self, amount: Interval = (1.0, 1.0)) -> None:
        self.amount = check_interval("amount", amount, 0, 1)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"amount": uniform(self.amount, generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        height, width = image.shape[-2:]
        # The mosaic repeats every two pixels.
        even = F.pad(rgb_to_linear_rgb(image), (0, width % 2, 0, height % 2), mode="replicate")
        seen = raw_to_rgb(rgb_to_raw(even, CFA.BG), CFA.BG)[..., :height, :width]
        seen = linear_rgb_to_rgb(seen.clamp(0, 1))
        return torch.lerp(image, seen, per_image(parameters["amount"], image)).clamp(0, 1)
