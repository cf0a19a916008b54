"""One fixed text for every image."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from modules.priors.base import Prior, Semantics


class Text(Prior):
    """Gives every image the same prompt.

    Args:
        prompt: What the restored images should show.
        negative_prompt: What they should not show.

    Example:
        >>> import torch
        >>> Text("a photo of a cat")(torch.zeros(2, 3, 8, 8), [None, None]).prompts
        ['a photo of a cat', 'a photo of a cat']
    """

    def __init__(self, prompt: str = "", negative_prompt: str = "") -> None:
        super().__init__()
        self.prompt = prompt
        self.negative_prompt = negative_prompt

    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Return the fixed texts, one per image."""
        return Semantics([self.prompt] * len(degraded), [self.negative_prompt] * len(degraded))
