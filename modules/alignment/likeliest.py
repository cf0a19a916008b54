"""Several explanations of a photo, and the one that leaves it nearest to the truth."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.framing import Box, by_frame, contents, in_order, is_plain
from modules.alignment.light_and_haze import LightAndHaze
from modules.alignment.onlooker import Onlooker
from modules.backbones.loading import load_frozen
from modules.networks.judge import Judge

SMALLEST_SIDE = 24
"""Pixels a side, with what pads it for the autoencoder, below which nobody can say what a photo looked like."""


MARGIN_DB = 1.0
"""Decibels by which another explanation must be expected to be better than that nothing happened."""


class Likeliest(Alignment):
    """psi is, for each image, the candidate whose psi^-1(y) a learnt judge holds for nearest to the truth.

    Rules find the exact curve where one even curve explains all; a network knows what rooms and streets look like; and
    most photos are in order. A second network, which has seen what each of them makes of many photos, says which of
    them was right, if any. It judges best what it was trained with: other candidates ask for a judge of their own
    (``train/judge``).

    Args:
        candidates: Alignment nets. The first counts unless another is expected to be better by `margin_db`; and for
            pictures too small or too plain to show anything.
        margin_db: Difference of the expected PSNR in dB.
        weights: Folder of the `Judge`; ``package:`` paths lie in an installed package.
        first_guess: Folder of the `FirstGuess` whose features it judges by.

    Raises:
        ValueError: If there is no candidate.
    """

    network: Any
    """The `Judge`, there once its weights are read."""

    def __init__(
        self,
        candidates: Sequence[Alignment],
        margin_db: float = MARGIN_DB,
        weights: str = "package:ldrps/pretrained/mini/judge",
        first_guess: str = "package:ldrps/pretrained/mini/first_guess",
    ) -> None:
        super().__init__()
        if not candidates:
            raise ValueError("candidates=[] holds no alignment net; give at least one")
        self.candidates = nn.ModuleList(candidates)
        self.chosen = torch.zeros(0, dtype=torch.long)
        self.margin_db = margin_db
        self.weights = weights
        self.onlooker = Onlooker(first_guess)
        for part in list(self.candidates.modules()):
            if isinstance(part, LightAndHaze) and part.onlooker.weights == first_guess:
                part.onlooker = self.onlooker

    @property
    def leaves_open(self) -> bool:
        """See `Alignment.leaves_open`."""
        return any(candidate.leaves_open for candidate in self.nets)

    @property
    def reach_px(self) -> int:
        """See `Alignment.reach_px`."""
        return max(candidate.reach_px for candidate in self.nets)

    def load(self) -> None:
        """See `Alignment.load`."""
        for candidate in self.nets:
            candidate.load()
        if not hasattr(self, "network"):
            self.network = load_frozen(Judge, self.weights, "judge", "judge", "preset statistics")
        self.onlooker.load()

    @property
    def pretrained(self) -> nn.ModuleList:
        """See `Alignment.pretrained`."""
        judge = [self.network, *self.onlooker.pretrained] if hasattr(self, "network") else []
        return nn.ModuleList([network for candidate in self.nets for network in candidate.pretrained] + judge)

    @property
    def nets(self) -> list[Alignment]:
        """The candidates."""
        return cast(list[Alignment], list(self.candidates))

    def learnt_parameters(self) -> list[nn.Parameter]:
        """See `Alignment.learnt_parameters`; those of candidates that no image takes are not learnt."""
        return [parameter for number in self._taken for parameter in self.nets[number].learnt_parameters()]

    @torch.no_grad()
    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        self.load()
        self.network.to(degraded.device)
        for candidate in self.nets:
            candidate.begin(degraded, generators)
        frames = by_frame(degraded.float())
        seen = self._features(degraded, frames)
        undone = (self._features(candidate.invert(candidate.fill(degraded)), frames) for candidate in self.nets)
        expected = torch.stack([self.network(features, seen) for features in undone])
        shows_something = ~is_plain(degraded) & (min(degraded.shape[-2:]) >= SMALLEST_SIDE)
        self.chosen = torch.where(shows_something, likeliest(expected, self.margin_db), 0)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        return self._choose(lambda candidate: candidate(images))

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        return self._choose(lambda candidate: candidate.invert(degraded))

    def fill(self, degraded: Tensor, sample: Tensor | None = None) -> Tensor:
        """See `Alignment.fill`."""
        return self._choose(lambda candidate: candidate.fill(degraded, sample))

    def _features(self, images: Tensor, frames: dict[Box, list[int]]) -> Tensor:
        """What is seen in images inside their frames, shape (B, num_features)."""
        seen = (self.onlooker.look(inside.float()).features for inside in contents(images, frames))
        return in_order(list(seen), frames)

    @property
    def _taken(self) -> list[int]:
        """Numbers of the candidates that some image takes."""
        taken: list[int] = self.chosen.unique().tolist()
        return taken

    def _choose(self, make: Callable[[Alignment], Tensor]) -> Tensor:
        """What each image's own net makes, rows ``chain * B + image``; nets that no image takes make nothing."""
        first, *others = self._taken
        images = make(self.nets[first])
        chosen = self.chosen.repeat(len(images) // len(self.chosen)).view(-1, 1, 1, 1)
        for number in others:
            images = torch.where(chosen == number, make(self.nets[number]), images)
        return images


def likeliest(expected_db: Tensor, margin_db: float = MARGIN_DB) -> Tensor:
    """Number of the candidate to take for each image, shape (B,), from their expected PSNR, shape (candidates, B).

    Example:
        >>> likeliest(torch.tensor([[20.0, 20.0], [20.5, 23.0], [19.0, 24.0]]))
        tensor([0, 2])
    """
    better = torch.cat([expected_db[:1] + margin_db, expected_db[1:]])
    return better.argmax(dim=0)
