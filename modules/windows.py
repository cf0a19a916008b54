"""Large pictures in parts: windows with a margin, whose results are those of the whole picture."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class WindowSettings:
    """How pictures are cut that are too large to be restored at once.

    Attributes:
        side_px: Longest side that is restored at once; larger pictures are cut into windows of this size. None takes
            every picture whole, whatever memory that needs.
        overlap_px: Pixels that the denoiser's windows share with their neighbours, where their predictions are fused.

    Raises:
        ValueError: If a number does not fit.
    """

    side_px: int | None = 512
    overlap_px: int = 64

    def __post_init__(self) -> None:
        if self.side_px is not None and self.side_px < 64:
            raise ValueError(f"windows.side_px={self.side_px} must be at least 64; null takes every picture whole")
        if self.overlap_px < 0 or (self.side_px is not None and 2 * self.overlap_px > self.side_px):
            raise ValueError(
                f"windows.overlap_px={self.overlap_px} must lie between 0 and half of windows.side_px={self.side_px}"
            )


@dataclass(frozen=True)
class Span:
    """A part of one side: the places that count, and with them those that are looked at, end exclusive."""

    start: int
    end: int
    outer_start: int
    outer_end: int

    @property
    def outer(self) -> slice:
        """What is looked at."""
        return slice(self.outer_start, self.outer_end)

    @property
    def inner(self) -> slice:
        """What counts."""
        return slice(self.start, self.end)

    def core(self, values: int, stride: int | None = None) -> slice:
        """Those of so many values, evenly spread over what is looked at, that count; for `stride` see `Window.mean`."""
        per_value = stride or self._per_value(values)
        start = (self.start - self.outer_start) // per_value
        length = -(-(self.end - self.start) // per_value)
        return slice(start, start + length)

    def count(self, values: int, stride: int | None, side: int) -> int:
        """Values of the whole side, as long as that, if what is looked at has so many."""
        if stride is not None:
            # A side that is shorter has one value.
            return max(1, side // stride)
        per_value = self._per_value(values)
        # Differences of neighbours are one fewer.
        left_out = self.outer_end - self.outer_start - values * per_value
        return -(-(side - left_out) // per_value)

    def _per_value(self, values: int) -> int:
        # Convolutions halve the resolution as often as they do.
        halvings = math.log2((self.outer_end - self.outer_start) / max(1, values))
        return int(2 ** max(0, round(halvings)))

    def scaled(self, factor: Fraction) -> "Span":
        """The same part at another resolution."""
        places = (self.start, self.end, self.outer_start, self.outer_end)
        return Span(*(int(place * factor) for place in places))


@dataclass(frozen=True)
class Window:
    """A part of a picture.

    Attributes:
        rows: From top to bottom.
        columns: From left to right.
        size: Height and width of the picture.
    """

    rows: Span
    columns: Span
    size: tuple[int, int]

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the picture."""
        return (self.rows.inner, self.columns.inner) == (slice(0, self.size[0]), slice(0, self.size[1]))

    def outer(self, values: Tensor) -> Tensor:
        """What is looked at of a picture, shape (..., H, W)."""
        return values if self.is_whole else values[..., self.rows.outer, self.columns.outer]

    def core(self, values: Tensor, stride: int | None = None) -> Tensor:
        """What counts of values made of the window, shape (..., h, w), at the window's resolution or a coarser one."""
        if self.is_whole:
            return values
        height, width = values.shape[-2:]
        return values[..., self.rows.core(height, stride), self.columns.core(width, stride)]

    def mean(self, values: Tensor, stride: int | None = None) -> Tensor:
        """The window's part of the mean over the whole picture, shape (N,).

        Args:
            values: Made of the window, shape (N, C, h, w), at its resolution or a coarser one.
            stride: Places from one value to the next, where an incomplete last one has no value; None for values of
                convolutions, whose last one may hang over the border.
        """
        (height, width), (rows, columns) = values.shape[-2:], self.size
        count = self.rows.count(height, stride, rows) * self.columns.count(width, stride, columns)
        return self.core(values, stride).flatten(1).sum(dim=1) / (values.shape[1] * count)

    def parts_of(self, facts: Any) -> Any:
        """Facts of a picture, a tuple of tensors, as this window needs them: those of the picture's size are cut."""
        if isinstance(facts, Tensor):
            return self.outer(facts) if tuple(facts.shape[-2:]) == self.size else facts
        parts = (self.parts_of(fact) for fact in facts)
        return type(facts)(*parts) if hasattr(facts, "_fields") else tuple(parts)

    def enlarged(self, grid: Tensor) -> Tensor:
        """A map over the whole picture, shape (B, C, g, g), at the places of the window, shape (B, C, h, w)."""
        if self.is_whole:
            return F.interpolate(grid, size=self.size, mode="bilinear", align_corners=False)
        down, right = (
            (torch.arange(span.outer_start, span.outer_end).to(grid) + 0.5) * (2 / size) - 1
            for span, size in ((self.rows, self.size[0]), (self.columns, self.size[1]))
        )
        places = torch.stack(torch.meshgrid(right, down, indexing="xy"), dim=-1)
        places = places.expand(len(grid), -1, -1, -1)
        return F.grid_sample(grid, places, mode="bilinear", padding_mode="border", align_corners=False)

    def scaled(self, factor: Fraction) -> "Window":
        """The same part at another resolution."""
        height, width = (int(side * factor) for side in self.size)
        return Window(self.rows.scaled(factor), self.columns.scaled(factor), (height, width))


def whole(size: Sequence[int]) -> Window:
    """The picture as its only window."""
    rows, columns = (Span(0, side, 0, side) for side in size)
    return Window(rows, columns, (size[0], size[1]))


def split(size: Sequence[int], side: int | None, margin: int = 0, multiple: int = 1) -> list[Window]:
    """Cut a picture into windows; every place counts in one of them.

    Args:
        size: Height and width of the picture.
        side: Longest side of what counts; None takes the picture whole.
        margin: Places around that are looked at, as far as the picture goes.
        multiple: Windows start at multiples of it; `side` and `margin` are rounded up to such.

    Example:
        >>> [(window.rows.start, window.rows.end, window.rows.outer) for window in split((100, 50), 64, margin=8)]
        [(0, 50, slice(0, 58, None)), (50, 100, slice(42, 100, None))]
    """
    if side is None:
        return [whole(size)]
    margin = -(-margin // multiple) * multiple
    rows, columns = (_spans(length, side, margin, multiple) for length in size)
    return [Window(row, column, (size[0], size[1])) for row in rows for column in columns]


def _spans(length: int, side: int, margin: int, multiple: int) -> list[Span]:
    count = max(1, -(-length // max(side, multiple)))
    step = -(-length // (count * multiple)) * multiple
    return [
        Span(start, min(start + step, length), max(0, start - margin), min(start + step + margin, length))
        for start in range(0, length, step)
    ]


def in_windows(
    make: Callable[[Tensor], Tensor], values: Tensor, windows: Sequence[Window], factor: Fraction = Fraction(1)
) -> Tensor:
    """What `make` makes of a picture, window by window; gradients are taken window by window too.

    Args:
        make: Turns a part of shape (N, C, h, w) into one of `factor` times the resolution.
        values: The picture, shape (N, C, H, W).
        windows: From `split`, with a margin of as many places as a result depends on.
        factor: Resolution of the result, as a multiple.
    """
    if len(windows) == 1:
        return make(values)
    if torch.is_grad_enabled() and values.requires_grad:
        rows: dict[int, list[Tensor]] = {}
        for window in windows:
            # A graph would hold every window's activations: they are computed again when the gradient comes to them.
            made = checkpoint(make, window.outer(values), use_reentrant=False)
            rows.setdefault(window.rows.start, []).append(window.scaled(factor).core(made))
        return torch.cat([torch.cat(parts, dim=-1) for parts in rows.values()], dim=-2)
    result: Tensor | None = None
    for window in windows:
        made, place = make(window.outer(values)), window.scaled(factor)
        if result is None:
            result = made.new_empty(*made.shape[:2], *place.size)
        result[..., place.rows.inner, place.columns.inner] = place.core(made)
    assert result is not None, "a picture has at least one window"
    return result
