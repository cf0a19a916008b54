"""What an output is: how the restored image is made of the decoded sample and the degraded image."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

Undo = Callable[[Tensor], Tensor]
"""Undoes the damage of images, shape (B, 3, H, W), range [0, 1], as far as the alignment net can."""


class Output(nn.Module, ABC):
    """The last step of a restoration, at the image's own size. Rows are independent; nothing is drawn or learnt."""

    def load(self) -> None:
        """Read weights, if the output has any; does nothing the second time.

        Raises:
            ValueError: If they are missing or do not fit; one sentence with the remedy.
        """

    @abstractmethod
    def forward(self, decoded: Tensor, degraded: Tensor, undo: Undo) -> Tensor:
        """Make the restored image.

        Args:
            decoded: The decoded sample, shape (B, 3, H, W), range [0, 1].
            degraded: What was seen, same shape and range.
            undo: Inverse of the learnt alignment.

        Returns:
            The restored images, same shape; the caller clips them to [0, 1].
        """
