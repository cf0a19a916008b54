"""Several methods, of which each image gets the one that fits what is known about it."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ldrps.data.samples import Outcome, Sample
from ldrps.methods.auto.choice import Choice, Chosen
from ldrps.methods.hash_weights import hash_weights
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step


class Auto(Restorer):
    """Restores each image with one of several methods, and says which and why.

    Args:
        methods: The methods by name.
        choices: Who chooses; the first that has something to say of an image is followed.
        otherwise: Name of the method for images of which none has.
        seed: Seed of the run, and of every method.

    Raises:
        ValueError: If a method is named that does not exist.
    """

    def __init__(self, methods: dict[str, Restorer], choices: list[Choice], otherwise: str, seed: int = 0) -> None:
        super().__init__(seed)
        named = {otherwise}.union(*(choice.names for choice in choices))
        if unknown := sorted(named - methods.keys()):
            raise ValueError(f"method {unknown[0]!r} is not among methods, which are {', '.join(sorted(methods))}")
        self.methods = methods
        self.choices = choices
        self.parts = nn.ModuleList([*methods.values(), *choices])
        self.otherwise = otherwise
        for part in self.modules():
            if isinstance(part, Restorer):
                part.seed = seed

    def load(self) -> None:
        """See `Restorer.load`."""
        for method in self.methods.values():
            method.load()
        for choice in self.choices:
            choice.load()

    def weights_sha256(self) -> str:
        """See `Restorer.weights_sha256`."""
        self.load()
        # Each method knows what of it are weights, and what it has learnt of the last image.
        parts = [f"{name} {method.weights_sha256()}" for name, method in sorted(self.methods.items())]
        return hashlib.sha256(" ".join([*parts, hash_weights(nn.ModuleList(self.choices))]).encode()).hexdigest()

    @torch.no_grad()
    def choose(self, degraded: Tensor) -> list[Chosen]:
        """Choose a method for each image.

        Args:
            degraded: Shape (B, 3, H, W), range [0, 1].
        """
        chosen: list[Chosen | None] = [None] * len(degraded)
        for choice in self.choices:
            if open_ := [row for row, one in enumerate(chosen) if one is None]:
                for row, one in zip(open_, choice(degraded[open_], self.methods), strict=True):
                    chosen[row] = one
        return [one or Chosen(self.otherwise, "nothing else was found") for one in chosen]

    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """See `Restorer.restore`; of images that take several ways, the steps are not shown."""
        chosen = self.choose(degraded)
        ways = sorted({one.method for one in chosen})
        restored = torch.empty_like(degraded)
        for way in ways:
            rows = [row for row, one in enumerate(chosen) if one.method == way]
            own = [paths[row] for row in rows]
            watch = (observe,) if len(ways) == 1 else ()
            restored[rows] = self.methods[way].restore(degraded[rows], own, *watch)
        self.remarks = [f"method: {one.method} ({one.reason})" for one in chosen]
        return restored

    def _restore_group(self, samples: list[Sample]) -> list[Outcome]:
        # Images that take different ways are no group: their steps would mix.
        return [outcome for sample in samples for outcome in super(Auto, self)._restore_group([sample])]
