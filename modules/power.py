"""Powers of pictures that optimisers can pass through."""

import torch
from torch import Tensor

SMALL = 1 / 64
"""Below it the curve is a straight line."""


def power(images: Tensor, exponent: Tensor) -> Tensor:
    """Pictures to the power of an exponent that fits their shape, as curves of light do it.

    x ** gamma has no real value below 0, and its slope at 0 is infinite or zero; there the curve goes on as the
    straight line through its value at a small number, so that gradients stay finite and no pixel is cut off.

    Example:
        >>> power(torch.tensor([0.25, 1.0, -0.125]), torch.tensor(0.5))
        tensor([ 0.5000,  1.0000, -0.4375])
    """
    curve = images.clamp(min=SMALL) ** exponent
    line = SMALL**exponent + exponent * SMALL ** (exponent - 1) * (images - SMALL)
    return torch.where(images > SMALL, curve, line)
