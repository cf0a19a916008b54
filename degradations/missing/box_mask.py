"""A missing rectangle."""

import torch
from torch import Tensor

from degradations.base import per_image
from degradations.checks import Interval, check_interval
from degradations.drawing import Generators, uniform
from degradations.missing.mask import Mask
from degradations.parameters import Parameters


class BoxMask(Mask):
    """A rectangle with the image's proportions, anywhere inside it.

    Args:
        side: Interval of the rectangle's sides as a share of the image's; 0.5 covers a quarter of the image.
        fill: Interval of the grey value that takes its place; 0 is black.

    Raises:
        ValueError: If an interval is reversed or outside [0, 1].
    """

    def __init__(self, side: Interval = (0.3, 0.5), fill: Interval = (0.0, 0.0)) -> None:
        super().__init__(fill)
        self.side = check_interval("side", side, 0, 1)

    def sample_mask(self, generators: Generators) -> Parameters:
        """See `Mask.sample_mask`; the place is a share of the room the rectangle has."""
        return {"side": uniform(self.side, generators), "place": uniform((0, 1), generators, 2)}

    def missing(self, parameters: Parameters, image: Tensor) -> Tensor:
        """See `Mask.missing`."""
        side, place = parameters["side"].to(image), parameters["place"].to(image)
        inside = torch.ones_like(image[:, :1])
        for axis, length in enumerate(image.shape[2:]):
            start = per_image(place[:, axis] * (1 - side) * length, image)
            end = start + per_image(side * length, image)
            shape = (1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1)
            centres = (torch.arange(length, device=image.device, dtype=image.dtype) + 0.5).view(shape)
            inside = inside * ((centres >= start) & (centres < end))
        return inside
