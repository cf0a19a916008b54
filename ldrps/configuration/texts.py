"""Settings that hold what somebody says are meant as they stand, where the parser reads other values as YAML."""

import json
from typing import Any

from ldrps.configuration.arguments import text_of

TEXTS = frozenset({"prompt", "negative_prompt", "question", "damage_question"})
"""Their names."""


def is_text(name: str) -> bool:
    """Whether a setting, by its dotted name, is one of them."""
    return name.rpartition(".")[2] in TEXTS


def as_meant(argument: str) -> str:
    """Write a setting on the command line so that nothing else is read in a text.

    Example:
        >>> as_meant("--model.prior.prompt=a: b"), as_meant("--model.prior.prompt=a cat"), as_meant("--model.seed=3")
        ('--model.prior={"prompt": "a: b"}', '--model.prior.prompt=a cat', '--model.seed=3')
    """
    name, separator, text = argument.removeprefix("--").partition("=")
    return argument_of(name, said(name, text)) if separator and is_text(name) else argument


def said(name: str, text: str) -> str | None:
    """What a text on the command line says: itself, but for ``null`` in place of the question that may be left out.

    Example:
        >>> said("prior.prompt", "null"), said("prior.damage_question", "null")
        ('null', None)
    """
    return None if name.endswith("damage_question") and text == "null" else text


def argument_of(name: str, value: Any) -> str:
    """A setting, by its dotted name and its value in Python, as one argument of the command line.

    Example:
        >>> argument_of("model.prior.prompt", "yes"), argument_of("model.seed", 3)
        ('--model.prior={"prompt": "yes"}', '--model.seed=3')
    """
    parent, _, own = name.rpartition(".")
    if parent and own in TEXTS and not is_plain(value):
        # What stands inside a mapping is not read once more.
        return f"--{parent}={json.dumps({own: value}, ensure_ascii=False)}"
    return f"--{name}={text_of(value)}"


def is_plain(value: Any) -> bool:
    """Whether YAML reads a text as it stands.

    Example:
        >>> [is_plain(text) for text in ("a cat", "a: b", "yes", "[x]", "null", "a #1", "'a'")]
        [True, False, False, False, False, False, False]
    """
    import yaml

    try:
        return isinstance(value, str) and bool(yaml.safe_load(value) == value)
    except yaml.YAMLError:
        return False


def keep_texts() -> None:
    """Have texts such as 1e3 quoted where settings are written, in the whole process.

    The parser reads them as numbers, and writes them as PyYAML does, for which they are none.
    """
    import yaml
    from jsonargparse import set_dumper

    class Quoting(yaml.SafeDumper):
        """Quotes texts that are numbers for some."""

    def written(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if is_number(text) else None)

    Quoting.add_representer(str, written)
    settings = {"default_flow_style": False, "allow_unicode": True, "sort_keys": False}
    set_dumper("yaml", lambda data: yaml.dump(data, Dumper=Quoting, **settings))


def is_number(text: str) -> bool:
    """Whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
