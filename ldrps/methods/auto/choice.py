"""What a choice between methods is: from a degraded image to the name of a method, with the reason."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ldrps.methods.restorer import Restorer


@dataclass(frozen=True)
class Chosen:
    """The method for an image.

    Attributes:
        method: Its name.
        reason: Why, in plain words.
    """

    method: str
    reason: str


class Choice(nn.Module, ABC):
    """Chooses among methods by what it knows of an image. Images are independent of each other."""

    def load(self) -> None:
        """Read weights, if it has any; does nothing the second time.

        Raises:
            ValueError: If weights are missing or do not fit; one sentence with the remedy.
        """

    @property
    @abstractmethod
    def names(self) -> set[str]:
        """Methods that it may choose or ask."""

    @abstractmethod
    def forward(self, degraded: Tensor, methods: Mapping[str, Restorer]) -> Sequence[Chosen | None]:
        """Choose for each image.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].
            methods: What there is to choose from, loaded, by name.

        Returns:
            One an image; None where it has nothing to say.
        """
