"""What noise and coding errors become when the damage of a photo is undone."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from modules.backbones.loading import load_frozen
from modules.networks.noise_share import NoiseShare
from modules.outputs.base import Undo, UndoAt
from modules.outputs.photo_noise import find_noise
from modules.windows import Window

OPPONENT = (
    (1 / math.sqrt(3), 1 / math.sqrt(3), 1 / math.sqrt(3)),
    (1 / math.sqrt(2), 0, -1 / math.sqrt(2)),
    (1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)),
)
"""Orthonormal brightness and two colour differences: photos and their noise are nearly independent across them."""


class Noise(NamedTuple):
    """Noise of B photos whose damage was undone, in channels that `OPPONENT` made.

    Attributes:
        variance: Of all scales together, shape (B, 3, H, W), in the square of image units.
        coarseness: Factor of the standard deviation from the finest scale to the next, at least 1, (B, 3, 1, 1).
    """

    variance: Tensor
    coarseness: Tensor


class UndoneNoise(nn.Module):
    """Finds noise in a photo, as cameras make it, and carries it through what undoes the photo's damage.

    Args:
        weights: Folder of the `NoiseShare`; ``package:`` paths lie in an installed package.
        strength: Factor of the standard deviation.

    Raises:
        ValueError: If strength is negative.
    """

    network: Any
    """The `NoiseShare`, there once its weights are read."""

    def __init__(self, weights: str, strength: float) -> None:
        super().__init__()
        if strength < 0:
            raise ValueError(f"strength={strength} must not be negative; 0 takes every image for clean")
        self.weights = weights
        self.strength = strength

    def load(self) -> None:
        """Read the weights; does nothing the second time.

        Raises:
            ValueError: If they are missing or do not fit; one sentence with the remedy.
        """
        if not hasattr(self, "network"):
            self.network = load_frozen(NoiseShare, self.weights, "noise share", "noise_share", "output Decoded")

    @torch.no_grad()
    def find(self, degraded: Tensor, undo_at: UndoAt, windows: Sequence[Window]) -> Noise:
        """Find the noise of whole photos, and carry it through what undoes their damage.

        Args:
            degraded: What was seen, shape (B, 3, H, W), range [0, 1].
            undo_at: Gives the inverse of the learnt alignment in a window.
            windows: Windows in which it is asked for.
        """
        self.load()
        self.network.to(degraded)
        channels = rotated(degraded, degraded.new_tensor(OPPONENT))
        noise = find_noise(channels, degraded.mean(dim=1, keepdim=True), self.network)
        level = noise.level.mean(dim=1, keepdim=True)
        enlarged = torch.empty_like(degraded[:, :1])
        for window in windows:
            slope = _slope(undo_at(window), window.outer(degraded), level)
            enlarged[..., window.rows.inner, window.columns.inner] = window.core(slope)
        # Whether noise of this level is worth taking away is asked of the whole photo, or windows would disagree.
        mean = enlarged.mean(dim=(2, 3), keepdim=True)
        variance = torch.empty_like(degraded)
        for window in windows:
            seen = window.parts_of(noise)
            window.outer(variance).copy_((self.strength * window.outer(enlarged)) ** 2 * seen.variance(mean))
        return Noise(variance, noise.coarseness)


def _slope(undo: Undo, degraded: Tensor, level: Tensor) -> Tensor:
    """How much undoing the damage enlarges noise of this level, per pixel, shape (B, 1, H, W)."""
    step = level.clamp(min=1 / 255)
    higher, lower = (degraded + step).clamp(0, 1), (degraded - step).clamp(0, 1)
    enlarged = (undo(higher) - undo(lower)).abs().mean(dim=1, keepdim=True)
    return enlarged / (higher - lower).mean(dim=1, keepdim=True)


def rotated(channels: Tensor, matrix: Tensor) -> Tensor:
    """Mix channels, shape (B, C, H, W), by a matrix, shape (D, C)."""
    return torch.einsum("ij,bjhw->bihw", matrix, channels)


def in_rgb(variance: Tensor) -> Tensor:
    """Variance in red, green and blue of independent noise in the opponent channels, both of shape (B, 3, H, W)."""
    back = variance.new_tensor(OPPONENT).T
    return rotated(variance, back**2)
