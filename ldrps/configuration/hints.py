"""What the settings parser complains of, in one sentence, with the nearest setting that exists."""

import difflib
import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from degradations.nearest import nearest
from ldrps.configuration.arguments import one_each

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

UNKNOWN = re.compile(
    r"unrecognized arguments: --([^\s=]+)|[Oo]ption '([^']+)' is not accepted|does not accept option '([^']+)'"
)

REQUIRED = re.compile(
    r"(?:Parser key|Key) ['\"]([^'\"]+)['\"]:.*the following arguments are required: (\S+)", re.DOTALL
)
"""A setting of a class that was not given: the setting that names the class, and its own name."""

INSIDE = re.compile(r"(?:Parser key|Key) ['\"]([^'\"]+)['\"]: Problem with given class_path ['\"]([^'\"]+)['\"]: ")
"""What comes before a mistake in the settings of a class: the setting that names it, and its path."""

KEY = re.compile(r"(?:Parser key|Key) ['\"]([^'\"]+)['\"]: (.*)")

NONE_OF = re.compile(
    r"Expected a typing\.Literal\[([^]]+)\]"
    r"(?:\. Got value:| - Expected a <class 'NoneType'> Given value type: \S+ '\S+'> Given value:) (.*)"
)
"""A value that is none of those that a setting takes."""

WRONG_KIND = re.compile(
    r"Expected a <class '(int|float|bool|str)'>"
    r"(?:\. Got value:|(?: - Expected a <class 'NoneType'>)? Given value type: \S+ '\S+'> Given value:) (.*?)"
    r"(?: - Expected a <class 'NoneType'> Given value type: .*)?"
)

KINDS = {"int": "whole number", "float": "number", "bool": "true or false", "str": "text"}

NO_SUCH_CLASS = re.compile(r"module '([^']+)' has no attribute '([^']+)'")


def with_hint(error: Exception, parser: "ArgumentParser", arguments: Sequence[str]) -> str:
    """Say in one sentence what is wrong, and for an unknown setting which one may be meant.

    Args:
        error: What the parser raised.
        parser: The parser.
        arguments: What it was given, each setting as one argument or two.
    """
    sentence = shortened(str(error))
    if required := REQUIRED.search(str(error)):
        return f"--{required[1]}.{required[2].rstrip(',')} is required"
    found = UNKNOWN.search(str(error))
    if found is None:
        return sentence
    unknown = next(group for group in found.groups() if group)
    kept, name = without(unknown, one_each(arguments))
    near = nearest_setting(name, known_settings(parser, kept))
    # Everyday options are written with hyphens.
    hyphened = near.replace("_", "-")
    near = hyphened if hyphened in parser._option_string_actions else near
    return f"{sentence}: did you mean {near}?" if near else sentence


def without(unknown: str, arguments: Sequence[str]) -> tuple[list[str], str]:
    """Take an unknown setting out of arguments and of the configurations among them.

    Returns:
        The other arguments, and the whole dotted name of the unknown one, of which the parser may tell the end only.
    """
    kept: list[str] = []
    whole = unknown
    for argument in arguments:
        option, _, value = argument.partition("=")
        if option.startswith("--") and f".{option[2:]}".endswith(f".{unknown}"):
            whole = option[2:]
        elif option == "--config" and value.startswith("{"):
            settings = json.loads(value)
            matching = [path for path in _flat(settings) if f".{path}".endswith(f".{unknown}")]
            whole = matching[0] if matching else whole
            kept.append(
                f"--config={json.dumps(_pruned(settings, unknown.rpartition('.')[2]))}" if matching else argument
            )
        else:
            kept.append(argument)
    return kept, whole


def known_settings(parser: "ArgumentParser", arguments: Sequence[str]) -> list[str]:
    """Dotted names of all settings of a run; the classes that it chose decide on them."""
    from jsonargparse import ArgumentError

    try:
        config = parser.parse_args(arguments)
    except (ArgumentError, SystemExit):
        # Another mistake: the settings without the classes' own.
        config = parser.get_defaults()
    settings = config.as_dict()
    return _flat(settings.get(str(settings.get("subcommand")), settings))


def nearest_setting(name: str, known: Sequence[str]) -> str:
    """The known setting that differs least, as an option; empty if none is near.

    Example:
        >>> nearest_setting("sampling.steps", ["model.sampling.num_steps", "model.seed"])
        '--model.sampling.num_steps'
    """
    endings = {".".join(path.split(".")[start:]): path for path in known for start in range(path.count(".") + 1)}
    near = difflib.get_close_matches(name, [*known], n=1, cutoff=0.8) or difflib.get_close_matches(
        name, [*endings], n=1
    )
    return f"--{endings.get(near[0], near[0])}" if near else ""


def shortened(message: str) -> str:
    r"""Cut a message of the settings parser down to what is wrong and where.

    Example:
        >>> shortened("Key 'b' is not accepted\n  - Expected a <class 'NoneType'>\nGiven value: Y(...)")
        "Key 'b' is not accepted"
        >>> shortened("Parser key \"method\":\n  Expected a typing.Literal['grid', 'random']. Got value: gird")
        "method='gird' is none of grid, random"
        >>> shortened("Parser key \"a\":\n  Problem with given class_path 'b.C':\n  Parser key \"d\":\n Expected a "
        ... "<class 'int'>. Got value: x")
        "a.d='x' is no whole number"
    """
    message = " ".join(message.split())
    message = re.sub(r"Does not validate against any of the Union subtypes Subtypes: \[.*?\] Errors: - ", "", message)
    message = re.sub(r" ?- Expected a path but \S+ either not accessible or invalid - ", " ", message)
    names: list[str] = []
    class_path = ""
    while found := INSIDE.match(message):
        names.append(found[1])
        class_path, message = found[2], message[found.end() :]
    if found := KEY.match(message):
        own, what = ".".join([*names, found[1]]), found[2]
        if none_of := NONE_OF.match(what):
            return f"{own}={none_of[2].split(' - Expected a ')[0]!r} is none of {none_of[1].replace(chr(39), '')}"
        if wrong := WRONG_KIND.fullmatch(what):
            return f"{own}={wrong[2]!r} is no {KINDS[wrong[1]]}"
        message = what if what.startswith("Option") else f"{own}: {what}" if names else message
    message = re.split(r" - Expected a <class 'NoneType'>| Given value type: ", message)[0]
    if found := NO_SUCH_CLASS.match(message):
        return f"{'.'.join(names)}={class_path!r}: {message}{nearest(found[2], dir(sys.modules.get(found[1])))}"
    return message


def _flat(settings: Any, path: str = "") -> list[str]:
    """Dotted names of nested settings; the level ``init_args`` has none of its own."""
    if not isinstance(settings, dict):
        return []
    names: list[str] = []
    for name, value in settings.items():
        own = path if name == "init_args" else f"{path}.{name}".lstrip(".")
        if name not in ("init_args", "class_path"):
            names.append(own)
        names += _flat(value, own)
    return names


def _pruned(settings: Any, unknown: str) -> Any:
    """Nested settings without those of one name."""
    if not isinstance(settings, dict):
        return settings
    return {name: _pruned(value, unknown) for name, value in settings.items() if name != unknown}
