"""Files that are written and read again in memory."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

LONGEST_SIDE_PX = {"JPEG": 65500, "WEBP": 16383}
"""What libjpeg and libwebp take."""


def through_file(image: Tensor, qualities: Sequence[int], **options: Any) -> Tensor:
    """Compress and decompress each image with Pillow; gradients end here.

    Args:
        image: Shape (B, 3, H, W), range [0, 1]; rounded to 8 bits.
        qualities: One per image, 1 to 100.
        **options: What else `PIL.Image.Image.save` takes, the format among them.

    Returns:
        Same shape, range [0, 1], multiples of 1 / 255.

    Raises:
        ValueError: If a side is longer than the format allows.
    """
    longest, limit = max(image.shape[2:]), LONGEST_SIDE_PX[options["format"]]
    if longest > limit:
        raise ValueError(f"an image side of {longest} pixels is too long for {options['format']}, which takes {limit}")
    eight_bit = (image.detach() * 255).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    decoded = []
    for array, quality in zip(eight_bit, qualities, strict=True):
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, quality=quality, **options)
        with Image.open(stream) as reopened:
            decoded.append(np.array(reopened.convert("RGB")))
    channels_last = torch.from_numpy(np.stack(decoded)).to(image.device)
    return channels_last.permute(0, 3, 1, 2).to(image.dtype, memory_format=torch.contiguous_format).div_(255)
