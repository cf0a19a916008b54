"""Suites: degradations by name, from YAML files."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from degradations.nearest import nearest

# It brings torch, which takes seconds to import; a suite that does not exist is told without.
if TYPE_CHECKING:
    from degradations.base import Degradation


def find_suite(name: str, folder: Path) -> Path:
    """Find the file of a suite.

    Args:
        name: Name of a file of the folder without its ending, or path of a YAML file.
        folder: Where the named suites are.

    Raises:
        ValueError: If there is no such suite; the message names the nearest.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if path.is_file():
        return path
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    hint = nearest(name, known) or ":"
    raise ValueError(f"suite {name!r} does not exist{hint} There are {', '.join(known)}; or give a YAML file")


def load_suites(name: str, folder: Path, inside: tuple[str, ...] = ()) -> "dict[str, Degradation]":
    """Load a suite, or all suites that a collection lists.

    A suite's file holds ``degradation`` (a class path, and its settings as init_args), a collection's file ``suites``,
    a list of names, or of files beside it.

    Args:
        name: See `find_suite`.
        folder: See `find_suite`.
        inside: Collections that led here.

    Returns:
        The degradation of each suite by name; several for a collection.

    Raises:
        ValueError: If there is no such suite, or its file is wrong.
    """
    from degradations.description import build

    path = find_suite(name, folder)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"suite {path} is not YAML ({' '.join(str(error).split())}): mend the file") from error
    if isinstance(content, dict) and set(content) == {"suites"}:
        members = content["suites"]
        if not (isinstance(members, list) and members and all(isinstance(member, str) for member in members)):
            raise ValueError(f"suite {path} must list at least one name under 'suites'")
        if name in inside:
            raise ValueError(f"suite {path} lists itself: {' -> '.join([*inside, name])}")
        # A file that lies beside the collection is meant before one where the program was started.
        beside = [str(path.parent / member) if (path.parent / member).is_file() else member for member in members]
        return merged(load_suites(member, folder, (*inside, name)) for member in beside)
    if not isinstance(content, dict) or set(content) != {"degradation"}:
        raise ValueError(f"suite {path} must hold 'degradation' (class_path, init_args) or 'suites' (names), no more")
    try:
        return {path.stem: build(content["degradation"])}
    except ValueError as error:
        raise ValueError(f"suite {path}: {error}") from error


def merged(parts: "Iterable[dict[str, Degradation]]") -> "dict[str, Degradation]":
    """Put suites together.

    Raises:
        ValueError: If two that differ share a name.
    """
    from degradations.description import describe

    together: dict[str, Degradation] = {}
    for part in parts:
        for name, degradation in part.items():
            if name in together and describe(together[name]) != describe(degradation):
                raise ValueError(f"two different suites are called {name!r}: rename a file")
            together[name] = degradation
    return together
