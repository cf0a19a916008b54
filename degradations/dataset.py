"""Pairs of degraded and clean images for training, degraded by the loader's workers."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from degradations.base import Degradation
from degradations.drawing import generators_for


class DegradedDataset(Dataset[tuple[Tensor, Tensor]]):
    """Degrades the images of another dataset, each with a seed of its own.

    What sample i becomes depends on (seed, epoch, i) alone: not on the number of workers, the batch or the order. On a
    device, ``degradation(batch, generators_for(seed, indices, epoch))`` makes the same of a batch of clean images.

    Args:
        clean: Dataset of images, shape (3, H, W), range [0, 1].
        degradation: What happens to them.
        seed: Seed of the run.

    Example:
        >>> from degradations.noise.gaussian_noise import GaussianNoise
        >>> pairs = DegradedDataset([torch.rand(3, 8, 8)], GaussianNoise())
        >>> degraded, clean = pairs[0]
        >>> torch.equal(degraded, pairs[0][0])
        True
    """

    def __init__(self, clean: Dataset[Tensor], degradation: Degradation, seed: int = 0) -> None:
        self.clean = clean
        self.degradation = degradation
        self.seed = seed
        # Shared, so that workers that live on from epoch to epoch see it change.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Draw anew: each epoch has its own damage."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.clean)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        # From the end, as lists allow it, sample i is the same sample.
        index = index + len(self) if index < 0 else index
        image = self.clean[index]
        return self.degradation(image[None], generators_for(self.seed, [index], int(self._epoch)))[0], image
