"""Shuffled batches that an interrupted training goes on with where it stopped."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

Draw = tuple[int, int]
"""Number of an item and the seed of what is drawn for it."""


class ShuffledBatches(Sampler[list[Draw]]):
    """Batches in an order of their own in each epoch, which depends on the seed alone; no process shares an item.

    Args:
        items: Numbers of the items in the dataset.
        batch_size: Items a batch and process; what is left over at the end of an epoch is dropped.
        seed: Seed of the order and of the items' own seeds.
        rank: This process.
        world_size: Processes.

    Raises:
        ValueError: If there are too few items for one batch.
    """

    def __init__(
        self, items: Sequence[int], batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        if len(items) < batch_size * world_size:
            raise ValueError(
                f"{len(items)} training photo(s) do not fill a batch of {batch_size} on {world_size} process(es): "
                "give more photos, or a smaller data.batch_size"
            )
        self.items = list(items)
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.num_done = 0

    def __len__(self) -> int:
        """Batches an epoch and process."""
        return len(self.items) // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[list[Draw]]:
        """What is left of the epoch after the batches that are done."""
        epoch, first = divmod(self.num_done, len(self))
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.items), generator=generator)
        seeds = torch.randint(2**31, (len(self.items),), generator=generator)
        draws = [(self.items[place], int(seed)) for place, seed in zip(order, seeds, strict=True)]
        own = draws[self.rank :: self.world_size]
        for batch in range(first, len(self)):
            yield own[batch * self.batch_size : (batch + 1) * self.batch_size]


class ResumableLoader(DataLoader[Any]):
    """A loader of `ShuffledBatches` whose position Lightning keeps in checkpoints.

    Counted is what was handed out, not what worker processes have read ahead.

    Args:
        dataset: Takes a `Draw`.
        batches: Which items go together.
        num_workers: Loader processes.
    """

    def __init__(self, dataset: Dataset[Any], batches: ShuffledBatches, num_workers: int = 0) -> None:
        super().__init__(dataset, batch_sampler=batches, num_workers=num_workers, persistent_workers=num_workers > 0)
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        """Batches, each counted."""
        for batch in super().__iter__():
            self.batches.num_done += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Batches handed out since training began."""
        return {"num_done": self.batches.num_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after them."""
        self.batches.num_done = state["num_done"]
