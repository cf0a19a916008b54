"""Pairs of degraded images and ground truth, in two folders with equal file names."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from degradations.receipts import fingerprint
from ldrps.data.buckets import BatchSize
from ldrps.data.image_files import MAX_PIXELS, read_picture
from ldrps.data.inputs import find_images
from ldrps.data.samples import Entry, Finished, Sample, Unreadable
from ldrps.data.scored import IsFinished, ScoredData, ScoredFiles, digest_of

Pair = tuple[Path, Path, str]
"""Degraded file, target file and name."""


class PairedFiles(ScoredFiles[Pair]):
    """Reads a degraded image and its target; a pair that does not fit becomes `Unreadable`.

    Args:
        tasks: The pairs.
        crop_px: See `ScoredFiles`.
        max_pixels: See `ScoredFiles`.
        is_finished: See `ScoredFiles`.
        suite: What results call the folder.
    """

    def __init__(
        self, tasks: Sequence[Pair], crop_px: int | None, max_pixels: int, is_finished: IsFinished, suite: str
    ) -> None:
        super().__init__(tasks, crop_px, max_pixels, is_finished)
        self.suite = suite

    def file(self, task: Pair) -> Path:
        """See `ScoredFiles.file`."""
        return task[0]

    def entry(self, task: Pair) -> Entry:
        """See `ScoredFiles.entry`."""
        degraded_path, target_path, name = task
        try:
            degraded = read_picture(degraded_path, self.max_pixels)
            target = read_picture(target_path, self.max_pixels)
        except (ValueError, OSError) as error:
            return Unreadable(degraded_path, str(error), self.suite, name)
        if degraded.image.shape != target.image.shape:
            sizes = [f"{image.shape[2]} x {image.shape[1]}" for image in (degraded.image, target.image)]
            reason = f"{degraded_path} is {sizes[0]} pixels but its target {target_path} is {sizes[1]}: make them equal"
            return Unreadable(degraded_path, reason, self.suite, name)
        images = [self.cropped(degraded.image), self.cropped(target.image)]
        key = fingerprint(torch.cat(images))
        if self.is_finished(self.suite, name, key):
            return Finished(self.suite, name)
        alpha = degraded.alpha if self.crop_px is None else None
        return Sample(name, degraded_path, images[0], alpha, images[1], self.suite, key)


class PairedData(ScoredData[Pair]):
    """Degraded images in ``folder/input`` and their ground truth in ``folder/target``, matched by name.

    Args:
        folder: Folder that holds both.
        input_name: Name of the folder of degraded images.
        target_name: Name of the folder of targets.
        input_pattern: What degraded images are called, without their ending; ``*`` stands for what a pair shares, such
            as in ``low*`` or ``*_rain``.
        target_pattern: What targets are called.
        crop_px: Side of a square cut from the centre of each image; null takes them whole.
        limit: Use the first pairs only; null uses all.
        shard: Part ``i/n`` of the work, for machines that share a run folder.
        batch_size: Images of one size that are restored together; auto for as many as are quickly done.
        num_workers: Processes that read ahead.
        max_pixels: Pictures with more pixels are refused.

    Raises:
        ValueError: If a pattern has not one ``*``; on set-up, if a folder is missing or empty, or names do not match;
            the message lists them.
    """

    def __init__(
        self,
        folder: str,
        input_name: str = "input",
        target_name: str = "target",
        input_pattern: str = "*",
        target_pattern: str = "*",
        crop_px: int | None = None,
        limit: int | None = None,
        shard: str = "0/1",
        batch_size: BatchSize = 1,
        num_workers: int = 0,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__(crop_px, limit, shard, batch_size, num_workers, max_pixels)
        for setting, pattern in (("input_pattern", input_pattern), ("target_pattern", target_pattern)):
            if pattern.count("*") != 1:
                raise ValueError(
                    f"{setting}={pattern!r} must hold one *, which stands for what the names of a pair share"
                )
        self.folder = folder
        self.input_name = input_name
        self.target_name = target_name
        self.input_pattern = input_pattern
        self.target_pattern = target_pattern

    def setup(self, stage: str) -> None:
        """Match the files."""
        inputs = self._by_shared_name(self.input_name, self.input_pattern)
        targets = self._by_shared_name(self.target_name, self.target_pattern)
        if unmatched := sorted(inputs.keys() ^ targets.keys()):
            listed = ", ".join(unmatched[:8]) + (" ..." if len(unmatched) > 8 else "")
            raise ValueError(
                f"{len(unmatched)} name(s) of {self.folder!r} are not in both {self.input_name}/ and "
                f"{self.target_name}/: {listed}; where those of a pair differ, say how, such as --data.input_pattern "
                "'low*' --data.target_pattern 'normal*'"
            )
        self.tasks = [(inputs[stem], targets[stem], stem) for stem in sorted(inputs)[: self.limit]]

    @property
    def suite(self) -> str:
        """What results call the folder: its own name."""
        return Path(self.folder).resolve().name

    def describe(self) -> dict[str, Any]:
        """See `ScoredData.describe`."""
        kinds = [self.input_name, self.target_name]
        patterns = [self.input_pattern, self.target_pattern]
        kinds += [] if patterns == ["*", "*"] else patterns
        # Names alone: a faulty image may be replaced, and what was made of the former pixels counts no more.
        images = digest_of([stem for _, _, stem in self.tasks])
        return {"suites": {self.suite: kinds}, "crop_px": self.crop_px, "images": images}

    def files(self, tasks: Sequence[Pair]) -> PairedFiles:
        """See `ScoredData.files`."""
        return PairedFiles(tasks, self.crop_px, self.max_pixels, self.is_finished, self.suite)

    def _by_shared_name(self, name: str, pattern: str) -> dict[str, Path]:
        """The images of a folder by what stands for the ``*`` in their names."""
        folder = Path(self.folder) / name
        if not folder.is_dir():
            raise ValueError(
                f"folder {str(folder)!r} is missing: degraded images belong into {self.input_name}/, "
                f"their ground truth under the same names into {self.target_name}/; where they are called otherwise, "
                "say so, such as --data.input_name low --data.target_name high"
            )
        before, _, after = pattern.partition("*")
        found = []
        for file, relative in find_images(str(folder)):
            stem = relative.stem
            if len(stem) < len(before + after) or not (stem.startswith(before) and stem.endswith(after)):
                raise ValueError(f"{file} is not called {pattern!r}: give another pattern, or move it elsewhere")
            shared = stem[len(before) : len(stem) - len(after)]
            found.append((str(relative.with_name(shared)) if shared else str(relative.parent), file))
        count = Counter(shared for shared, _ in found)
        if doubled := sorted(shared for shared in count if count[shared] > 1):
            raise ValueError(f"{folder} holds several files called {doubled[0]!r} with different endings: keep one")
        return dict(found)
