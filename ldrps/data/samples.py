"""What goes through a restorer: a sample in, an outcome out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ldrps.data.original import Original


@dataclass
class Sample:
    """An image to restore.

    Attributes:
        name: Path of the output relative to the output folder, without suffix.
        path: File the image came from; None for an image that never was a file.
        image: RGB, shape (3, H, W), range [0, 1].
        alpha: Opacity, shape (1, H, W), range [0, 1]; None for an opaque image.
        target: Ground truth of the same shape as ``image``; None where there is none.
        suite: Name of the suite or folder it belongs to.
        key: Fingerprint of the pixels it was made of, which tells a result of this image from that of another.
        original: What else its file holds, for those who write the restored photo.
    """

    name: str
    path: Path | None
    image: Tensor
    alpha: Tensor | None = None
    target: Tensor | None = None
    suite: str = ""
    key: str = ""
    original: Original = Original()


@dataclass
class Unreadable:
    """An input that is no sample.

    Attributes:
        path: The file.
        reason: One sentence that says what is wrong and what to do.
        suite: Name of the suite or folder it belongs to.
        name: What the sample would have been called.
    """

    path: Path
    reason: str
    suite: str = ""
    name: str = ""


@dataclass
class Finished:
    """An input whose results an earlier run has written.

    Attributes:
        suite: Name of the suite or folder it belongs to.
        name: Name of the sample.
    """

    suite: str
    name: str


Entry = Sample | Unreadable | Finished
"""What a data loader gives."""


@dataclass(frozen=True)
class Record:
    """An outcome without its images, for the account at the end of a run.

    Attributes:
        name: The file, or the sample's name where there is none.
        error: One sentence that says why it failed; None if it did not.
        seconds: Time it took.
    """

    name: str
    error: str | None
    seconds: float


@dataclass
class Outcome:
    """What became of an input.

    Attributes:
        sample: The input.
        restored: Restored image, shape (3, H, W), range [0, 1]; None if it failed.
        error: One sentence that says why it failed; None if it did not.
        seconds: Time it took, shared evenly by images that were restored together.
        restorer: Name of the method among several.
        remark: What the method has to say of it, such as which way it took and why; empty if nothing.
        peak_mib: Largest memory in MiB: on a GPU while it was restored, with what was restored together; elsewhere the
            process's until then. 0 for what was not restored.
    """

    sample: Sample | Unreadable
    restored: Tensor | None
    error: str | None
    seconds: float
    restorer: str = ""
    remark: str = ""
    peak_mib: float = 0.0

    def to(self, device: Any, **options: Any) -> "Outcome":
        """Stay on the CPU, where its images are; Lightning would copy what it cannot ask to move."""
        return self

    @property
    def record(self) -> Record:
        """The outcome without its images."""
        name = self.sample.path or (self.sample.name if isinstance(self.sample, Sample) else "")
        return Record(str(name), self.error, self.seconds)
