"""The largest memory of this process while something runs."""

import threading
from types import TracebackType

import psutil
import torch

INTERVAL_S = 0.01


class PeakMemory:
    """Watches the memory of this process, or of its GPU, between entering and leaving.

    Looking a hundred times a second misses what lasts shorter, which restorations do not. Unlike the system's own
    record, it can be asked again.

    Args:
        device: Where the work is done.

    Attributes:
        peak_bytes: Largest memory so far.

    Example:
        >>> with PeakMemory(torch.device("cpu")) as memory:
        ...     kept = torch.ones(8)
        >>> memory.peak_bytes > 1_000_000
        True
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.peak_bytes = 0

    def __enter__(self) -> "PeakMemory":
        self.restart()
        self._is_over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._watch.join()

    def restart(self) -> None:
        """Forget what was seen."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self.peak_bytes = self._now()

    def _now(self) -> int:
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_reserved(self.device))
        return int(psutil.Process().memory_info().rss)

    def _look(self) -> None:
        while not self._is_over.wait(INTERVAL_S):
            self.peak_bytes = max(self.peak_bytes, self._now())


def free_bytes(device: torch.device) -> int:
    """Memory that this process could still take, and what it has already."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device))
    return int(psutil.virtual_memory().available + psutil.Process().memory_info().rss)
