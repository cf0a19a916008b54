"""What a degradation is: parameters drawn per image, and a deterministic function of image and parameters."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

Parameters = dict[str, Tensor]
"""Drawn parameters by name; the first dimension of each counts the images."""

Interval = tuple[float, float]


class Degradation(ABC):
    """One physical effect on a batch of images."""

    @abstractmethod
    def sample_parameters(self, generators: Sequence[torch.Generator]) -> Parameters:
        """Draw the parameters of each image.

        Args:
            generators: One per image; row i is drawn from generator i only.
        """

    @abstractmethod
    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """Damage images; the same image and parameters always give the same result.

        Args:
            image: Shape (B, 3, H, W), range [0, 1].
            parameters: As drawn by `sample_parameters`.

        Returns:
            Same shape, range [0, 1].
        """

    def __call__(self, image: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Draw parameters and damage images, shape (B, 3, H, W), range [0, 1]."""
        return self.degrade(image, self.sample_parameters(generators))


def uniform(interval: Interval, generators: Sequence[torch.Generator], *shape: int) -> Tensor:
    """Draw evenly from an interval, shape (B, *shape), row i from generator i."""
    low, high = interval
    drawn = torch.stack([torch.rand(shape, generator=generator) for generator in generators])
    return low + (high - low) * drawn


def check_interval(name: str, interval: Interval, lowest: float, highest: float) -> Interval:
    """Return the interval if it lies within physical limits.

    Raises:
        ValueError: If it is reversed or out of range; the message names it and the limits.
    """
    low, high = interval
    if not lowest <= low <= high <= highest:
        raise ValueError(f"{name}={list(interval)} must be [low, high] with {lowest} <= low <= high <= {highest}")
    return interval


def per_image(values: Tensor, image: Tensor) -> Tensor:
    """Reshape one value per image, (B,), to multiply images, (B, 1, 1, 1), on their device."""
    return values.to(image).view(-1, 1, 1, 1)
