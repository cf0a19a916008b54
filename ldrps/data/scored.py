"""What sets of images with ground truth share."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ldrps.data.buckets import BatchSize, SizeBuckets, check_batch_size, sizes_of
from ldrps.data.centre_crop import centre_crop
from ldrps.data.samples import Entry, Finished, Sample
from ldrps.data.shards import own_part, parse_shard

Task = TypeVar("Task")

IsFinished = Callable[[str, str, str], bool]
"""Whether the results of (suite, name, key) have been written."""


MOST_KEPT_VALUES = 2**26
"""Numbers of kept samples, 256 MiB; further samples are made anew each time."""


class ScoredFiles(Dataset[Entry], Generic[Task]):
    """Makes the sample of each task; what cannot be read becomes `Unreadable` instead of an exception.

    Args:
        tasks: What is needed to make each sample.
        crop_px: Side of the square cut from the centre; smaller images are enlarged first. None takes them whole.
        max_pixels: Larger pictures are refused.
        is_finished: Samples that need not be restored again.
    """

    def __init__(self, tasks: Sequence[Task], crop_px: int | None, max_pixels: int, is_finished: IsFinished) -> None:
        self.tasks = list(tasks)
        self.crop_px = crop_px
        self.max_pixels = max_pixels
        self.is_finished = is_finished

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, index: int) -> Entry:
        return self.entry(self.tasks[index])

    @abstractmethod
    def entry(self, task: Task) -> Entry:
        """Make the sample of one task."""

    @abstractmethod
    def file(self, task: Task) -> Path:
        """A file of the size of the task's sample."""

    def cropped(self, image: Tensor) -> Tensor:
        """The square that is used of an image, shape (3, H, W), or all of it."""
        return image if self.crop_px is None else centre_crop(image, self.crop_px)


class KeptFiles(Dataset[Entry]):
    """Files whose samples stay in memory, for runs that go over the same images again.

    Args:
        files: Makes the samples.
        kept: The samples so far, by task; filled here.
    """

    def __init__(self, files: ScoredFiles[Any], kept: dict[Any, Sample]) -> None:
        self.files = files
        self.kept = kept

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Entry:
        task = self.files.tasks[index]
        sample = self.kept.get(task)
        if sample is None:
            entry = self.files[index]
            if isinstance(entry, Sample) and sum(map(values_of, self.kept.values())) < MOST_KEPT_VALUES:
                self.kept[task] = entry
            return entry
        is_finished = self.files.is_finished(sample.suite, sample.name, sample.key)
        return Finished(sample.suite, sample.name) if is_finished else sample


def nothing_is_finished(suite: str, name: str, key: str) -> bool:
    """False: what `IsFinished` says where nothing was written; a function with a name, which processes can be sent."""
    return False


def values_of(sample: Sample) -> int:
    """Numbers in the images of a sample."""
    return sample.image.numel() + (0 if sample.target is None else sample.target.numel())


class ScoredData(LightningDataModule, Generic[Task]):
    """Images with ground truth, which `ldrps test` restores and scores.

    A subclass fills ``tasks`` on set-up, and stores and documents the settings that it passes on. Samples stay in
    memory where ``kept`` is a dictionary.

    Args:
        crop_px: Side of a square cut from the centre of each image; None takes them whole.
        limit: Use the first images only; None uses all.
        shard: Part ``i/n`` of the work, for machines that share a run folder.
        batch_size: Images of one size that are restored together; auto for as many as are quickly done.
        num_workers: Processes that read ahead.
        max_pixels: Pictures with more pixels are refused.

    Raises:
        ValueError: If the shard, the crop, the limit or the batch size is none.
    """

    def __init__(
        self,
        crop_px: int | None,
        limit: int | None,
        shard: str,
        batch_size: BatchSize,
        num_workers: int,
        max_pixels: int,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True
        parse_shard(shard)
        check_batch_size(batch_size)
        if crop_px is not None and crop_px < 1:
            raise ValueError(f"crop_px={crop_px} must be at least 1; null takes images whole")
        if limit is not None and limit < 1:
            raise ValueError(f"limit={limit} must be at least 1; null uses all images")
        self.crop_px = crop_px
        self.limit = limit
        self.shard = shard
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.max_pixels = max_pixels
        self.tasks: list[Task] = []
        self.kept: dict[Task, Sample] | None = None
        self.is_finished: IsFinished = nothing_is_finished

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What of the data a result depends on, besides the pixels."""

    @abstractmethod
    def files(self, tasks: Sequence[Task]) -> ScoredFiles[Task]:
        """The samples of some tasks."""

    def test_dataloader(self) -> DataLoader[Entry]:
        """This process's samples, as lists of samples of one size."""
        files = self.files(own_part(self.tasks, self.shard, self.trainer))
        if self.crop_px is None:
            sizes = sizes_of([files.file(task) for task in files.tasks], self.batch_size)
        else:
            sizes = [(self.crop_px, self.crop_px)] * len(files)
        batches = SizeBuckets(sizes, self.batch_size)
        samples: Dataset[Entry] = files if self.kept is None else KeptFiles(files, self.kept)
        return DataLoader(samples, batch_sampler=batches, num_workers=self.num_workers, collate_fn=list)


def digest_of(names: Sequence[str]) -> dict[str, Any]:
    """Number of images and a hash of their names, by which a run folder knows its data again."""
    return {"count": len(names), "names_sha256": hashlib.sha256("\n".join(names).encode()).hexdigest()}
