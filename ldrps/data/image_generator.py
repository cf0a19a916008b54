"""Random numbers that belong to one image."""

import torch
from torch import Tensor

from degradations.receipts import fingerprint


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
    # Seven bytes, the most that fit a positive seed of 64 bits.
    return torch.Generator().manual_seed(int(fingerprint(image, f"{seed} ")[:14], 16))
