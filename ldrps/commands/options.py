"""Options of a verb: a dataclass says what there is, its docstring what it means; the command line is made of that."""

import dataclasses
import inspect
import typing
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from ldrps.configuration.arguments import split_settings

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

Options = TypeVar("Options")


def option(*names: str, metavar: str | None = None, nargs: str | None = None) -> dict[str, Any]:
    """How a field looks on the command line, as its metadata.

    Args:
        names: Short names, such as ``-o``.
        metavar: What stands for the value in the help.
        nargs: "+" for a list whose values follow one another; otherwise a list's option is repeated.
    """
    return {"names": names, "metavar": metavar, "nargs": nargs}


def make_parser(verb: str, options: type) -> "ArgumentParser":
    """Make the parser of a verb.

    Fields without default are positional, or required options if they have a short name; true-or-false ones are
    switches.

    Args:
        verb: Name after ``ldrps``.
        options: Dataclass whose docstring describes the verb and, under "Attributes", every field.
    """
    from docstring_parser import parse as parse_docstring
    from jsonargparse import ArgumentParser

    documentation = parse_docstring(inspect.getdoc(options) or "")
    described = {parameter.arg_name: parameter.description or "" for parameter in documentation.params}
    text = " ".join(filter(None, (documentation.short_description, documentation.long_description)))
    parser = ArgumentParser(
        prog=f"ldrps {verb}", description=text, exit_on_error=False, allow_abbrev=False, version=version("ldrps")
    )
    kinds = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        add_option(parser, field, kinds[field.name], " ".join(described[field.name].split()))
    return parser


def add_option(parser: "ArgumentParser", field: "dataclasses.Field[Any]", kind: Any, description: str) -> None:
    """Add one field to a parser."""
    short = field.metadata.get("names", ())
    is_required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    is_list = typing.get_origin(kind) is list
    looks: dict[str, Any] = {"help": description, "metavar": field.metadata.get("metavar")}
    if kind == str | None:
        # What is given is meant as it stands: "null" names a prior.
        kind = str
    if is_list:
        kind = typing.get_args(kind)[0]
        # One value an option unless told otherwise, so that it does not take the names of files that follow.
        looks["nargs"] = field.metadata.get("nargs") or 1
    if is_required and not short:
        parser.add_argument(field.name, type=kind, **looks)
        return
    names = [*short, f"--{field.name.replace('_', '-')}"]
    if kind is bool:
        parser.add_argument(*names, dest=field.name, action="store_true", help=description)
    elif is_list:
        parser.add_argument(*names, dest=field.name, type=kind, action="extend", **looks)
    elif is_required:
        parser.add_argument(*names, dest=field.name, type=kind, required=True, **looks)
    else:
        parser.add_argument(*names, dest=field.name, type=kind, default=field.default, **looks)


def parse(verb: str, options: type[Options], arguments: Sequence[str]) -> tuple[Options, list[str]]:
    """Read a verb's options and the dotted settings among them, which are for the run that the verb starts.

    Args:
        verb: Name after ``ldrps``.
        options: See `make_parser`.
        arguments: What stands after the verb.

    Raises:
        ValueError: If an argument is unknown or does not fit; one sentence, with the nearest option.
    """
    everyday, settings = split_settings(arguments)
    return read(make_parser(verb, options), options, everyday), settings


def parse_alone(verb: str, options: type[Options], arguments: Sequence[str]) -> Options:
    """Read options of a verb that starts no run with settings; they can be kept in a file and shown. See `parse`."""
    parser = make_parser(verb, options)
    parser.add_argument("--config", action="config", metavar="FILE", help="Options from a YAML file.")
    return read(parser, options, arguments)


def read(parser: "ArgumentParser", options: type[Options], arguments: Sequence[str]) -> Options:
    """Parse arguments into the dataclass."""
    from jsonargparse import ArgumentError

    from ldrps.configuration.hints import with_hint

    try:
        parsed = parser.parse_args(arguments)
    except ArgumentError as error:
        raise ValueError(with_hint(error, parser, arguments)) from error
    given = {field.name: parsed[field.name] for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    # A list that was not given takes the field's own default.
    return options(**{name: value for name, value in given.items() if value is not None})
