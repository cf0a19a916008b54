"""One process's part of the work, and the parts of all."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from pytorch_lightning import Trainer

Item = TypeVar("Item")


def parse_shard(shard: str) -> tuple[int, int]:
    """Read a shard, ``i/n``: part i, from 0, of n.

    Raises:
        ValueError: If it is not that.

    Example:
        >>> parse_shard("1/4")
        (1, 4)
    """
    number, _, count = shard.partition("/")
    if not (number.isdigit() and count.isdigit() and int(number) < int(count)):
        raise ValueError(f"shard={shard!r} must be i/n with i from 0 to n - 1, such as 0/2 and 1/2")
    return int(number), int(count)


def own_part(items: Sequence[Item], shard: str, trainer: Trainer | None) -> list[Item]:
    """Take this machine's shard, and of that this process's part; no item is given to two.

    Lightning's own sampler would repeat some to make the parts equally long.
    """
    number, count = parse_shard(shard)
    mine = list(items)[number::count]
    return mine if trainer is None else mine[trainer.global_rank :: trainer.world_size]


def in_process_group() -> bool:
    """Whether this process talks to others of the same run."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def gathered(items: list[Item]) -> list[Item]:
    """The items of all processes."""
    if not in_process_group():
        return items
    parts: list[list[Item]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(parts, items)
    return [item for part in parts for item in part]
