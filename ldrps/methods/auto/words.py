"""A choice by DA-CLIP's words for the damage."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ldrps.methods.auto.choice import Choice, Chosen
from ldrps.methods.restorer import Restorer
from modules.backbones.loading import source
from modules.priors.da_clip import DACLIP


class Words(Choice):
    """Chooses the method that has most of the words' probability.

    Args:
        methods: The method for each word; words that are not named count for none.
        path: DA-CLIP folder; ``package:`` paths lie in an installed package.
        min_probability: Sum of the probabilities of a method's words from which on it is chosen.
    """

    def __init__(
        self,
        methods: dict[str, str],
        path: str = "package:ldrps/pretrained/mini/da_clip",
        min_probability: float = 0.5,
    ) -> None:
        super().__init__()
        self.methods = methods
        self.min_probability = min_probability
        self.prior = DACLIP(source(path))

    @property
    def names(self) -> set[str]:
        """See `Choice.names`."""
        return set(self.methods.values())

    def load(self) -> None:
        """See `Choice.load`.

        Raises:
            ValueError: Also if a word is none of DA-CLIP's.
        """
        self.prior.load()
        if unknown := sorted(self.methods.keys() - set(self.prior.words)):
            raise ValueError(f"word {unknown[0]!r} is none of DA-CLIP's, which are {', '.join(self.prior.words)}")

    @torch.no_grad()
    def forward(self, degraded: Tensor, methods: Mapping[str, Restorer]) -> Sequence[Chosen | None]:
        """See `Choice.forward`; of images that are smaller than a patch nothing is known."""
        if min(degraded.shape[-2:]) < self.prior.network.patch_size:
            return [None] * len(degraded)
        return [self._choose(words) for words in self.prior.probabilities(self.prior.network.damage(degraded))]

    def _choose(self, words: Mapping[str, float]) -> Chosen | None:
        shares = {
            name: sum(share for word, share in words.items() if self.methods.get(word) == name)
            for name in sorted(self.names)
        }
        best = max(shares, key=lambda name: shares[name], default="")
        if not best or shares[best] < self.min_probability:
            return None
        word = next(word for word in words if self.methods.get(word) == best)
        return Chosen(best, f"DA-CLIP says {word}, {words[word]:.0%}")
