"""A folder of clean images, degraded by suites."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from degradations.base import Degradation
from degradations.description import describe
from degradations.receipts import degrade_one, fingerprint
from degradations.suites import load_suites, merged
from ldrps.data.centre_crop import centre_crop
from ldrps.data.image_files import read_picture
from ldrps.data.image_generator import image_generator
from ldrps.data.images import find_images, name_outputs
from ldrps.data.samples import Entry, Finished, Sample, Unreadable
from ldrps.data.shards import own_part, parse_shard
from ldrps.data.shipped import suite_folder

IsFinished = Callable[[str, str, str], bool]
"""Whether the results of (suite, name, key) have been written."""


class DegradedFiles(Dataset[Entry]):
    """Reads clean files and degrades each by a suite.

    Args:
        tasks: Suite, file and name of each sample.
        suites: The degradations by name.
        seed: Seed of the run; the damage of an image depends on it and its pixels alone.
        crop_px: Side of the square cut from the centre; smaller images are enlarged first. None takes them whole.
        max_pixels: Larger pictures are refused.
        is_finished: Samples that need not be made again.
    """

    def __init__(
        self,
        tasks: Sequence[tuple[str, Path, str]],
        suites: dict[str, Degradation],
        seed: int,
        crop_px: int | None,
        max_pixels: int,
        is_finished: IsFinished,
    ) -> None:
        self.tasks = list(tasks)
        self.suites = suites
        self.seed = seed
        self.crop_px = crop_px
        self.max_pixels = max_pixels
        self.is_finished = is_finished

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, index: int) -> Entry:
        suite, path, name = self.tasks[index]
        try:
            picture = read_picture(path, self.max_pixels)
        except (ValueError, OSError) as error:
            return Unreadable(path, str(error), suite, name)
        target = picture.image if self.crop_px is None else centre_crop(picture.image, self.crop_px)
        key = fingerprint(target)
        if self.is_finished(suite, name, key):
            return Finished(suite, name)
        try:
            parameters = self.suites[suite].sample_parameters([image_generator(target, self.seed)])
            degraded = degrade_one(target, self.suites[suite], parameters)
        except Exception as error:  # Whatever a suite of the user's own raises costs its image only.
            return Unreadable(path, f"{path} could not be degraded by {suite}: {error}", suite, name)
        return Sample(name, path, degraded, None, target, suite, key)


class CleanData(LightningDataModule):
    """Clean images degraded by suites: what `ldrps test --suite` restores.

    Args:
        inputs: Files, folders and glob patterns of clean images.
        suites: Names of suites, or YAML files.
        seed: Seed of the damage.
        crop_px: Side of a square cut from the centre of each image; null takes them whole.
        limit: Use the first images only; null uses all.
        shard: Part ``i/n`` of the work, for machines that share a run folder.
        batch_size: Images restored together.
        num_workers: Processes that read and degrade ahead.
        max_pixels: Pictures with more pixels are refused.

    Raises:
        ValueError: On set-up, if an input or a suite does not exist.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        suites: Sequence[str],
        seed: int = 0,
        crop_px: int | None = None,
        limit: int | None = None,
        shard: str = "0/1",
        batch_size: int = 1,
        num_workers: int = 0,
        max_pixels: int = 4_000_000,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True
        parse_shard(shard)
        if crop_px is not None and crop_px < 1:
            raise ValueError(f"crop_px={crop_px} must be at least 1; null takes images whole")
        if limit is not None and limit < 1:
            raise ValueError(f"limit={limit} must be at least 1; null uses all images")
        self.inputs = list(inputs)
        self.suite_names = list(suites)
        self.seed = seed
        self.crop_px = crop_px
        self.limit = limit
        self.shard = shard
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.max_pixels = max_pixels
        self.is_finished: IsFinished = lambda suite, name, key: False

    def setup(self, stage: str) -> None:
        """Find the files and load the suites."""
        files = name_outputs([found for pattern in self.inputs for found in find_images(pattern)])[: self.limit]
        self.suites: dict[str, Degradation] = merged(load_suites(name, suite_folder()) for name in self.suite_names)
        if not self.suites:
            raise ValueError("suites is empty: name at least one suite")
        self.tasks = [(suite, path, name) for suite in self.suites for path, name in files]

    def describe(self) -> dict[str, Any]:
        """What of the data a result depends on."""
        suites = {name: describe(degradation) for name, degradation in self.suites.items()}
        images = digest_of(sorted({name for _, _, name in self.tasks}))
        return {"suites": suites, "seed": self.seed, "crop_px": self.crop_px, "images": images}

    def test_dataloader(self) -> DataLoader[Entry]:
        """This process's samples in order, as lists."""
        tasks = own_part(self.tasks, self.shard, self.trainer)
        dataset = DegradedFiles(tasks, self.suites, self.seed, self.crop_px, self.max_pixels, self.is_finished)
        return DataLoader(dataset, batch_size=self.batch_size, num_workers=self.num_workers, collate_fn=list)


def digest_of(names: Sequence[str]) -> dict[str, Any]:
    """Number of images and a hash of their names, by which a run folder knows its data again."""
    return {"count": len(names), "names_sha256": hashlib.sha256("\n".join(names).encode()).hexdigest()}
