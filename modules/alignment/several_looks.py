"""A guess of light and haze that looks again at its own result."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.light_and_haze import LightAndHaze


class SeveralLooks(Alignment):
    """psi(x) = guess(c_1(c_2(x))): what a network guesses of a photo, then of what that guess leaves, and so on.

    A network that errs in the middle says too little of what is far from it: of thick haze, of deep darkness. What is
    left of them it sees when it is shown the result. It says so of one thing for another, too: where it first saw
    no haze, or light that was right, later looks find none.

    Args:
        guess: The first look; the others ask the same network, and believe it as far as it is sure.
        num_looks: How often it is asked.

    Raises:
        ValueError: If num_looks is not positive.
    """

    def __init__(self, guess: LightAndHaze, num_looks: int = 3) -> None:
        super().__init__()
        if num_looks < 1:
            raise ValueError(f"num_looks={num_looks} sees nothing: give 1 or more")
        self.guess = guess
        self.corrections = nn.ModuleList(LightAndHaze(guess.onlooker.weights) for _ in range(num_looks - 1))

    def load(self) -> None:
        """See `Alignment.load`."""
        self.guess.load()
        for correction in self._later:
            correction.onlooker = self.guess.onlooker

    @property
    def pretrained(self) -> nn.ModuleList:
        """See `Alignment.pretrained`."""
        return self.guess.pretrained

    @torch.no_grad()
    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        self.load()
        self.guess.begin(degraded, generators)
        undone = self.guess.invert(degraded)
        for correction in self._later:
            correction.begin(undone, generators)
            correction.limit(self.guess.light_share, self.guess.haze_share)
            undone = correction.invert(undone)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        for correction in reversed(self._later):
            images = correction(images)
        redegraded: Tensor = self.guess(images)
        return redegraded

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        undone = self.guess.invert(degraded)
        for correction in self._later:
            undone = correction.invert(undone)
        return undone

    @property
    def _later(self) -> list[LightAndHaze]:
        return cast(list[LightAndHaze], list(self.corrections))
