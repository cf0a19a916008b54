"""Dotted settings on the command line, before anything heavy is imported."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any


def one_each(arguments: Sequence[str]) -> list[str]:
    """Write every setting as one argument.

    Example:
        >>> one_each(["--model.seed", "3", "--data.x=2", "--print_config"])
        ['--model.seed=3', '--data.x=2', '--print_config']
    """
    joined: list[str] = []
    for argument in arguments:
        if argument.startswith("--") or not joined or "=" in joined[-1]:
            joined.append(argument)
        else:
            joined[-1] += f"={argument}"
    return joined


def split_configs(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the values of ``--config`` from all other arguments; files count before options, wherever they stand.

    Example:
        >>> split_configs(["--config", "blind", "--model.seed=3", "--config=mine.yaml"])
        (['blind', 'mine.yaml'], ['--model.seed=3'])
    """
    configs, others = [], []
    remaining = iter(arguments)
    for argument in remaining:
        option, separator, value = argument.partition("=")
        if option not in ("--config", "-c"):
            others.append(argument)
        elif separator:
            configs.append(value)
        else:
            configs.append(next(remaining, ""))
    return configs, others


def split_settings(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the everyday options from dotted settings and their values, wherever they stand.

    Example:
        >>> split_settings(["--model.seed", "3", "a.png", "--data.batch_size=2", "--print_config"])
        (['a.png'], ['--model.seed', '3', '--data.batch_size=2', '--print_config'])
    """
    everyday, settings = [], []
    remaining = iter(arguments)
    for argument in remaining:
        name, separator, _ = argument.partition("=")
        if name == "--print_config":
            settings.append(argument)
        elif name.startswith("--") and "." in name:
            settings += [argument, *islice(remaining, 0 if separator else 1)]
        else:
            everyday.append(argument)
    return everyday, settings


def text_of(value: Any) -> str:
    """A value as the command line takes it.

    Example:
        >>> [text_of(value) for value in (None, 3, "modules.priors.null.Null", {"a": True})]
        ['null', '3', 'modules.priors.null.Null', '{"a": true}']
    """
    if value is None or isinstance(value, bool | dict | list | tuple):
        # Paths may stand in lists, too.
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
