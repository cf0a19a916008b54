"""Settings of a method that is made of methods, handed to those inside it that know them."""

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

import yaml

from ldrps.configuration.arguments import one_each
from ldrps.configuration.layers import DEFAULT_PRESET, Settings, merged

OPTION = "--model."


def with_setting(model: Settings, name: str, value: Any) -> Settings | None:
    """Put one setting over a method, or over the methods inside it where it does not know the setting itself.

    Args:
        model: Class path and settings.
        name: Name of the setting.
        value: Its value, or what differs in it.

    Returns:
        The method with the setting; None if neither it nor any inside it knows the setting.

    Raises:
        ValueError: See `merged`.

    Example:
        >>> made = {"class_path": "ldrps.methods.auto.auto.Auto", "init_args": {"methods": {
        ...     "a": {"class_path": "ldrps.methods.ir_sde.ir_sde.IRSDE"},
        ...     "b": {"class_path": "ldrps.methods.ld_rps.ld_rps.LDRPS"}}}}
        >>> with_setting(made, "max_side_px", 512)["init_args"]["methods"]["b"]["init_args"]
        {'max_side_px': 512}
        >>> with_setting(made["init_args"]["methods"]["a"], "max_side_px", 512) is None
        True
    """
    if knows(str(model.get("class_path")), name):
        return merged(model, {"init_args": {name: value}}, "the command")
    own = model.get("init_args") or {}
    for group, members in own.items():
        if not isinstance(members, dict):
            continue
        told = {
            key: with_setting(member, name, value)
            for key, member in members.items()
            if isinstance(member, dict) and "class_path" in member
        }
        if changed := {key: member for key, member in told.items() if member is not None}:
            return {**model, "init_args": {**own, group: {**members, **changed}}}
    return None


def knows(class_path: str, name: str) -> bool:
    """Whether a class takes a setting; of one that cannot be found, the parser has more to say."""
    module, _, attribute = class_path.rpartition(".")
    try:
        parameters = inspect.signature(getattr(importlib.import_module(module), attribute)).parameters
    except (ImportError, AttributeError, ValueError, TypeError):
        return True
    return name in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def is_known(model: Settings, name: str) -> bool:
    """Whether a method, or one inside it, takes a setting.

    Example:
        >>> auto = {"class_path": "ldrps.methods.auto.auto.Auto", "init_args": {"methods": {
        ...     "a": {"class_path": "ldrps.methods.ir_sde.ir_sde.IRSDE"}}}}
        >>> is_known(auto, "methods"), is_known(auto, "num_inference_steps"), is_known(auto, "prior")
        (True, True, False)
    """
    groups = [own for own in (model.get("init_args") or {}).values() if isinstance(own, dict)]
    inside = [own for group in groups for own in group.values() if isinstance(own, dict) and "class_path" in own]
    return knows(str(model.get("class_path")), name) or any(is_known(own, name) for own in inside)


def no_effect(option: str, method: str) -> str:
    """Say that an option does nothing for a method, and what to do."""
    return f"{option} has no effect with {method}: use --config {DEFAULT_PRESET}, or leave it out"


def hand_down(settings: Settings, arguments: Sequence[str]) -> tuple[Settings, list[str]]:
    """Take the changes that only methods inside the model know out of the arguments and into the settings.

    Args:
        settings: Nested settings of a run.
        arguments: Changes to them by dotted name, as on the command line.

    Returns:
        The settings with those changes, and the other arguments.

    Raises:
        ValueError: If LD-RPS knows a setting, but neither the model nor a method inside it.
    """
    model = settings.get("model")
    if not isinstance(model, dict) or "class_path" not in model:
        return settings, list(arguments)
    kept: list[str] = []
    for argument in one_each(arguments):
        option, separator, text = argument.partition("=")
        name, *path = option.removeprefix(OPTION).split(".")
        if not (separator and option.startswith(OPTION)) or knows(model["class_path"], name):
            kept.append(argument)
            continue
        told = with_setting(model, name, nested(path, value_of(text)))
        if told is not None:
            model = told
        elif knows("ldrps.methods.ld_rps.ld_rps.LDRPS", name):
            raise ValueError(no_effect(option, model["class_path"].rpartition(".")[2]))
        else:
            kept.append(argument)
    return {**settings, "model": model}, kept


def nested(path: Sequence[str], value: Any) -> Any:
    """A value by its dotted name.

    Example:
        >>> nested(["a", "b"], 3)
        {'a': {'b': 3}}
    """
    for name in reversed(path):
        value = {name: value}
    return value


def value_of(text: str) -> Any:
    """What a value on the command line says; text that only looks like a mapping, such as "a: b", stays text.

    Example:
        >>> value_of("0.5"), value_of("{a: 1}"), value_of("a: b"), value_of("a cat")
        (0.5, {'a': 1}, 'a: b', 'a cat')
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return text if isinstance(value, dict | list) and text.lstrip()[:1] not in "{[" else value
