"""A convolutional network in stages, each of which takes large pictures window by window with a margin of its own."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from modules.backbones.shared_norms import SharedNorms, norms_of
from modules.windows import Window, in_windows, split

Layer = Callable[[Tensor], Tensor]
"""A module, or a function of single places."""


@dataclass(frozen=True)
class Stage:
    """Layers that follow one another.

    Margins add up over what is gone through in one piece, so that two stages need less of them than one.

    Attributes:
        layers: The layers.
        resolution: Pixels along one side of a place of its input.
        factor: Resolution of its output as a multiple of that of its input.
        is_whole: Whether it is given the whole picture: attention sees everything, and stands where pictures are small.
        steps: Parts of the stage in order, between which all of a picture's values are kept to learn what its group
            norms see; none if it has no such norms.
    """

    layers: Sequence[Layer]
    resolution: int
    factor: Fraction
    is_whole: bool = False
    steps: Sequence["Stage"] = ()

    @property
    def modules(self) -> list[nn.Module]:
        """Those of the layers that are modules."""
        return [layer for layer in self.layers if isinstance(layer, nn.Module)]

    def __call__(self, values: Tensor) -> Tensor:
        """What the layers make of values, shape (B, C, h, w)."""
        for layer in self.layers:
            values = layer(values)
        return values

    def in_windows(self, values: Tensor, side_px: int) -> Tensor:
        """The same window by window; equal to what is made of the whole picture."""
        has_graph = torch.is_grad_enabled() and values.requires_grad
        if self.is_whole:
            whole: Tensor = checkpoint(self, values, use_reentrant=False) if has_graph else self(values)
            return whole
        if not self.steps:
            return in_windows(self, values, self._windows(values, side_px), self.factor)
        norms = SharedNorms(self.modules)
        with torch.no_grad():
            made = values.detach()
            for step in self.steps:
                made = step.made_with(norms, made, side_px)
        if not has_graph:
            return made

        def make(part: Tensor) -> Tensor:
            with norms.used():
                return self(part)

        return in_windows(make, values, self._windows(values, side_px), self.factor)

    def made_with(self, norms: SharedNorms, values: Tensor, side_px: int) -> Tensor:
        """`in_windows`, for which the statistics of the norms are found first and kept."""
        windows = self._windows(values, side_px)
        norms.find(self.modules, self, values, windows)
        with norms.used():
            return in_windows(self, values, windows, self.factor)

    def _windows(self, values: Tensor, side_px: int) -> list[Window]:
        margin = math.ceil(receptive_radius(self.modules))
        side = max(1, side_px // self.resolution)
        return split(values.shape[-2:], side, margin, self.factor.denominator)


def with_steps(steps: Sequence[Stage]) -> Stage:
    """One stage of several."""
    layers = [layer for step in steps for layer in step.layers]
    factor = math.prod((step.factor for step in steps), start=Fraction(1))
    has_norms = bool(norms_of([layer for layer in layers if isinstance(layer, nn.Module)]))
    is_whole = any(step.is_whole for step in steps)
    return Stage(layers, steps[0].resolution, factor, is_whole, steps if has_norms else ())


def receptive_radius(layers: Iterable[nn.Module]) -> float:
    """Places around an input that the output of convolutions depends on, at the input's resolution.

    Args:
        layers: What the input goes through, in order; branches of a layer count as if they followed one another.

    Example:
        >>> receptive_radius([nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, stride=2), nn.Conv2d(1, 1, 3), nn.Upsample(2)])
        4.0
    """
    radius, size = 0.0, 1.0
    for layer in (part for whole in layers for part in whole.modules()):
        if isinstance(layer, nn.Conv2d):
            radius += size * layer.dilation[0] * (layer.kernel_size[0] - 1) / 2
            size *= layer.stride[0]
        elif isinstance(layer, nn.Upsample | Upsample2D):
            size /= 2
    return radius
