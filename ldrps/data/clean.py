"""A folder of clean images, degraded by suites."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from degradations.base import Degradation
from degradations.description import describe
from degradations.receipts import degrade_one, fingerprint
from degradations.suites import load_suites, merged
from ldrps.data.buckets import BatchSize
from ldrps.data.image_files import MAX_PIXELS, read_picture
from ldrps.data.image_generator import image_generator
from ldrps.data.inputs import named_images
from ldrps.data.samples import Entry, Finished, Sample, Unreadable
from ldrps.data.scored import IsFinished, ScoredData, ScoredFiles, digest_of
from ldrps.data.shipped import suite_folder

Task = tuple[str, Path, str]
"""Suite, file and name of a sample."""


class DegradedFiles(ScoredFiles[Task]):
    """Reads clean files and degrades each by a suite.

    Args:
        tasks: Suite, file and name of each sample.
        crop_px: See `ScoredFiles`.
        max_pixels: See `ScoredFiles`.
        is_finished: See `ScoredFiles`.
        suites: The degradations by name.
        seed: Seed of the run; the damage of an image depends on it and its pixels alone.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        crop_px: int | None,
        max_pixels: int,
        is_finished: IsFinished,
        suites: dict[str, Degradation],
        seed: int,
    ) -> None:
        super().__init__(tasks, crop_px, max_pixels, is_finished)
        self.suites = suites
        self.seed = seed

    def file(self, task: Task) -> Path:
        """See `ScoredFiles.file`."""
        return task[1]

    def entry(self, task: Task) -> Entry:
        """See `ScoredFiles.entry`."""
        suite, path, name = task
        try:
            picture = read_picture(path, self.max_pixels)
        except (ValueError, OSError) as error:
            return Unreadable(path, str(error), suite, name)
        target = self.cropped(picture.image)
        key = fingerprint(target)
        if self.is_finished(suite, name, key):
            return Finished(suite, name)
        try:
            parameters = self.suites[suite].sample_parameters([image_generator(target, self.seed)])
            degraded = degrade_one(target, self.suites[suite], parameters)
        except Exception as error:  # Whatever a suite of the user's own raises costs its image only.
            return Unreadable(path, f"{path} could not be degraded by {suite}: {error}", suite, name)
        return Sample(name, path, degraded, None, target, suite, key)


class CleanData(ScoredData[Task]):
    """Clean images degraded by suites: what `ldrps test --suite` restores.

    Args:
        inputs: Files, folders and glob patterns of clean images.
        suites: Names of suites, or YAML files.
        seed: Seed of the damage.
        crop_px: Side of a square cut from the centre of each image; null takes them whole.
        limit: Use the first images only; null uses all.
        shard: Part ``i/n`` of the work, for machines that share a run folder.
        batch_size: Images of one size that are restored together; auto for as many as are quickly done.
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
        batch_size: BatchSize = 1,
        num_workers: int = 0,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__(crop_px, limit, shard, batch_size, num_workers, max_pixels)
        self.inputs = list(inputs)
        self.suite_names = list(suites)
        self.seed = seed

    def setup(self, stage: str) -> None:
        """Find the files and load the suites."""
        files = named_images(self.inputs)[: self.limit]
        self.suites: dict[str, Degradation] = merged(load_suites(name, suite_folder()) for name in self.suite_names)
        if not self.suites:
            raise ValueError("suites is empty: name at least one suite")
        self.tasks = [(suite, path, name) for suite in self.suites for path, name in files]

    def describe(self) -> dict[str, Any]:
        """See `ScoredData.describe`."""
        suites = {name: describe(degradation) for name, degradation in self.suites.items()}
        # Names alone: a faulty image may be replaced, and what was made of the former pixels counts no more.
        images = digest_of(sorted({name for _, _, name in self.tasks}))
        return {"suites": suites, "seed": self.seed, "crop_px": self.crop_px, "images": images}

    def files(self, tasks: Sequence[Task]) -> DegradedFiles:
        """See `ScoredData.files`."""
        return DegradedFiles(tasks, self.crop_px, self.max_pixels, self.is_finished, self.suites, self.seed)
