"""Which images are restored together: those of one size, and no more than are quickly done."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from PIL import Image
from torch.utils.data import Sampler

BatchSize = int | Literal["auto"]
"""Images restored together at most; auto takes as many as are quickly done (`MOST_PIXELS`)."""

MOST_IMAGES, MOST_PIXELS = 64, 4_000_000
"""Images, and pixels of all of them, that "auto" takes at once; all are kept until the last is finished."""


class SizeBuckets(Sampler[list[int]]):
    """Batches of images of one size, in the order of the first image of each.

    Args:
        sizes: Width and height of each image; None for one whose size is not known.
        batch_size: See `BatchSize`.

    Example:
        >>> list(SizeBuckets([(4, 3), (9, 9), (4, 3), (4, 3)], batch_size=2))
        [[0, 2], [1], [3]]
    """

    def __init__(self, sizes: Sequence[tuple[int, int] | None], batch_size: BatchSize) -> None:
        check_batch_size(batch_size)
        batches: list[list[int]] = []
        open_batches: dict[tuple[int, int] | None, list[int]] = {}
        for index, size in enumerate(sizes):
            batch = open_batches.get(size)
            if batch is None or len(batch) >= _limit(size, batch_size):
                batch = open_batches[size] = []
                batches.append(batch)
            batch.append(index)
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)


def _limit(size: tuple[int, int] | None, batch_size: BatchSize) -> int:
    if batch_size != "auto":
        return batch_size
    # What is not known may be large.
    return 1 if size is None else max(1, min(MOST_IMAGES, MOST_PIXELS // (size[0] * size[1])))


def check_batch_size(batch_size: BatchSize) -> None:
    """Refuse what is no size of a batch.

    Raises:
        ValueError: If it is below 1.
    """
    if batch_size != "auto" and batch_size < 1:
        raise ValueError(f"batch_size={batch_size} must be at least 1, or auto")


def sizes_of(files: Sequence[Path], batch_size: BatchSize) -> list[tuple[int, int] | None]:
    """Width and height of pictures, by their headers; None where a file tells none, or images come one by one."""
    return [None if batch_size == 1 else _size_of(file) for file in files]


def _size_of(file: Path) -> tuple[int, int] | None:
    try:
        with Image.open(file) as image:
            return image.size
    except Exception:  # Whatever is wrong with a file is said where it is read.
        return None
