"""The first guess as several ask it of one photo."""

from typing import Any

import torch
from torch import Tensor, nn

from modules.backbones.loading import load_frozen
from modules.networks.first_guess import FirstGuess, Guess, Look


class Onlooker(nn.Module):
    """A frozen `FirstGuess` that remembers what it saw last: alignment nets and their judge ask of the same photo.

    Args:
        weights: Folder of the `FirstGuess`; ``package:`` paths lie in an installed package.
    """

    network: Any
    """The `FirstGuess`, there once its weights are read."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.weights = weights
        self._last: Look | None = None

    def load(self) -> None:
        """Read weights; does nothing the second time.

        Raises:
            ValueError: If they are missing or do not fit.
        """
        if not hasattr(self, "network"):
            self.network = load_frozen(FirstGuess, self.weights, "first guess", "first_guess", "preset statistics")

    @property
    def pretrained(self) -> nn.ModuleList:
        """The network, once its weights are read."""
        return nn.ModuleList([self.network] if hasattr(self, "network") else [])

    @torch.no_grad()
    def look(self, images: Tensor) -> Look:
        """What is seen in photos, shape (B, 3, H, W), range [0, 1]."""
        if self.network.device != images.device:
            self.network.to(images.device)
        copy, histogram = self.network.summary(images)
        last = self._last
        if last is None or not (_same(copy, last.copy) and _same(histogram, last.histogram)):
            last = self._last = self.network.look(copy, histogram)
        return last

    @torch.no_grad()
    def guess(self, look: Look) -> Guess:
        """What is guessed of photos that were looked at."""
        guess: Guess = self.network.guess(look)
        return guess


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.device == other.device and torch.equal(one, other)
