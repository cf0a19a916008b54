"""One alignment net after another: a physical form first, a free net for what it leaves."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modules.alignment.base import Alignment


class Chained(Alignment):
    """psi(x) = second(first(x)).

    Args:
        first: What happens to the light, for example `ToneCurve`.
        second: What is left, for example `FPAM` started from the identity.
    """

    def __init__(self, first: Alignment, second: Alignment) -> None:
        super().__init__()
        self.first = first
        self.second = second

    @property
    def leaves_open(self) -> bool:
        """See `Alignment.leaves_open`."""
        return self.first.leaves_open or self.second.leaves_open

    @property
    def reach_px(self) -> int:
        """See `Alignment.reach_px`."""
        return self.first.reach_px + self.second.reach_px

    def load(self) -> None:
        """See `Alignment.load`."""
        self.first.load()
        self.second.load()

    @property
    def pretrained(self) -> nn.ModuleList:
        """See `Alignment.pretrained`."""
        return nn.ModuleList([*self.first.pretrained, *self.second.pretrained])

    def learnt_parameters(self) -> list[nn.Parameter]:
        """See `Alignment.learnt_parameters`."""
        return [*self.first.learnt_parameters(), *self.second.learnt_parameters()]

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        self.second.begin(degraded, generators)
        self.first.begin(self.second.invert(self.second.fill(degraded)), generators)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        redegraded: Tensor = self.second(self.first(images))
        return redegraded

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        return self.first.invert(self.second.invert(degraded))

    def fill(self, degraded: Tensor, sample: Tensor | None = None) -> Tensor:
        """See `Alignment.fill`."""
        between = None if sample is None else self.first(sample)
        degraded = self.second.fill(degraded, between)
        if not self.first.leaves_open:
            return degraded
        return self.second(self.first.fill(self.second.invert(degraded), sample))
