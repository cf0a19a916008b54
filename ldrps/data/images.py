"""Images to restore: files, folders and globs."""

import glob
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from ldrps.data.buckets import BatchSize, SizeBuckets, check_batch_size, sizes_of
from ldrps.data.image_files import DEVELOP, IMAGE_SUFFIXES, MAX_PIXELS, is_raw, read_picture
from ldrps.data.samples import Entry, Finished, Sample, Unreadable
from ldrps.data.shards import own_part

SIDE_SUFFIXES = (".txt", ".json")
"""Endings of files that may lie beside a picture: words for it, its receipt."""


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
        self.files = name_outputs([found for pattern in self.inputs for found in find_images(pattern)])
        self.passed_over = [file for pattern in self.inputs for file in find_others(pattern)]

    def predict_dataloader(self) -> DataLoader[Entry]:
        """This process's images, as lists of samples of one size."""
        if self.dry_run:
            return DataLoader(NothingToDo(), collate_fn=list)
        files = own_part(self.files, "0/1", self.trainer)
        batches = SizeBuckets(sizes_of([file for file, _ in files], self.batch_size), self.batch_size)
        dataset = ImageFiles(files, self.max_pixels)
        return DataLoader(dataset, batch_sampler=batches, num_workers=self.num_workers, collate_fn=list)


def find_images(pattern: str) -> list[tuple[Path, Path]]:
    """List the images a file, folder or glob pattern stands for, each with its path relative to the folder searched.

    Raises:
        ValueError: If nothing is found; the message names the input.
    """
    path = Path(pattern)
    if path.is_dir():
        files = files_in(path)
        found = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
        if not found and any(map(is_raw, files)):
            raise ValueError(f"folder {pattern!r} holds no image but camera raw: {DEVELOP}")
        if not found:
            endings = " ".join(sorted(IMAGE_SUFFIXES))
            raise ValueError(f"folder {pattern!r} holds no image: looked for files ending in {endings}")
        return [(file, file.relative_to(path)) for file in found]
    if path.is_file():
        return [(path, Path(path.name))]
    matches = sorted(Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns)
    files = [match for match in matches if match.is_file()]
    if not files:
        raise ValueError(f"input {pattern!r} does not exist: give image files, folders or a glob pattern")
    return [(file, Path(file.name)) for file in files]


def find_others(pattern: str) -> list[Path]:
    """List the files of a folder that are no pictures by their names, but for hidden ones and those about a picture."""
    folder = Path(pattern)
    if not folder.is_dir():
        return []
    files = files_in(folder)
    pictures = {file.with_suffix("") for file in files if file.suffix.lower() in IMAGE_SUFFIXES}
    others = [file for file in files if file.suffix.lower() not in IMAGE_SUFFIXES]
    return [file for file in others if not is_about(file, pictures)]


def files_in(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, sorted; what is hidden, systems and programs have left there."""
    visible = (path for path in folder.rglob("*") if not is_hidden(path.relative_to(folder)))
    return sorted(path for path in visible if path.is_file())


def is_hidden(relative: Path) -> bool:
    """Whether a file, or a folder it lies in, is hidden."""
    return any(part.startswith(".") for part in relative.parts)


def is_about(file: Path, pictures: Collection[Path]) -> bool:
    """Whether a file holds words or a receipt for one of these pictures, which are named without their endings."""
    stem = file.with_suffix("")
    return file.suffix in SIDE_SUFFIXES and (stem in pictures or stem.with_suffix("") in pictures)


def name_outputs(found: Sequence[tuple[Path, Path]]) -> list[tuple[Path, str]]:
    """Give every file an output name of its own; files that would share one keep their ending in it.

    A file that was found twice, in whatever spelling, is taken once.

    Example:
        >>> name_outputs([(Path("a/x.jpg"), Path("x.jpg")), (Path("a/x.png"), Path("x.png"))])
        [(PosixPath('a/x.jpg'), 'x.jpg'), (PosixPath('a/x.png'), 'x.png')]
        >>> name_outputs([(Path("a/x.jpg"), Path("x.jpg"))])
        [(PosixPath('a/x.jpg'), 'x')]
    """
    # Not the whole path: a link beside a picture is a picture with a name of its own.
    distinct = list({file.parent.resolve() / file.name: (file, relative) for file, relative in found}.values())
    stems = [str(relative.with_suffix("")) for _, relative in distinct]
    count = Counter(stems)
    names: list[tuple[Path, str]] = []
    taken: set[str] = set()
    for (file, relative), stem in zip(distinct, stems, strict=True):
        name = stem if count[stem] == 1 else str(relative)
        number = 2
        while name in taken:
            name = f"{relative}-{number}"
            number += 1
        taken.add(name)
        names.append((file, name))
    return names
