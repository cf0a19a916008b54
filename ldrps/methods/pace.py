"""How many images are restored at once: as many as are quickest, and as fit into the memory."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

CPU_PIXELS = 256 * 256
"""Pixels of all images at once on a CPU: beyond, its caches are too small and a batch takes longer than its images."""

MEMORY_SHARE = 0.8
"""Share of a GPU's free memory that a batch may take."""


@dataclass
class Pace:
    """Knows what the last images took.

    Attributes:
        bytes_per_pixel: Memory that restoring a pixel took on a GPU; None before the first batch.
        most_pixels: Pixels of all images at once beyond which memory ran out; None while it never did.
    """

    bytes_per_pixel: float | None = None
    most_pixels: int | None = None

    def images_at_once(self, pixels: int, device: torch.device) -> int:
        """How many images of so many pixels to restore together."""
        count = self._quickest(pixels, device)
        return max(1, count if self.most_pixels is None else min(count, self.most_pixels // pixels))

    def _quickest(self, pixels: int, device: torch.device) -> int:
        if device.type == "cpu":
            return CPU_PIXELS // pixels
        if device.type != "cuda" or self.bytes_per_pixel is None:
            # One image shows what the others will take.
            return 1
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(MEMORY_SHARE * (free + cached) / (self.bytes_per_pixel * pixels))

    @contextmanager
    def measured(self, pixels: int, device: torch.device) -> Iterator[None]:
        """Note what the images restored within take; of so many pixels together. `peak_mib` counts from here."""
        if device.type != "cuda":
            yield
            return
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield
        self.bytes_per_pixel = max(1.0, (torch.cuda.max_memory_allocated(device) - before) / pixels)


def peak_mib(device: torch.device) -> float:
    """Largest memory in MiB: a GPU's since `Pace.measured` was last entered, elsewhere the process's so far."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    # Kilobytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
