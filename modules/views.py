"""The flips and turns of pictures, and the mean of what a network makes of them."""

from collections.abc import Callable

import torch
from torch import Tensor

NUM_VIEWS = 8
"""Of a square: four flips, and the same turned by a quarter."""


def mean_of_views(make: Callable[[Tensor], Tensor], images: Tensor, num_views: int) -> Tensor:
    """Mean over the first views of images of what `make` makes of each, seen from where the images are.

    The first four leave vertical lines vertical, since a network may know how rain falls.

    Args:
        make: Keeps height and width.
        images: Shape (B, C, H, W).
        num_views: 1 to 8: as it is, mirrored, turned by half, upside down, then these turned by a quarter.

    References:
        Lim et al. 2017, Enhanced Deep Residual Networks for Single Image Super-Resolution, Sec. 3.4 (self-ensemble).
    """
    total = make(images)
    for view in range(1, num_views):
        total = total + _back(make(_seen(images, view)), view)
    return total / num_views


def check_num_views(num_views: int) -> int:
    """The number, if there are so many views.

    Raises:
        ValueError: If it lies outside 1 to 8.
    """
    if not 1 <= num_views <= NUM_VIEWS:
        raise ValueError(f"num_views={num_views} must lie in 1 to {NUM_VIEWS}, the flips and turns of a photo")
    return num_views


def _seen(images: Tensor, view: int) -> Tensor:
    mirrored = images.flip(-1) if view % 2 else images
    return torch.rot90(mirrored, _quarters(view), dims=(-2, -1))


def _back(images: Tensor, view: int) -> Tensor:
    turned = torch.rot90(images, -_quarters(view), dims=(-2, -1))
    return turned.flip(-1) if view % 2 else turned


def _quarters(view: int) -> int:
    half, quarter = view // 2 % 2, view // 4
    return 2 * half + quarter
