"""Lists of training photos with captions: CSV and JSON lines."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIST_SUFFIXES = frozenset({".csv", ".jsonl"})


def read_photo_list(file: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """Read photos and their captions.

    A CSV file has a column ``path`` and perhaps ``caption``; a line of JSON has ``path`` and perhaps ``caption`` or
    ``captions``, a list. Paths are relative to the list.

    Raises:
        ValueError: If a line is not that, or photos do not exist; the first ones are named.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream) if file.suffix.lower() == ".csv" else json_lines(stream)
            photos = [(file.parent / row["path"], captions_of(row)) for row in rows]
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"list of photos {str(file)!r} cannot be read ({error}): give a CSV file with columns path and caption, "
            'or lines of JSON such as {"path": "a.jpg", "captions": ["a cat"]}'
        ) from error
    if missing := [str(path) for path, _ in photos if not path.is_file()]:
        raise ValueError(
            f"list of photos {str(file)!r} names {len(missing)} of {len(photos)} photos that do not exist, first "
            f"{', '.join(missing[:3])}: paths are relative to the list"
        )
    return photos


def json_lines(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """What stands in lines of JSON that are not empty."""
    return (json.loads(line) for line in lines if line.strip())


def captions_of(row: dict[str, Any]) -> tuple[str, ...]:
    """Captions of a row; none is no mistake, and one with nothing in it is none.

    Example:
        >>> captions_of({"path": "a.jpg", "caption": "a cat"}), captions_of({"path": "a.jpg", "captions": [""]})
        (('a cat',), ())
    """
    captions = row.get("captions") or row.get("caption") or ()
    texts = [captions] if isinstance(captions, str) else [str(caption) for caption in captions if caption is not None]
    return tuple(text for text in texts if text.strip())
