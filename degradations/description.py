"""Degradations as plain data, class path and settings, and back: what YAML files and receipts hold."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

from degradations.base import Degradation
from degradations.moved import with_current_names
from degradations.nearest import nearest

Description = dict[str, Any]
"""``{"class_path": "package.module.Class", "init_args": {...}}``, nested."""


def describe(degradation: Degradation) -> Description:
    """Describe a degradation so that `build` makes an equal one.

    Example:
        >>> from degradations.blur.box_blur import BoxBlur
        >>> describe(BoxBlur())
        {'class_path': 'degradations.blur.box_blur.BoxBlur', 'init_args': {'kernel_size': [5, 11]}}
    """
    kind = type(degradation)
    settings = {name: _plain(getattr(degradation, name)) for name in sorted(_setting_names(kind))}
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": settings}


def build(description: Description | str) -> Degradation:
    """Make the degradation that a description stands for; a class path alone is the class with its defaults.

    Raises:
        ValueError: If a class does not exist or is no degradation, or a setting is unknown or does not fit; the message
            names the nearest.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    description = with_current_names(description)
    _check(description)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--degradation", type=Degradation)
    try:
        parsed = parser.parse_object({"degradation": description})
    except ArgumentError as error:
        raise ValueError(" ".join(str(error).split())) from error
    degradation: Degradation = parser.instantiate(parsed).degradation
    return degradation


def operators() -> dict[str, type[Degradation]]:
    """Find all degradations of this package, by class path."""
    for module in pkgutil.walk_packages([str(Path(__file__).parent)], "degradations."):
        importlib.import_module(module.name)
    found, waiting = {}, [Degradation]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if not inspect.isabstract(kind) and kind.__module__.startswith("degradations."):
            found[f"{kind.__module__}.{kind.__qualname__}"] = kind
    return dict(sorted(found.items()))


def _setting_names(kind: type[Degradation]) -> list[str]:
    """Arguments of a constructor by name; a class without one of its own inherits one that takes anything."""
    parameters = inspect.signature(kind).parameters.values()
    return [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def _plain(value: object) -> object:
    if isinstance(value, Degradation):
        return describe(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _check(description: object) -> None:
    """Refuse unknown classes and settings by name; their values are the parser's and the constructor's business."""
    if isinstance(description, str):
        description = {"class_path": description}
    if not isinstance(description, dict) or not isinstance(description.get("class_path"), str):
        raise ValueError(f"degradation {description!r} must have a class_path, and init_args if it has settings")
    if unknown := sorted(map(str, description.keys() - {"class_path", "init_args"})):
        raise ValueError(f"degradation {description['class_path']} has {unknown[0]!r}: only class_path and init_args")
    class_path = description["class_path"]
    kind = _find(class_path)
    known = _setting_names(kind)
    settings = description.get("init_args") or {}
    if not isinstance(settings, dict):
        raise ValueError(f"init_args of {class_path} is {settings!r}: give its settings by name")
    for name, value in settings.items():
        name = str(name)
        if name not in known:
            raise ValueError(f"{class_path} has no setting {name!r}{nearest(name, known)}")
        for item in value if isinstance(value, list) else [value]:
            is_class = isinstance(item, str) and item.startswith("degradations.")
            if is_class or isinstance(item, dict):
                _check(item)


def _find(class_path: str) -> type[Degradation]:
    module_name, _, name = class_path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError, TypeError) as error:
        reason = f": {error}" if isinstance(error, ImportError) else ""
        known = operators()
        short = {path.rpartition(".")[2]: path for path in known}
        hint = nearest(class_path, known) or nearest(name or class_path, short)
        hint = hint or ("" if reason else f"; there are {', '.join(short)}")
        raise ValueError(f"degradation {class_path!r} does not exist{reason}{hint}") from None
    kind = getattr(module, name, None)
    if kind is None:
        classes = [value for value in vars(module).values() if inspect.isclass(value)]
        own = [f"{module_name}.{other.__name__}" for other in classes if issubclass(other, Degradation)]
        hint = nearest(class_path, [*own, *operators()])
        raise ValueError(f"degradation {class_path!r} does not exist: {module_name} has no {name!r}{hint}")
    if not (inspect.isclass(kind) and issubclass(kind, Degradation)) or inspect.isabstract(kind):
        raise ValueError(f"{class_path} is no degradation: give a subclass of degradations.base.Degradation")
    return kind
