"""What is done when memory runs out: the same once more with less, step by step, and a sentence about it."""

import gc
import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TypeVar

import torch

LOGGER = logging.getLogger("ldrps.memory")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Economy:
    """A way to need less memory.

    Attributes:
        name: What is done, for the sentence about it: "windows of 256 px".
        applied: Within what it makes, less memory is needed.
    """

    name: str
    applied: Callable[[], AbstractContextManager[object]]


def made_with_less(make: Callable[[], Made], economies: Iterable[Economy]) -> Made:
    """What `make` makes; where its memory runs out, with one economy more, and so on until it fits.

    Args:
        make: Gives the same however often it is called.
        economies: The mildest first; all that were taken hold until the end.

    Raises:
        RuntimeError: If memory runs out with all of them; one sentence with the remedy.
        Exception: Whatever else `make` raises.
    """
    names: list[str] = []
    waiting = iter(economies)
    with ExitStack() as taken:
        while True:
            try:
                return make()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Only here is the failed attempt, which the error held, out of memory.
            clear_memory()
            economy = next(waiting, None)
            if economy is None:
                tried = f", even with {' and '.join(names)}" if names else ""
                raise RuntimeError(f"there is not enough memory{tried}: close other programs, or give --max-side")
            LOGGER.warning("memory ran out: once more with %s", economy.name)
            names.append(economy.name)
            taken.enter_context(economy.applied())


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, of the CPU or of an accelerator.

    Example:
        >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory")), is_out_of_memory(OSError())
        (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # torch's allocators for the CPU and for Apple's GPU have no class of error of their own.
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def clear_memory() -> None:
    """Give back what a failed attempt left."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
