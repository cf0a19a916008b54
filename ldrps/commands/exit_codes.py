"""How a verb ends: one sentence and an exit code, never a traceback for what a user can mend."""

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ldrps.configuration.hints import shortened

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run_job(run: Callable[[], int], when_interrupted: str) -> int:
    """Run what a verb does and turn what went wrong into one sentence and an exit code.

    Args:
        run: Does it and returns 0 if all went well, 1 if something failed, 2 for wrong use or input.
        when_interrupted: What to say when the user stops it.
    """
    try:
        with terminated_as_interrupted():
            return run()
    except KeyboardInterrupt:
        return fail(when_interrupted, code=130)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        return fail_with(error)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Within it, SIGTERM, which service managers, schedulers and `timeout` send, ends a run as Ctrl+C does.

    Lightning takes note of the signal only while it trains; it calls the handler that it finds beside its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def fail_with(error: Exception) -> int:
    """Say in one sentence what a user can do something about; anything else is a fault of ours and raised again."""
    is_memory = type(error).__name__ == "OutOfMemoryError"
    if "LDRPS_DEBUG" in os.environ or (isinstance(error, RuntimeError) and not is_memory):
        raise error
    is_failed_run = is_memory or (isinstance(error, OSError) and error.errno in DISK_FULL)
    return fail(sentence_of(error), code=1 if is_failed_run else 2)


def sentence_of(error: Exception) -> str:
    """What went wrong and what to do, in one sentence."""
    if type(error).__name__ == "OutOfMemoryError":
        return "the GPU's memory is full: use --device cpu, a smaller model, or smaller batches"
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return "the disk is full or a quota is reached: free some space; what was written is kept"
    return shortened(str(error))


def fail(sentence: str, code: int = 2) -> int:
    """Print one sentence to standard error and return the exit code."""
    sys.stderr.write(f"ldrps: {sentence}\n")
    return code
