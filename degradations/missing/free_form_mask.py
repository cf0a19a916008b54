"""Missing brush strokes."""

import torch
from torch import Tensor

from degradations.base import per_image
from degradations.checks import IntegerInterval, Interval, check_integers, check_interval
from degradations.drawing import Generators, integers, uniform
from degradations.missing.mask import Mask
from degradations.parameters import Parameters

NUM_VERTICES = 7
"""Corners of a stroke."""


class FreeFormMask(Mask):
    """Winding brush strokes of even width with round ends: scratches, scribbles, an eraser.

    Args:
        strokes: Interval of the number of strokes.
        width: Interval of a stroke's width as a share of the image's shorter side, drawn for every stroke; 0.01 is a
            scratch, 0.1 a brush.
        length: Interval of the distance between a stroke's corners as a share of the image's sides, drawn for each.
        fill: Interval of the grey value that takes the place of what is missing; 0 is black.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Yu et al. 2019, Free-Form Image Inpainting with Gated Convolution, Algorithm 1.
    """

    def __init__(
        self,
        strokes: IntegerInterval = (2, 5),
        width: Interval = (0.02, 0.06),
        length: Interval = (0.05, 0.2),
        fill: Interval = (0.0, 0.0),
    ) -> None:
        super().__init__(fill)
        self.strokes = check_integers("strokes", strokes, 0, 100)
        self.width = check_interval("width", width, 0, 1)
        self.length = check_interval("length", length, 0, 1)

    def sample_mask(self, generators: Generators) -> Parameters:
        """See `Mask.sample_mask`; corners as shares of the image's sides, shape (B, strokes, corners, 2)."""
        count = max(1, self.strokes[1])
        start = uniform((0, 1), generators, count, 1, 2)
        # Each corner turns the stroke by up to 60 degrees, so that it winds instead of folding back on itself.
        turns = uniform((-torch.pi / 3, torch.pi / 3), generators, count, NUM_VERTICES - 1)
        angles = uniform((0, 2 * torch.pi), generators, count, 1) + turns.cumsum(2)
        steps = uniform(self.length, generators, count, NUM_VERTICES - 1)
        moves = steps[..., None] * torch.stack([angles.sin(), angles.cos()], dim=3)
        return {
            "strokes": integers(self.strokes, generators),
            "width": uniform(self.width, generators, count),
            "corners": torch.cat([start, start + moves.cumsum(2)], dim=2),
        }

    def missing(self, parameters: Parameters, image: Tensor) -> Tensor:
        """See `Mask.missing`."""
        height, width = image.shape[2:]
        y = (torch.arange(height, dtype=image.dtype, device=image.device) + 0.5)[:, None]
        x = (torch.arange(width, dtype=image.dtype, device=image.device) + 0.5)[None, :]
        corners = parameters["corners"].to(image) * image.new_tensor([height, width])
        radius = parameters["width"].to(image) * min(height, width) / 2
        missing = torch.zeros(len(image), 1, height, width, dtype=torch.bool, device=image.device)
        for stroke in range(corners.shape[1]):
            is_drawn = per_image((parameters["strokes"] > stroke).float(), image) > 0
            reach = per_image(radius[:, stroke], image)
            for start, end in zip(corners[:, stroke, :-1].unbind(1), corners[:, stroke, 1:].unbind(1), strict=True):
                missing |= is_drawn & (distance_to_segment(y, x, start, end) <= reach)
        return missing.to(image)


def distance_to_segment(y: Tensor, x: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Distance of each pixel to the segment between two points (y, x) of shape (B, 2), result (B, 1, H, W)."""
    (start_y, start_x), (move_y, move_x) = (
        [per_image(values, y) for values in point.unbind(1)] for point in (start, end - start)
    )
    along = ((y - start_y) * move_y + (x - start_x) * move_x) / (move_y**2 + move_x**2).clamp_min(1e-12)
    along = along.clamp(0, 1)
    return ((y - start_y - along * move_y) ** 2 + (x - start_x - along * move_x) ** 2).sqrt()
