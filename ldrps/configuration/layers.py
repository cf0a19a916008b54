"""Settings in layers: presets that inherit, several files, the options of a verb; each says only what differs."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from degradations.nearest import nearest
from ldrps.data.moved import with_current_names
from ldrps.data.shipped import preset_folder

LOGGER = logging.getLogger("ldrps.config")

Settings = dict[str, Any]
"""Nested settings, as a YAML file holds them."""

DEFAULT_PRESET = "refined"
"""Preset of the restorers that everything takes which is not told another one."""

INHERITS = "inherits"
"""Key at the top of a file that names the preset or file it builds on."""


def find_preset(name: str, beside: Path | None = None) -> Path:
    """Find a YAML file by path or by preset name.

    Args:
        name: A path, or a name such as ``blind`` or ``train/autoencoder``.
        beside: Folder in which a relative path may also lie.

    Raises:
        ValueError: If there is neither; the message names the nearest preset and lists those of its kind.

    Example:
        >>> find_preset("blind").name
        'blind.yaml'
    """
    path = Path(name)
    for candidate in (path, *(() if beside is None else (beside / path,))):
        if candidate.is_file():
            return candidate
    if len(path.parts) > 2 and path.parts[0] == path.parts[1]:
        # As messages name it, where the verb knows the kind already: `--prior prior/text`.
        return find_preset(str(path.relative_to(path.parts[0])))
    folder = preset_folder()
    # Restorers first: one and a prior may share a name.
    kinds = (folder / "restore" / f"{name}.yaml", *sorted(folder.glob(f"*/{name}.yaml")))
    for candidate in (folder / f"{name}.yaml", *kinds):
        if candidate.is_file():
            return candidate
    raise ValueError(f"config {name!r} is neither a file nor a preset{presets_like(path)}")


def presets_like(name: Path) -> str:
    """The preset that a wrong name comes nearest to, and the others of its kind, to be put behind a sentence."""
    folder = preset_folder()
    names = sorted(preset.relative_to(folder).with_suffix("") for preset in folder.glob("*/*.yaml"))
    if (folder / name.parent).is_dir() and name.parent != Path():
        listed = [str(preset) for preset in names if preset.parent == name.parent]
        near = nearest(str(name), listed)
    else:
        # What has no folder is meant for restoring, or is at least near to a name of another kind.
        listed = [preset.name for preset in names if preset.parent == Path("restore")]
        near = nearest(str(name), listed) or nearest(str(name), [preset.name for preset in names])
    return f"{near} (presets are {', '.join(listed)})"


def read_preset(name: str) -> Settings:
    """Read a preset or file with everything it inherits.

    Raises:
        ValueError: If it, or what it builds on, does not exist, is no YAML mapping, builds on itself, or contradicts
            what it builds on.
    """
    return read_line(find_preset(name), ())


def read_line(file: Path, inside: tuple[Path, ...]) -> Settings:
    """Read a file and what it builds on.

    Args:
        file: The file.
        inside: Files that led here, of methods made of methods.

    Raises:
        ValueError: See `read_preset`.
    """
    settings: Settings = {}
    for path in reversed(line_of(file)):
        settings = merged(settings, with_parts(read_file(path), (*inside, path)), str(path))
    return settings


def with_parts(value: Any, inside: tuple[Path, ...]) -> Any:
    """Put the ``model`` of another preset where settings inside of a file inherit it: methods made of methods.

    Args:
        value: Settings, or a part of them.
        inside: The file that they are of, after those that led to it.

    Raises:
        ValueError: See `read_preset`.

    Example:
        >>> made = with_parts({"then": {"inherits": "ir_sde", "init_args": {"seed": 3}}}, (Path("a.yaml"),))
        >>> made["then"]["class_path"], made["then"]["init_args"]["seed"]
        ('ldrps.methods.ir_sde.ir_sde.IRSDE', 3)
    """
    if isinstance(value, list):
        return [with_parts(part, inside) for part in value]
    if not isinstance(value, dict):
        return value
    own = {name: with_parts(part, inside) for name, part in value.items() if name != INHERITS}
    if INHERITS not in value:
        return own
    base = find_preset(str(value[INHERITS]), inside[-1].parent)
    if base.resolve() in [path.resolve() for path in inside]:
        raise ValueError(f"config {inside[0]} builds on itself: {' -> '.join(map(str, [*inside, base]))}")
    return merged(read_line(base, inside)["model"], own, str(inside[-1]))


def read_presets(names: Iterable[str]) -> Settings:
    """Read several presets or files; where they differ, later ones count.

    One that inherits says everything that its base says. If that undoes an earlier one, it is told in one line.

    Raises:
        ValueError: See `read_preset`, and where two contradict each other.
    """
    settings: Settings = {}
    earlier: dict[Path, str] = {}
    for name in names:
        settings = merged(settings, read_preset(name), name)
        line = [path.resolve() for path in line_of(find_preset(name))]
        undone = [first for path, first in earlier.items() if path not in line]
        if len(line) > 1 and undone:
            LOGGER.warning(
                "config: %s inherits %s, which undoes what %s says: leave %s out of it to keep that",
                *(name, line[1].stem, undone[-1], INHERITS),
            )
        earlier |= dict.fromkeys(line, name)
    return settings


def line_of(path: Path) -> list[Path]:
    """The file, the one it builds on, and so on.

    Raises:
        ValueError: If one of them does not exist, is no YAML mapping, or builds on itself.
    """
    line: list[Path] = []
    while True:
        if path.resolve() in [earlier.resolve() for earlier in line]:
            raise ValueError(f"config {line[0]} builds on itself: {' -> '.join(map(str, [*line, path]))}")
        line.append(path)
        base = read_yaml(path).get(INHERITS)
        if base is None:
            return line
        if not isinstance(base, str):
            raise ValueError(f"config {path} has {INHERITS}: {base!r}, which must be the name of one preset or file")
        try:
            path = find_preset(base, path.parent)
        except ValueError as error:
            raise ValueError(f"config {path} builds on {base!r}, which does not exist: {error}") from error


def read_file(path: Path) -> Settings:
    """Read one file without what it inherits; class paths of earlier versions are brought up to date."""
    settings: Settings = with_current_names(read_yaml(path))
    settings.pop(INHERITS, None)
    return settings


def read_yaml(path: Path) -> Settings:
    """Read a YAML file; interpolations stay as they are written.

    Raises:
        ValueError: If it is not YAML or holds no mapping.
    """
    # Its reader takes 1e-4 for a number, as people mean it, which plain PyYAML does not.
    from omegaconf import DictConfig, OmegaConf
    from yaml import YAMLError

    try:
        content = OmegaConf.load(path)
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"config {path} is not YAML ({' '.join(str(error).split())[:160]}): mend the file") from error
    if not isinstance(content, DictConfig):
        raise ValueError(f"config {path} must hold settings by name, such as 'model: ...'")
    settings = OmegaConf.to_container(content, resolve=False)
    assert isinstance(settings, dict)
    return {str(name): value for name, value in settings.items()}


def merged(base: Settings, layer: Settings, source: str, path: Sequence[str] = ()) -> Settings:
    """Put settings over others: mappings are merged, everything else is replaced.

    A class and its settings count as one: another ``class_path`` takes nothing of the settings of the one before. A
    class may be written as its path alone, and settings of a class that was named before without ``init_args``.

    Args:
        base: What there is.
        layer: What counts more.
        source: Who says so, for messages.
        path: Names that lead here.

    Raises:
        ValueError: If one has a mapping or list where the other has something else.

    Example:
        >>> base = {"model": {"class_path": "a.B", "init_args": {"x": 1, "y": 2}}}
        >>> merged(base, {"model": {"init_args": {"y": 3}}}, "mine")
        {'model': {'class_path': 'a.B', 'init_args': {'x': 1, 'y': 3}}}
        >>> merged(base, {"model": {"class_path": "a.C"}}, "mine")
        {'model': {'class_path': 'a.C'}}
    """
    result = dict(base)
    for name, value in layer.items():
        old = result.get(name)
        where = [*path, name]
        if isinstance(old, str) and isinstance(value, dict) and is_class_path(old):
            old = {"class_path": old}
        if isinstance(old, dict) and isinstance(value, str) and is_class_path(value):
            value = {"class_path": value}
        if isinstance(old, dict) and isinstance(value, dict):
            result[name] = with_class(old, value, source, where)
            continue
        if None not in (old, value) and kind(old) != kind(value) and "interpolation" not in (kind(old), kind(value)):
            raise ValueError(
                f"{source} sets {'.'.join(where)} to {kind(value)}, where what it is put over has {kind(old)}: "
                "make both the same kind"
            )
        result[name] = value
    return result


def with_class(base: Settings, layer: Settings, source: str, path: Sequence[str]) -> Settings:
    """Merge two mappings that may each be a class with its settings, or those settings alone."""
    parts = {"class_path", "init_args", "dict_kwargs"}
    if base.keys() & parts and layer and not layer.keys() & parts:
        layer = {"init_args": layer}
    if layer.keys() & parts and base and not base.keys() & parts:
        base = {"init_args": base}
    if {"class_path"} <= base.keys() & layer.keys() and base["class_path"] != layer["class_path"]:
        return layer
    return merged(base, layer, source, path)


def is_class_path(text: str) -> bool:
    """Whether a text can be the path of a class."""
    return "." in text and all(part.isidentifier() for part in text.split("."))


def kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, str) and "${" in value:
        return "interpolation"
    if isinstance(value, dict):
        return "settings by name"
    return "a list" if isinstance(value, list) else "one value"
