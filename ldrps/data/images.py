"""Images to restore: files, folders and globs."""

from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from ldrps.data.buckets import BatchSize, SizeBuckets, check_batch_size, sizes_of
from ldrps.data.image_files import MAX_PIXELS, read_picture
from ldrps.data.inputs import find_others, named_images
from ldrps.data.samples import Entry, Finished, Sample, Unreadable
from ldrps.data.shards import own_part


class ImageFiles(Dataset[Entry]):
    """Reads each file; one that cannot be read becomes `Unreadable` instead of an exception.

    Args:
        files: The files and the name of each one's output.
        max_pixels: Larger pictures are refused.
    """

    def __init__(self, files: Sequence[tuple[Path, str]], max_pixels: int) -> None:
        self.files = list(files)
        self.max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Entry:
        path, name = self.files[index]
        try:
            picture = read_picture(path, self.max_pixels)
        except (ValueError, OSError) as error:
            return Unreadable(path, str(error))
        return Sample(name, path, picture.image, picture.alpha, original=picture.original)


class NothingToDo(Dataset[Entry]):
    """One entry that is finished, so that a run starts and ends."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Entry:
        return Finished("", "")


class ImageData(LightningDataModule):
    """Images without ground truth.

    Args:
        inputs: Files, folders (searched with their sub-folders) and glob patterns.
        batch_size: Images of one size that are restored together; auto for as many as are quickly done.
        num_workers: Processes that read ahead.
        max_pixels: Pictures with more pixels are refused instead of exhausting the memory.
        dry_run: Find the files and neither read nor restore them.

    Raises:
        ValueError: If batch_size is below 1; on set-up, if an input does not exist or holds no image.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        batch_size: BatchSize = 1,
        num_workers: int = 0,
        max_pixels: int = MAX_PIXELS,
        dry_run: bool = False,
    ) -> None:
        super().__init__()
        check_batch_size(batch_size)
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self.inputs = list(inputs)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.max_pixels = max_pixels
        self.dry_run = dry_run

    def setup(self, stage: str) -> None:
        """Find the files."""
        self.files = named_images(self.inputs)
        self.passed_over = [file for pattern in self.inputs for file in find_others(pattern)]

    def predict_dataloader(self) -> DataLoader[Entry]:
        """This process's images, as lists of samples of one size."""
        if self.dry_run:
            return DataLoader(NothingToDo(), collate_fn=list)
        files = own_part(self.files, "0/1", self.trainer)
        batches = SizeBuckets(sizes_of([file for file, _ in files], self.batch_size), self.batch_size)
        dataset = ImageFiles(files, self.max_pixels)
        return DataLoader(dataset, batch_sampler=batches, num_workers=self.num_workers, collate_fn=list)
