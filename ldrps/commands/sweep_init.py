"""`ldrps sweep init`: writes a sweep file and checks it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ldrps.commands.account import say
from ldrps.commands.options import option, parse_alone


@dataclass(frozen=True)
class SweepInit:
    """Write a sweep file in the format of W&B, after checking that every setting exists and every value fits.

    For example: ldrps sweep init mine.yaml model.sampling.num_refinements=0,1,2 model.guidance.strength=0.05..0.5.
    Values with commas inside are written as a YAML list: 'model.alignment=[{...}, {...}]'.

    Attributes:
        file: File to write; an existing one is left alone.
        parameters: KEY=VALUE holds for every point, KEY=A,B,C is varied, KEY=LOW..HIGH is an interval.
        method: How to search.
        metric: What a Bayesian search improves (overall/psnr).
        goal: Whether more of it is better.
        count: At most N points.
    """

    file: Path = field(metadata=option(metavar="FILE"))
    parameters: list[str] = field(metadata=option(metavar="KEY=VALUES", nargs="+"))
    method: Literal["grid", "random", "bayes"] = "grid"
    metric: str = "overall/psnr"
    goal: Literal["maximize", "minimize"] = "maximize"
    count: int | None = field(default=None, metadata=option(metavar="N"))


def start(arguments: Sequence[str]) -> int:
    """Run `ldrps sweep init` and return its exit code."""
    options = parse_alone("sweep init", SweepInit, arguments)
    if options.file.exists():
        raise ValueError(f"{options.file} exists already: choose another name, or delete it")
    content: dict[str, Any] = {
        "name": options.file.stem,
        "method": options.method,
        "metric": {"name": options.metric, "goal": options.goal},
        "parameters": dict(parameter_of(text) for text in options.parameters),
    }
    if options.count is not None:
        content["run_cap"] = options.count
    import yaml

    from ldrps.commands.sweeping import point_maker
    from ldrps.sweeps.checking import check, first_settings
    from ldrps.sweeps.sweep import sweep_of
    from modules.safe_files import complete_or_absent

    sweep = sweep_of(content, str(options.file), options.file.stem)
    check(sweep, point_maker("auto"))
    with complete_or_absent(options.file) as stream:
        stream.write(yaml.safe_dump(content, sort_keys=False, default_flow_style=None).encode())
    end = "" if sweep.method == "grid" or sweep.run_cap is not None else " --count 20"
    say(f"{options.file} is written; for example: ldrps sweep run {options.file}{missing(first_settings(sweep))}{end}")
    return 0


def missing(settings: Collection[str]) -> str:
    """Options of an example that says of the images what a sweep's file does not; they would take the place of its own.

    Example:
        >>> missing(["model.seed"]), missing(["clean", "suite"]), missing(["pairs"])
        (' --clean photos/ --suite noise_25 haze', '', '')
    """
    examples = {"clean": " --clean photos/", "suite": " --suite noise_25 haze"}
    return "" if "pairs" in settings else "".join(text for name, text in examples.items() if name not in settings)


def parameter_of(text: str) -> tuple[str, dict[str, Any]]:
    """Read one parameter of the command line.

    Raises:
        ValueError: If it is not KEY=VALUES.

    Example:
        >>> parameter_of("a.b=1,2"), parameter_of("a.b=0.1..2.5"), parameter_of("a.b=x")
        (('a.b', {'values': [1, 2]}), ('a.b', {'min': 0.1, 'max': 2.5}), ('a.b', {'value': 'x'}))
    """
    import yaml

    from ldrps.configuration.texts import is_text

    name, separator, values = text.partition("=")
    if not (name and separator):
        raise ValueError(f"{text!r} must be KEY=VALUE, KEY=A,B,C or KEY=LOW..HIGH")
    is_said = is_text(name) and not values.startswith("[")
    read = str.strip if is_said else yaml.safe_load
    try:
        value = read(values)
        listed = value if isinstance(value, list) else None
        if listed is None and "," in values and not isinstance(value, dict):
            listed = [read(part) for part in values.split(",")]
        low, dots, high = values.partition("..")
        if listed is None and dots and not (is_said or values.startswith(".")):
            return name, {"min": yaml.safe_load(low), "max": yaml.safe_load(high)}
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r} is no YAML after the equals sign") from error
    return name, {"value": value} if listed is None else {"values": listed}
