"""Files that are either complete or absent."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def complete_or_absent(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file under a temporary name beside ``path`` and rename it when the block ends without an error.

    Args:
        path: The file; missing folders are made, an older file stays until the new one is complete.

    Raises:
        OSError: If the folder cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        with temporary.open("xb") as stream:
            yield stream
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
