"""Squares from the centre of images."""

import torch.nn.functional as F
from torch import Tensor

from degradations.base import eight_bit


def centre_crop(image: Tensor, side: int) -> Tensor:
    """Cut a square from the centre, shape (3, side, side); smaller images are enlarged (bicubic) to fit first.

    Example:
        >>> import torch
        >>> centre_crop(torch.rand(3, 40, 70), 64).shape
        torch.Size([3, 64, 64])
    """
    height, width = image.shape[1:]
    if min(height, width) < side:
        scale = side / min(height, width)
        size = [max(side, round(length * scale)) for length in (height, width)]
        enlarged = F.interpolate(image[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1)
        # As the file of an enlarged image would hold it.
        image = eight_bit(enlarged)
        height, width = size
    top, left = (height - side) // 2, (width - side) // 2
    return image[:, top : top + side, left : left + side].clone()
