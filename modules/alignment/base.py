"""What an alignment net is: the unknown damage, learnt for each image while it is restored."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Alignment(nn.Module, ABC):
    """B independent models of the damage, one per image, evaluated in one call.

    The parameters of all images are stacked tensors, so that one element-wise optimiser (Adam, SGD) on the sum of the
    per-image losses trains every image as if it were alone.
    """

    @abstractmethod
    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """Forget the last images and start on new ones.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].
            generators: One per image; image i's parameters depend on row i and generator i only.
        """

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Damage images.

        Args:
            images: Rows ``chain * B + image``, shape (K * B, 3, H, W), nominally in [0, 1].

        Returns:
            The re-degraded images, same shape.
        """

    def invert(self, degraded: Tensor) -> Tensor:
        """Undo the damage as far as the model can, to start sampling near the image.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].

        Returns:
            Same shape, range [0, 1]; the images themselves where the model has no inverse.
        """
        return degraded
