"""Group norms with the statistics of the whole picture, although it comes in windows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor, nn

from modules.windows import Window


class Moments(NamedTuple):
    """Mean and variance of each group of channels, both of shape (B, groups, 1)."""

    mean: Tensor
    variance: Tensor


class SharedNorms:
    """The group norms of some layers, with one mean and variance for all windows of a picture.

    Windows with norms of their own differ in brightness and contrast, and show. What a norm sees in all windows is
    summed up, every place once, and gives what it would see in the whole picture; the next norm is asked when all
    before it are known. No gradient goes through the statistics.

    Args:
        layers: What the picture goes through, in order.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        self.norms = norms_of(layers)
        self._moments: dict[nn.GroupNorm, Moments] = {}

    @torch.no_grad()
    def find(
        self,
        layers: Sequence[nn.Module],
        make: Callable[[Tensor], Tensor],
        values: Tensor,
        windows: Sequence[Window],
    ) -> None:
        """Find the statistics of the norms of some of the layers, those before which are known.

        Args:
            layers: The layers, in order.
            make: What they make of a part.
            values: The picture, shape (B, C, H, W).
            windows: From `split`.
        """
        for norm in norms_of(layers):
            count, first, second = self._sums(norm, make, values, windows)
            mean = first / count
            variance = (second / count - mean.square()).clamp(min=0)
            self._moments[norm] = Moments(*(moment.to(values.device, torch.float32) for moment in (mean, variance)))

    def _sums(
        self, norm: nn.GroupNorm, make: Callable[[Tensor], Tensor], values: Tensor, windows: Sequence[Window]
    ) -> tuple[int, Tensor, Tensor]:
        """How many values of a group a norm sees in the whole picture, their sum and that of their squares."""
        count, sums = 0, torch.zeros(2, 1, 1, 1, dtype=torch.float64)

        def add(norm: nn.GroupNorm, arguments: tuple[Tensor, ...]) -> None:
            nonlocal count, sums
            grouped = _grouped(_core(window, arguments[0]), norm).float()
            # Added up on the CPU and in double precision, in which the square of the mean can be taken away without
            # loss; Apple's GPUs have none.
            variance, mean = (
                moment.cpu().double() for moment in torch.var_mean(grouped, dim=2, correction=0, keepdim=True)
            )
            count += grouped.shape[-1]
            sums = sums + grouped.shape[-1] * torch.stack([mean, variance + mean.square()])
            raise _Seen

        handle = norm.register_forward_pre_hook(add)
        try:
            for window in windows:
                try:
                    with self.used():
                        make(window.outer(values))
                except _Seen:
                    pass
        finally:
            handle.remove()
        return count, sums[0], sums[1]

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within it, norms whose statistics are known use them."""

        def use(norm: nn.GroupNorm, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
            mean, variance = self._moments[norm]
            normalized = (_grouped(arguments[0], norm) - mean) * (variance + norm.eps).rsqrt()
            per_channel = (-1, *[1] * (output.ndim - 2))
            affine = normalized.view(output.shape) * norm.weight.view(per_channel) + norm.bias.view(per_channel)
            return affine.to(output)

        handles = [norm.register_forward_hook(use) for norm in self._moments]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


class _Seen(Exception):  # noqa: N818
    """What comes after a norm is of no interest."""


def norms_of(layers: Sequence[nn.Module]) -> list[nn.GroupNorm]:
    """The group norms of layers, in order."""
    return [part for layer in layers for part in layer.modules() if isinstance(part, nn.GroupNorm)]


def _core(window: Window, hidden: Tensor) -> Tensor:
    """What counts of the values of a window, at its resolution, a coarser or a finer one."""
    finer = hidden.shape[-1] // (window.columns.outer_end - window.columns.outer_start)
    return window.scaled(Fraction(max(1, finer))).core(hidden)


def _grouped(hidden: Tensor, norm: nn.GroupNorm) -> Tensor:
    return hidden.reshape(len(hidden), norm.num_groups, -1)
