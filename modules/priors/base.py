"""What a semantic prior is: from a degraded image and its side information to words or embeddings."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn


@dataclass(frozen=True)
class Semantics:
    """What is known about the content of a batch of images; every part may be absent.

    Attributes:
        prompts: What each restored image should show, B texts; "" where nothing is known.
        negative_prompts: What each restored image should not show, B texts.
        embeddings: Tokens for the backbone's cross-attention, shape (B, L, D).
        words: Names of the damage found in each image.
    """

    prompts: Sequence[str] | None = None
    negative_prompts: Sequence[str] | None = None
    embeddings: Tensor | None = None
    words: Sequence[Sequence[str]] | None = None


class Prior(nn.Module, ABC):
    """Turns degraded images and their side information into `Semantics`."""

    @abstractmethod
    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Describe each image.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].
            paths: The file each image came from; None for an image that never was a file.

        Raises:
            ValueError: If an image cannot be described; the message names the file and the remedy.
        """
