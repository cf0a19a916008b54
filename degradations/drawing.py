"""Random numbers for batches: row i comes from generator i (or seed i) alone, whatever else is in the batch.

Everything is drawn on the CPU and moved, so that a device changes nothing.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from degradations.checks import Interval

Generators = Sequence[torch.Generator]


def generators_for(seed: int, keys: Sequence[int], epoch: int = 0) -> list[torch.Generator]:
    """Make one generator per sample, from the run's seed, the epoch and the sample's key (its index, say).

    Example:
        >>> [first, _] = generators_for(0, [7, 8])
        >>> [again] = generators_for(0, [7])
        >>> first.initial_seed() == again.initial_seed()
        True
    """
    digests = [hashlib.sha256(f"{seed} {epoch} {key}".encode()).digest() for key in keys]
    return [torch.Generator().manual_seed(int.from_bytes(digest[:7], "big")) for digest in digests]


def uniform(interval: Interval, generators: Generators, *shape: int) -> Tensor:
    """Draw evenly from an interval, shape (B, *shape)."""
    low, high = interval
    return low + (high - low) * torch.stack([torch.rand(shape, generator=generator) for generator in generators])


def normal(generators: Generators, *shape: int) -> Tensor:
    """Draw standard normal numbers, shape (B, *shape)."""
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators])


def log_uniform(interval: Interval, generators: Generators) -> Tensor:
    """Draw evenly on a logarithmic scale from an interval of positive numbers, shape (B,)."""
    low, high = torch.tensor(interval).log().tolist()
    return uniform((low, high), generators).exp()


def integers(interval: tuple[int, int], generators: Generators, step: int = 1) -> Tensor:
    """Draw from low, low + step, ..., high, shape (B,)."""
    low, high = interval
    count = (high - low) // step + 1
    drawn = [torch.randint(count, (), generator=generator) for generator in generators]
    return low + step * torch.stack(drawn)


def coins(probability: float, generators: Generators) -> Tensor:
    """Draw true with a probability, shape (B,)."""
    return uniform((0, 1), generators) < probability


def choices(weights: Sequence[float], generators: Generators) -> Tensor:
    """Draw a number from 0 to len(weights) - 1 with probabilities in proportion to the weights, shape (B,)."""
    borders = torch.tensor(weights, dtype=torch.float64).cumsum(0)
    drawn = uniform((0, 1), generators).double() * borders[-1]
    return torch.bucketize(drawn, borders[:-1], right=True)


def permutations(count: int, generators: Generators) -> Tensor:
    """Draw orders of 0 ... count - 1, shape (B, count)."""
    return torch.stack([torch.randperm(count, generator=generator) for generator in generators])


def seeds(generators: Generators) -> Tensor:
    """Draw seeds for fields that are too large to keep, shape (B,)."""
    return torch.stack([torch.randint(2**62, (), generator=generator) for generator in generators])


def from_seed(seed: Tensor) -> torch.Generator:
    """Make the generator that a kept seed, a tensor of shape (), stands for."""
    return torch.Generator().manual_seed(int(seed))


def normal_field(kept_seeds: Tensor, shape: Sequence[int], like: Tensor) -> Tensor:
    """Draw standard normal numbers from kept seeds, shape (B, *shape), on the device of `like` and in its precision."""
    field = torch.empty(len(kept_seeds), *shape)
    for row, seed in zip(field, kept_seeds, strict=True):
        row.normal_(generator=from_seed(seed))
    return field.to(like)


def uniform_field(kept_seeds: Tensor, shape: Sequence[int], like: Tensor) -> Tensor:
    """Draw evenly from [0, 1) from kept seeds, shape (B, *shape), on the device of `like` and in its precision."""
    field = torch.empty(len(kept_seeds), *shape)
    for row, seed in zip(field, kept_seeds, strict=True):
        row.uniform_(generator=from_seed(seed))
    return field.to(like)
