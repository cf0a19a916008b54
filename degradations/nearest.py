"""The nearest of the names that exist, for a name that does not."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Ask for the nearest known name, to be put behind a sentence; empty if none is near.

    Example:
        >>> nearest("hase", ["haze", "rain"])
        ": did you mean 'haze'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]!r}?" if near else ""
