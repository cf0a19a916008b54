"""Several explanations of a photo, and the one that leaves least to explain."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.light_and_haze import FRAME_CONTRAST, content, read_first_guess

SMALLEST_SIDE = 24
"""Pixels a side, with what pads it for the autoencoder, below which nobody can say what a photo looked like."""


class Likeliest(Alignment):
    """psi is, for each image, the candidate whose psi^-1(y) looks least damaged to the learnt first guess.

    Rules find the exact curve where one even curve explains all; a network knows what rooms and streets look like.
    The network, asked again about what each of them made of the photo, says which of them was right, if any.

    Args:
        candidates: Alignment nets. The first counts unless another leaves a photo that looks less damaged by `margin`;
            and for pictures too small or too plain to show anything.
        margin: Difference of the surprise, in nats, if neither wrong light nor haze were there.
        weights: Folder of the `FirstGuess` that judges; ``package:`` paths lie in an installed package.

    Raises:
        ValueError: If there is no candidate.
    """

    network: Any
    """The `FirstGuess` that judges, there once its weights are read."""

    def __init__(
        self,
        candidates: Sequence[Alignment],
        margin: float = 1.5,
        weights: str = "package:ldrps/pretrained/mini/first_guess",
    ) -> None:
        super().__init__()
        if not candidates:
            raise ValueError("candidates=[] holds no alignment net; give at least one")
        self.candidates = nn.ModuleList(candidates)
        self.chosen = torch.zeros(0, dtype=torch.long)
        self.margin = margin
        self.weights = weights

    @property
    def reach_px(self) -> int:
        """See `Alignment.reach_px`."""
        return max(candidate.reach_px for candidate in self.nets)

    def load(self) -> None:
        """See `Alignment.load`."""
        for candidate in self.nets:
            candidate.load()
        if not hasattr(self, "network"):
            self.network = read_first_guess(self.weights)

    @property
    def pretrained(self) -> nn.ModuleList:
        """See `Alignment.pretrained`."""
        judge = [self.network] if hasattr(self, "network") else []
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
        damage = torch.stack([self._damage(candidate.invert(degraded), degraded) for candidate in self.nets])
        damage[1:] += self.margin
        contrast = degraded.amax(dim=(1, 2, 3)) - degraded.amin(dim=(1, 2, 3))
        shows_something = (contrast > FRAME_CONTRAST) & (min(degraded.shape[-2:]) >= SMALLEST_SIDE)
        self.chosen = torch.where(shows_something, damage.argmin(dim=0), 0)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        return self._choose(lambda candidate: candidate(images))

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        return self._choose(lambda candidate: candidate.invert(degraded))

    def _damage(self, undone: Tensor, degraded: Tensor) -> Tensor:
        """How damaged photos look in which some damage was undone, shape (B,): the surprise if neither were present."""
        surprises = []
        for image, seen in zip(undone.float(), degraded.float(), strict=True):
            top, bottom, left, right = content(seen)
            presence = self.network(image[None, :, top:bottom, left:right]).presence
            surprises.append(F.softplus(presence).sum(dim=1))
        return torch.cat(surprises)

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
