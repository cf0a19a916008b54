"""Large pictures in windows that overlap, where what a network makes of each is fused."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def fused(make: Callable[[Tensor], Tensor], values: Tensor, side: int, overlap: int, multiple: int) -> Tensor:
    """What `make` makes of overlapping windows of one size, fused with weights that fall towards their borders.

    Args:
        make: Keeps height and width.
        values: The picture, shape (N, C, H, W).
        side: Side of the windows.
        overlap: Places that neighbours share, at least.
        multiple: Windows start at, and have sides of, multiples of it, as the picture has.

    References:
        Bar-Tal et al. 2023, MultiDiffusion, Eq. 5 (with weights).
    """
    tops, lefts = (_starts(length, side, overlap, multiple) for length in values.shape[-2:])
    if len(tops) == len(lefts) == 1:
        return make(values)
    total: Tensor | None = None
    weights = torch.zeros_like(values[:1, :1])
    for top, height in tops:
        for left, width in lefts:
            part = (..., slice(top, top + height), slice(left, left + width))
            weight = torch.outer(_tent(height, overlap), _tent(width, overlap)).to(values)
            made = make(values[part])
            if total is None:
                total = made.new_zeros(*made.shape[:2], *values.shape[-2:])
            total[part] += weight * made
            weights[part] += weight
    assert total is not None, "a picture has at least one window"
    return total / weights


def _starts(length: int, side: int, overlap: int, multiple: int) -> list[tuple[int, int]]:
    """Starts and lengths of evenly spread windows, as few as are enough and no longer than is needed."""
    side = max(multiple, side // multiple * multiple)
    if length <= side:
        return [(0, length)]
    count = math.ceil((length - overlap) / max(multiple, side - overlap))
    side = min(side, math.ceil((length + (count - 1) * overlap) / (count * multiple)) * multiple)
    # In units of the multiple, so that every start is one.
    last = (length - side) // multiple
    return [(round(number * last / (count - 1)) * multiple, side) for number in range(count)]


def _tent(length: int, overlap: int) -> Tensor:
    places = torch.arange(length) + 0.5
    return (torch.minimum(places, length - places) / max(1, overlap)).clamp(max=1)
