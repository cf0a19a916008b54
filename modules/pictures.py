"""Tensors as pictures."""

import torch
from PIL import Image
from torch import Tensor


def to_pil(image: Tensor, alpha: Tensor | None = None) -> Image.Image:
    """Convert a tensor of shape (3, H, W) in [0, 1] to an 8-bit PIL image, with rounding.

    Args:
        image: RGB; what lies outside the range is clipped.
        alpha: Opacity, shape (1, H, W), range [0, 1]; None for an opaque picture.

    Example:
        >>> to_pil(torch.full((3, 2, 2), 0.5)).getpixel((0, 0))
        (128, 128, 128)
    """
    layers = image if alpha is None else torch.cat([image, alpha.to(image)])
    rounded = (layers.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(rounded.permute(1, 2, 0).cpu().numpy())
