"""No semantic prior: the backbone samples without text."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from modules.priors.base import Prior, Semantics


class Null(Prior):
    """Knows nothing about any image, so that the unconditional half of the denoiser is all that runs.

    Example:
        >>> import torch
        >>> Null()(torch.zeros(2, 3, 8, 8), [None, None])
        Semantics(prompts=None, negative_prompts=None, embeddings=None, image_embeddings=None, words=None)
    """

    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Return empty semantics."""
        return Semantics()
