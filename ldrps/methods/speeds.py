"""What restorations take on this machine: measured with two small pictures or as they happen, kept from run to run."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import torch

from ldrps.data.image_files import read_picture
from ldrps.methods.ld_rps.ld_rps import LDRPS
from ldrps.methods.peak_memory import PeakMemory
from ldrps.methods.restorer import Restorer
from modules.alignment.masked import Masked
from modules.priors.base import Prior
from modules.priors.null import Null
from modules.priors.prompt_file import PromptFile
from modules.priors.text import Text
from modules.safe_files import complete_or_absent

PROBE_SIDES_PX = (128, 256)
"""Sizes that are restored once to measure a machine."""

ENOUGH_SECONDS = 20.0
"""A machine on which the small size takes this long is not asked for the large one."""

MOST_STEPS = 8
"""Restorations of more steps are measured with few, and the time of a step is told from them."""

FEW_STEPS = (2, 4)
"""Inference steps of the two restorations from which one of many steps is told."""

BYTES_PER_PIXEL_KEPT = 100
"""Memory of a picture beyond its window: input, result and latents in float32, with what is made of them on the way."""

KEPT_MEASUREMENTS = 50


@dataclass(frozen=True)
class Measurement:
    """What one restoration took.

    Attributes:
        pixels: Pixels of the image.
        seconds: Time of it.
        peak_bytes: Largest memory of the process meanwhile.
        batch_size: Images that were restored together.
        without: Names of priors that were not asked, so that their time is not counted.
    """

    pixels: int
    seconds: float
    peak_bytes: int
    batch_size: int = 1
    without: str = ""


class Speeds:
    """Measurements of one method with one set of settings on this machine, kept from run to run.

    Args:
        file: Where they are kept; None keeps them in memory only.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.known: list[Measurement] = []
        if file is not None and file.is_file():
            try:
                self.known = [Measurement(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]
            except (OSError, ValueError, TypeError):
                # A damaged file is as good as none: the machine is measured again.
                self.known = []

    def add(self, measurement: Measurement) -> None:
        """Keep a measurement; an older one of the same size is forgotten."""
        size = (measurement.pixels, measurement.batch_size)
        others = [one for one in self.known if (one.pixels, one.batch_size) != size]
        self.known = [*others, measurement][-KEPT_MEASUREMENTS:]
        if self.file is None:
            return
        try:
            with complete_or_absent(self.file) as stream:
                stream.write(json.dumps([asdict(one) for one in self.known]).encode())
        except OSError:
            # A cache that cannot be written only costs the next run its time.
            return

    def reach(self, pixels: int) -> bool:
        """Whether a size is known from which an image of so many pixels can be told."""
        wanted = min(pixels, PROBE_SIDES_PX[-1] ** 2) // 4
        return any(one.pixels >= wanted for one in self.known)

    def seconds(self, pixels: int) -> float:
        """Time of one image: straight lines between measured sizes, beyond the largest in proportion to pixels."""
        times = {one.pixels: one.seconds for one in self.known}
        sizes = sorted(times)
        interpolated = float(np.interp(pixels, sizes, [times[size] for size in sizes]))
        return interpolated * max(1.0, pixels / sizes[-1])

    def peak_bytes(self, pixels: int, window_pixels: int | None) -> float:
        """Largest memory while so many pixels are restored at once; beyond a window it hardly grows."""
        peaks = {one.pixels * one.batch_size: one.peak_bytes for one in self.known}
        sizes = sorted(peaks)
        inside = pixels if window_pixels is None else min(pixels, max(window_pixels, sizes[-1]))
        peak = float(np.interp(inside, sizes, [peaks[size] for size in sizes]))
        if inside > sizes[-1] and len(sizes) > 1:
            growth = (peaks[sizes[-1]] - peaks[sizes[0]]) / (sizes[-1] - sizes[0])
            peak += max(0.0, growth) * (inside - sizes[-1])
        return peak + BYTES_PER_PIXEL_KEPT * (pixels - inside)


def measure(restorer: Restorer, speeds: Speeds, sides_px: Sequence[int] = PROBE_SIDES_PX) -> None:
    """Restore small pictures and keep what they took.

    Args:
        restorer: The method.
        speeds: Where it is kept.
        sides_px: Sides of the pictures.

    Raises:
        ValueError: If the method refuses the pictures.
    """
    photo = read_picture(Path(skimage.__file__).parent / "data" / "chelsea.png").image
    # Of a photo in order, steps would be left out that others take.
    restorer.tell_watched(True)
    with for_any_picture(restorer) as unasked:
        for side in sides_px:
            image = photo[None, :, 16 : 16 + side, 90 : 90 + side].to(restorer.device)
            with PeakMemory(restorer.device) as memory:
                seconds = seconds_of(restorer, image)
            speeds.add(Measurement(side**2, seconds, memory.peak_bytes, without=", ".join(unasked)))
            if seconds > ENOUGH_SECONDS:
                return


@contextmanager
def for_any_picture(restorer: Restorer) -> Iterator[list[str]]:
    """Set aside what belongs to the user's own photos: text files, masks, and models and servers that are asked.

    Yields:
        Names of the priors whose time is missing from what is measured meanwhile.
    """
    parts = dict(restorer.named_modules(remove_duplicate=False))
    changed: list[tuple[torch.nn.Module, str, Any]] = []
    unasked: set[str] = set()
    try:
        for path, part in parts.items():
            parent, _, name = path.rpartition(".")
            if isinstance(part, Masked):
                changed.append((part, "mask_file", part.mask_file))
                part.mask_file = None
            elif isinstance(part, Prior) and (other := stand_in(part)) is not part:
                changed.append((parts[parent], name, part))
                setattr(parts[parent], name, other)
                # To read a text file takes no time.
                unasked |= set() if isinstance(part, PromptFile) else {type(part).__name__}
        yield sorted(unasked)
    finally:
        for owner, name, value in reversed(changed):
            setattr(owner, name, value)


def stand_in(prior: Prior) -> Prior:
    """The prior itself if it looks at pixels alone, on this machine; else a text, which makes as much guided work."""
    if isinstance(prior, Null | Text):
        return prior
    # Imported here: most methods need none of their libraries.
    from modules.priors.auto import Auto
    from modules.priors.da_clip import DACLIP
    from modules.priors.da_clip_adapter import DACLIPAdapter

    return prior if isinstance(prior, Auto | DACLIP | DACLIPAdapter) else Text("a photo")


def seconds_of(restorer: Restorer, images: torch.Tensor, counts: tuple[int, int] = FEW_STEPS) -> float:
    """Time that a method takes for images, shape (B, 3, H, W).

    Args:
        restorer: The method.
        images: The images, restored together.
        counts: Inference steps of the two restorations from which one of many steps is told.
    """
    if not isinstance(restorer, LDRPS) or restorer.sampling.num_steps <= MOST_STEPS:
        return timed(restorer, images)
    sampling = restorer.sampling
    steps, seconds = [], []
    try:
        for count in counts:
            # Of a start from the photo only the last share of the steps is taken.
            few = math.ceil(count / sampling.first_strength)
            restorer.sampling = replace(sampling, num_inference_steps=few, num_samples=1)
            steps.append(restorer.sampling.num_steps)
            seconds.append(timed(restorer, images))
    finally:
        restorer.sampling = sampling
    of_a_step = max(0.0, (seconds[1] - seconds[0]) / (steps[1] - steps[0]))
    return seconds[1] + of_a_step * (sampling.num_steps - steps[1])


def timed(restorer: Restorer, images: torch.Tensor) -> float:
    """Time of one restoration of images, shape (B, 3, H, W)."""
    started = time.perf_counter()
    with torch.enable_grad():
        # What comes back lies on the CPU, so that a GPU has finished.
        restorer.restore(images, [None] * len(images)).cpu()
    return time.perf_counter() - started
