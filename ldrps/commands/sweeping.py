"""What the sub-verbs of `ldrps sweep` share: how a point of a sweep becomes a run of `ldrps test`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from degradations.nearest import nearest
from ldrps.commands.options import make_parser
from ldrps.commands.test import Test
from ldrps.configuration.hints import shortened
from ldrps.configuration.texts import argument_of, is_text, said

OF_THE_SWEEP = ("output", "resume", "no_baselines", "shard", "workers", "wandb", "device")
"""Options of `ldrps test` that a sweep sets itself."""
EVERYDAY = tuple(field.name for field in fields(Test) if field.name not in OF_THE_SWEEP)
"""Options of `ldrps test` that a sweep's file may hold, without dots."""


def point_maker(device: str) -> Callable[[Mapping[str, Any], Path], tuple[Callable[[], dict[str, Any]], list[str]]]:
    """What makes the run of a point, on a device."""

    def make_run(settings: Mapping[str, Any], folder: Path) -> tuple[Callable[[], dict[str, Any]], list[str]]:
        everyday = {name: value for name, value in settings.items() if "." not in name}
        changes = [argument_of(name, value) for name, value in settings.items() if "." in name]
        test = test_of(everyday, str(folder), device)
        return test.with_changes([*changes, "--trainer.enable_progress_bar=false"])

    return make_run


def test_of(everyday: Mapping[str, Any], output: str, device: str) -> Test:
    """Options of `ldrps test` for one point.

    Raises:
        ValueError: If one does not exist or does not fit.
    """
    from jsonargparse import ArgumentError

    for name in everyday:
        if name not in EVERYDAY:
            raise ValueError(
                f"{name!r} is no setting of a sweep{nearest(name, EVERYDAY)} (without a dot there are "
                f"{', '.join(EVERYDAY)}; any other word takes values of the form {{name: ..., model.x: ...}})"
            )
    lists = {field.name for field in fields(Test) if "list" in str(field.type)}
    given = {name: [value] if name in lists and isinstance(value, str) else value for name, value in everyday.items()}
    parser = make_parser("test", Test)
    try:
        parsed = parser.parse_object(
            {**given, "output": output, "resume": True, "no_baselines": True, "device": device}
        )
    except ArgumentError as error:
        raise ValueError(shortened(str(error))) from error
    return Test(**{field.name: parsed[field.name] for field in fields(Test) if parsed[field.name] is not None})


def constants_of(changes: Sequence[str]) -> dict[str, Any]:
    """Dotted settings of the command line as constants of a sweep.

    Raises:
        ValueError: If one has no value.
    """
    from yaml import safe_load

    constants = {}
    for change in changes:
        name, separator, value = change.removeprefix("--").partition("=")
        if not separator:
            raise ValueError(f"--{name} needs a value")
        constants[name] = said(name, value) if is_text(name) else safe_load(value)
    return constants
