"""Random numbers that belong to one image."""

import hashlib

import torch
from torch import Tensor


def image_generator(image: Tensor, seed: int) -> torch.Generator:
    """Make the random generator of one image, from the run's seed and the image's pixels alone.

    Args:
        image: Shape (3, H, W), range [0, 1].
        seed: Seed of the run.

    Example:
        >>> image = torch.rand(3, 4, 4)
        >>> image_generator(image, 1).initial_seed() == image_generator(image.clone(), 1).initial_seed()
        True
    """
    pixels = (image.detach().float().cpu().clamp(0, 1) * 65535).round().to(torch.int32)
    content = f"{seed} {tuple(image.shape)}".encode() + pixels.numpy().tobytes()
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(content).digest()[:7], "big"))
