"""Falling snow."""

import torch
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.blur.blur import column, convolve, offsets
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, seeds, uniform, uniform_field
from degradations.parameters import Parameters

LAYERS = (0.5, 1.0, 2.0)
"""Flake sizes, far to near, as multiples of the drawn radius; the smaller, the more."""


class Snow(Degradation):
    """White flakes in front of the scene: ``degraded = image * (1 - a) + brightness * a``.

    The opacity ``a`` is made of three layers of soft disks, far ones small and many, near ones large and few.

    Args:
        density: Interval of the flakes of middle size per pixel; 0.0005 is light, 0.004 heavy snow.
        radius: Interval of the middle flakes' radius in pixels.
        opacity: Interval of the opacity of the thickest flake.
        brightness: Interval of the flakes' brightness, 0 to 1.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Liu et al. 2018, DesnowNet, Eq. 1 (the opaque layer).
    """

    word = "snow"

    def __init__(
        self,
        density: Interval = (0.0005, 0.003),
        radius: Interval = (1.0, 2.5),
        opacity: Interval = (0.7, 0.95),
        brightness: Interval = (0.9, 1.0),
    ) -> None:
        self.density = check_interval("density", density, 0, 1)
        self.radius = check_interval("radius", radius, 0.3, 100)
        self.opacity = check_interval("opacity", opacity, 0, 1)
        self.brightness = check_interval("brightness", brightness, 0, 1)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; where the flakes are is kept as a seed."""
        intervals = ("density", "radius", "opacity", "brightness")
        drawn = {name: uniform(getattr(self, name), generators) for name in intervals}
        return drawn | {"seed": seeds(generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        luck = uniform_field(parameters["seed"], (2 * len(LAYERS), *image.shape[2:]), image)
        density, clear = per_image(parameters["density"], image), torch.ones_like(image[:, :1])
        for number, scale in enumerate(LAYERS):
            where_flakes, thickness = luck[:, 2 * number, None], luck[:, 2 * number + 1, None]
            flakes = (0.3 + 0.7 * thickness) * (where_flakes < density / scale**2)
            clear = clear * (1 - convolve(flakes, soft_disks(parameters["radius"], self.radius[1], scale)).clamp(0, 1))
        opacity = (1 - clear) * per_image(parameters["opacity"], image)
        return torch.lerp(image, per_image(parameters["brightness"], image).expand_as(image), opacity).clamp(0, 1)


def soft_disks(radius: Tensor, largest: float, scale: float) -> Tensor:
    """Draw disks of height 1 with a soft rim, result (B, k, k); k follows from the largest radius there can be."""
    size = 2 * int(1.5 * scale * largest + 1) + 1
    distance = (offsets(size)[:, None] ** 2 + offsets(size)[None, :] ** 2).sqrt()
    return (1.5 - distance / (scale * column(radius))).clamp(0, 1)
