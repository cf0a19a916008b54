"""Suites: degradations by name, from YAML files."""

import difflib
from pathlib import Path

import yaml

from degradations.base import Degradation
from degradations.description import build


def load_suites(name: str, folder: Path) -> dict[str, Degradation]:
    """Load a suite, or all suites that a collection lists.

    A suite's file holds ``degradation`` (a class path, and its settings as init_args), a collection's file ``suites``,
    a list of names.

    Args:
        name: Name of a file of the folder without its ending, or path of a YAML file.
        folder: Where the named suites are.

    Returns:
        The degradation of each suite by name; several for a collection.

    Raises:
        ValueError: If there is no such suite (the message names the nearest), or its file is wrong.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"suite {name!r} does not exist: {hint}There are {', '.join(known)}; or give a YAML file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"suite {path} is not YAML ({' '.join(str(error).split())}): mend the file") from error
    if isinstance(content, dict) and set(content) == {"suites"}:
        loaded: dict[str, Degradation] = {}
        for member in content["suites"]:
            loaded |= load_suites(str(member), folder)
        return loaded
    if not isinstance(content, dict) or set(content) != {"degradation"}:
        raise ValueError(f"suite {path} must hold 'degradation' (class_path, init_args) or 'suites' (names), no more")
    try:
        return {path.stem: build(content["degradation"])}
    except ValueError as error:
        raise ValueError(f"suite {path}: {error}") from error
