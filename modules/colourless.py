"""Photos without colour: networks that know colourful ones give them a faint tint."""

import torch
from torch import Tensor

LEAST_COLOUR = 0.5 / 255
"""Difference of channels from which on a pixel has colour: half of what an 8-bit file can say."""


def are_colourless(images: Tensor) -> Tensor:
    """Whether no pixel of an image has colour, truth values of shape (B,), of images of shape (B, 3, H, W)."""
    return (images.amax(dim=1) - images.amin(dim=1)).flatten(1).amax(dim=1) < LEAST_COLOUR


def without_tint(restored: Tensor, seen: Tensor) -> Tensor:
    """Restored images, shape (B, 3, H, W), with the mean of their channels where what was seen had no colour."""
    colourless = are_colourless(seen).view(-1, 1, 1, 1)
    return torch.where(colourless, restored.mean(dim=1, keepdim=True), restored)
