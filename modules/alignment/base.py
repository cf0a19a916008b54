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

    def load(self) -> None:
        """Read weights, if the net has any; does nothing the second time.

        Raises:
            ValueError: If they are missing or do not fit; one sentence with the remedy.
        """

    @property
    def pretrained(self) -> nn.ModuleList:
        """Networks that came with weights, which no image changes."""
        return nn.ModuleList()

    def learnt_parameters(self) -> list[nn.Parameter]:
        """The stacked parameters of the images' models, first dimension B; what came with weights is not among them."""
        fixed = {id(parameter) for parameter in self.pretrained.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in fixed]

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
