"""Group norms with the statistics of the whole picture, although it comes in windows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass
class SharedNorms:
    """The group norms of a network, with one mean and variance for all windows of a picture.

    Windows with norms of their own differ in brightness and contrast, and show. What the norms see in a small copy of
    the picture stands for what they would see in all of it.

    Attributes:
        network: The network.
    """

    network: nn.Module
    _moments: dict[nn.GroupNorm, tuple[Tensor, Tensor]] = field(default_factory=dict)

    @property
    def norms(self) -> list[nn.GroupNorm]:
        """The norms."""
        return [module for module in self.network.modules() if isinstance(module, nn.GroupNorm)]

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Within it, the network is given the small copy."""

        def measure(norm: nn.GroupNorm, arguments: tuple[Tensor, ...], output: Tensor) -> None:
            grouped = _grouped(arguments[0], norm)
            self._moments[norm] = grouped.mean(dim=2, keepdim=True), grouped.var(dim=2, correction=0, keepdim=True)

        with self._hooked(measure):
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Within it, the norms use what was measured."""

        def use(norm: nn.GroupNorm, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
            mean, variance = self._moments[norm]
            normalized = (_grouped(arguments[0], norm) - mean) * (variance + norm.eps).rsqrt()
            per_channel = (-1, *[1] * (output.ndim - 2))
            return normalized.view(output.shape) * norm.weight.view(per_channel) + norm.bias.view(per_channel)

        with self._hooked(use):
            yield

    @contextmanager
    def _hooked(self, hook: Callable[..., Any]) -> Iterator[None]:
        handles = [norm.register_forward_hook(hook) for norm in self.norms]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _grouped(hidden: Tensor, norm: nn.GroupNorm) -> Tensor:
    return hidden.reshape(len(hidden), norm.num_groups, -1)
