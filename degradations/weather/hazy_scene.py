"""Haze over the depth of a scene, with its sky."""

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.parameters import Parameters

FIELD_KNOTS = 4
"""Knots a side of the part of the depth that nothing in the picture tells."""


class HazyScene(Degradation):
    """Haze as outdoors: ``degraded = image * t + airlight * (1 - t)``, ``t = transmission ** depth``, tinted airlight.

    The depth, from 0 at the camera to 1, is made of three parts in random shares: it grows from the bottom of the
    picture to the top, as ground does up to the horizon; it grows with what is bright and pale, as skies are; and it
    varies smoothly at random.

    Args:
        transmission: Interval of the transmission at depth 1; 1 is clear air, 0.1 dense haze.
        airlight: Interval of the brightness of the haze.
        tint: Interval of the distance between a colour channel of the haze and its brightness.

    Raises:
        ValueError: If an interval is reversed or outside [0, 1], and for `tint` outside [-0.5, 0.5].

    References:
        Koschmieder 1924; Zhu et al. 2015, A Fast Single Image Haze Removal Algorithm Using Color Attenuation Prior,
        Eq. 8 (depth of what is bright and pale).
    """

    word = "haze"

    def __init__(
        self, transmission: Interval = (0.1, 0.5), airlight: Interval = (0.7, 0.98), tint: Interval = (-0.06, 0.06)
    ) -> None:
        self.transmission = check_interval("transmission", transmission, 0, 1)
        self.airlight = check_interval("airlight", airlight, 0, 1)
        self.tint = check_interval("tint", tint, -0.5, 0.5)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {
            "transmission": uniform(self.transmission, generators),
            "airlight": uniform(self.airlight, generators, 1) + uniform(self.tint, generators, 3),
            "shares": uniform((0, 1), generators, 3),
            "field": uniform((0, 1), generators, 1, FIELD_KNOTS, FIELD_KNOTS),
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        transmission = per_image(parameters["transmission"], image) ** _depth(image, parameters)
        airlight = parameters["airlight"].to(image).view(-1, 3, 1, 1).clamp(0, 1)
        return torch.lerp(airlight, image, transmission).clamp(0, 1)


def _depth(image: Tensor, parameters: Parameters) -> Tensor:
    """Depth of every pixel in [0, 1], shape (B, 1, H, W)."""
    height, width = image.shape[2:]
    ground = torch.linspace(1, 0, height).to(image).view(1, 1, -1, 1).expand(len(image), 1, height, width)
    brightness, darkest = image.amax(dim=1, keepdim=True), image.amin(dim=1, keepdim=True)
    # Saturation is (max - min) / max; black has none.
    pale = 0.121779 + 0.959710 * brightness - 0.780245 * (brightness - darkest) / brightness.clamp_min(1e-3)
    window = 1 + 2 * (max(height, width) // 24)
    pale = _averaged(pale.clamp(0, 1), window)
    field = F.interpolate(parameters["field"].to(image), size=(height, width), mode="bicubic", align_corners=True)
    shares = parameters["shares"].to(image)
    shares = (shares / shares.sum(dim=1, keepdim=True).clamp_min(1e-6)).view(-1, 3, 1, 1)
    parts = torch.cat([ground, pale, field.clamp(0, 1)], dim=1)
    return (parts * shares).sum(dim=1, keepdim=True).clamp(0, 1)


def _averaged(values: Tensor, window: int) -> Tensor:
    """Mean of each place's square window, of an odd side, as far as the picture goes; rows first, then columns."""
    edge = window // 2
    values = F.avg_pool2d(values, (window, 1), 1, (edge, 0), count_include_pad=False)
    return F.avg_pool2d(values, (1, window), 1, (0, edge), count_include_pad=False)
