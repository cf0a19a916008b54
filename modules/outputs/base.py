"""What an output is: how the restored image is made of the decoded sample and the degraded image."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modules.windows import Window, split, whole

Undo = Callable[[Tensor], Tensor]
"""Undoes the damage of images, shape (B, 3, H, W), range [0, 1], as far as the alignment net can."""

UndoAt = Callable[[Window], Undo]


class Output(nn.Module, ABC):
    """The last step of a restoration, at the image's own size. Rows are independent; nothing is drawn or learnt.

    An output that says how far it looks (`reach_px`) is given large pictures window by window, and with each window
    what it found out about the whole pictures (`look`).
    """

    reach_px: int | None = None
    """Pixels around a place that its value depends on, besides what `look` found; None takes every picture whole."""

    grid_px: int = 1
    """Windows start at multiples of this many pixels."""

    uses_sample: bool = True
    """Whether `forward` looks at the decoded sample; where it does not, none is decoded, and it is given the input."""

    def load(self) -> None:
        """Read weights, if the output has any; does nothing the second time.

        Raises:
            ValueError: If they are missing or do not fit; one sentence with the remedy.
        """

    def look(self, degraded: Tensor, undo_at: UndoAt, windows: Sequence[Window]) -> Any:
        """Find out what windows of the pictures do not show.

        Args:
            degraded: Whole pictures, shape (B, 3, H, W), range [0, 1].
            undo_at: Gives the `Undo` of a window.
            windows: Windows to undo the damage in, so that no more memory is needed than for one of them.

        Returns:
            A tuple of tensors, each per image or, as a map of shape (B, C, H, W), per pixel; None if nothing is needed.
        """
        return None

    def look_at_whole(self, degraded: Tensor, undo: Undo) -> Any:
        """`look` at pictures that are undone in one piece."""
        return self.look(degraded, lambda _: undo, [whole(degraded.shape[-2:])])

    def in_windows(self, decoded: Tensor, degraded: Tensor, undo_at: UndoAt, side_px: int | None) -> Tensor:
        """`forward` for pictures of any size.

        Args:
            decoded: See `forward`.
            degraded: See `forward`.
            undo_at: Gives the `Undo` of a window.
            side_px: Longest side that is made at once; None makes every picture at once.
        """
        windows = split(
            degraded.shape[-2:], None if self.reach_px is None else side_px, self.reach_px or 0, self.grid_px
        )
        facts = self.look(degraded, undo_at, windows)
        restored = torch.empty_like(degraded)
        for window in windows:
            known = () if facts is None else (window.parts_of(facts),)
            part = self(window.outer(decoded), window.outer(degraded), undo_at(window), *known)
            restored[..., window.rows.inner, window.columns.inner] = window.core(part)
        return restored

    @abstractmethod
    def forward(self, decoded: Tensor, degraded: Tensor, undo: Undo, facts: Any = None) -> Tensor:
        """Make the restored image.

        Args:
            decoded: The decoded sample, shape (B, 3, H, W), range [0, 1].
            degraded: What was seen, same shape and range.
            undo: Inverse of the learnt alignment.
            facts: What `look` found, cut to the window; None where the pictures are whole, which says the same.

        Returns:
            The restored images, same shape; the caller clips them to [0, 1].
        """
