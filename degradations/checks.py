"""Sentences about settings and images that cannot be right."""

from math import inf, isnan

import torch
from torch import Tensor

Interval = tuple[float, float]
"""Lowest and highest value of an even draw."""

IntegerInterval = tuple[int, int]
"""Lowest and highest value of an even draw of whole numbers."""


def check_interval(name: str, interval: Interval, lowest: float, highest: float) -> Interval:
    """Return the interval if it lies within physical limits.

    Raises:
        ValueError: If it is no pair of numbers, reversed or out of range; the message names it and the limits.

    Example:
        >>> check_interval("sigma", 0.1, 0, 1)
        Traceback (most recent call last):
        ...
        ValueError: sigma=0.1 must be two numbers, [low, high]; [0.1, 0.1] is always 0.1
    """
    if isinstance(interval, int | float):
        raise ValueError(f"{name}={interval} must be two numbers, [low, high]; {[interval] * 2} is always {interval}")
    if len(interval) != 2:
        raise ValueError(f"{name}={list(interval)} must be two numbers, [low, high]")
    low, high = interval
    if not lowest <= low <= high <= highest:
        raise ValueError(f"{name}={list(interval)} must be [low, high] with {lowest:g} <= low <= high <= {highest:g}")
    return (low, high)


def check_integers(name: str, interval: IntegerInterval, lowest: int, highest: int) -> IntegerInterval:
    """Return the interval of whole numbers if it lies within physical limits.

    Raises:
        ValueError: If it is reversed or out of range, or has a fraction; the message names it and the limits.
    """
    check_interval(name, interval, lowest, highest)
    if any(number != int(number) for number in interval):
        raise ValueError(f"{name}={list(interval)} must be whole numbers")
    return (int(interval[0]), int(interval[1]))


def check_kernel_size(interval: IntegerInterval) -> IntegerInterval:
    """Return an interval of kernel sizes, odd numbers of pixels.

    Raises:
        ValueError: If it is reversed, out of range or has an even end.
    """
    check_integers("kernel_size", interval, 1, 511)
    if not all(size % 2 for size in interval):
        raise ValueError(f"kernel_size={list(interval)} must have odd ends, so that a kernel has a centre")
    return (int(interval[0]), int(interval[1]))


def check_probability(name: str, probability: float) -> float:
    """Return a number between 0 and 1.

    Raises:
        ValueError: If it is outside; the message names it.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"{name}={probability} must be a probability between 0 and 1")
    return probability


def check_weights(name: str, weights: list[float] | None, count: int) -> list[float]:
    """Return one weight per choice, equal ones if there are none.

    Raises:
        ValueError: If their number is wrong, one is negative or all are zero.
    """
    weights = [1.0] * count if weights is None else list(weights)
    if len(weights) != count or not (min(weights) >= 0 and 0 < sum(weights) < inf):
        raise ValueError(f"{name}={weights} must be {count} numbers, none negative and not all zero")
    return weights


def check_images(image: Tensor) -> None:
    """Refuse what is no batch of RGB images in [0, 1].

    Raises:
        ValueError: If the shape, the dtype or a value is wrong; the message says what to do.
    """
    if image.dim() != 4 or image.shape[1] != 3:
        kind = {1: "grey (use image.expand(-1, 3, -1, -1))", 4: "with alpha (use image[:, :3])"}
        hint = f": it looks {kind[image.shape[1]]}" if image.dim() == 4 and image.shape[1] in kind else ""
        raise ValueError(f"image of shape {tuple(image.shape)} must be RGB, shape (B, 3, H, W){hint}")
    if not image.is_floating_point():
        raise ValueError(f"image of dtype {image.dtype} must be floating point in [0, 1]: divide 8-bit values by 255")
    if image.numel() == 0:
        raise ValueError(f"image of shape {tuple(image.shape)} has no pixel: give at least one image of 1 x 1")
    if image.is_meta:
        # It has a shape and no values.
        return
    low, high = (float(value) for value in torch.aminmax(image.detach()))
    if not (low >= 0 and high <= 1):
        if isnan(low) or isnan(high):
            raise ValueError("image holds NaN: every value must be a number in [0, 1]")
        raise ValueError(f"image has values from {low:g} to {high:g}, which must lie in [0, 1]: scale or clamp them")
