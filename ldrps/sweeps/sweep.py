"""A sweep: one YAML file in the format of W&B, and the points it is made of."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from degradations.nearest import nearest
from ldrps.configuration.layers import find_preset, is_class_path, read_yaml
from ldrps.sweeps.parameter import Parameter, read_parameters

METHODS = ("grid", "random", "bayes")
TOP = {
    *("name", "description", "method", "metric", "parameters", "run_cap", "program", "command"),
    *("project", "entity", "early_terminate"),
}
"""What W&B knows at the top of a file and is understood, or passed on, here."""

PASSED_ON = ("description", "program", "command", "project", "entity", "early_terminate")
"""What of that is W&B's alone."""

REPLACED = {"pairs": ("clean", "suite", "protocol"), "clean": ("pairs",)}
"""What a file says of its images that other images make void: suites, and how to measure what they made."""


@dataclass(frozen=True)
class Point:
    """One combination of values.

    Attributes:
        chosen: Value of each parameter that varies.
        label: What tables call it.
    """

    chosen: Mapping[str, Any]
    label: str

    @property
    def key(self) -> str:
        """Eight digits by which the point is known, whoever draws it."""
        text = json.dumps(plain(dict(self.chosen)), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return f"{re.sub(r'[^A-Za-z0-9.=,_-]+', '_', self.label)[:60].strip('_')}-{self.key}"


@dataclass(frozen=True)
class Sweep:
    """What to vary, and how.

    Attributes:
        name: What it is called.
        method: ``grid``, ``random`` or ``bayes``.
        parameters: By name; the constants among them hold for every point.
        metric: What a Bayesian search improves: ``SUITE/MEASURE`` or ``overall/MEASURE``.
        maximize: Whether more of it is better.
        run_cap: Most points; None takes the whole grid.
        wandb: What else the file says and only W&B understands.
    """

    name: str
    method: str
    parameters: Mapping[str, Parameter]
    metric: str = "overall/psnr"
    maximize: bool = True
    run_cap: int | None = None
    wandb: Mapping[str, Any] = field(default_factory=dict)

    @property
    def constants(self) -> dict[str, Any]:
        """Settings that every point shares."""
        return {name: own.spec["value"] for name, own in self.parameters.items() if own.is_constant}

    @property
    def varying(self) -> list[Parameter]:
        """Parameters that make the points."""
        return [own for own in self.parameters.values() if not own.is_constant]

    def with_constants(self, constants: Mapping[str, Any]) -> "Sweep":
        """The sweep with settings that the command line fixes; other images take the place of the file's own.

        Raises:
            ValueError: If one of them is varied.
        """
        varied = {own.name for own in self.varying}
        if taken := sorted(varied & constants.keys()):
            raise ValueError(
                f"{taken[0]} is varied by the sweep {self.name}: leave it out of the command, or of the file"
            )
        fixed = {name: Parameter(name, "constant", {"value": value}) for name, value in constants.items()}
        # A sweep of pairs that lie elsewhere on this machine is measured as before.
        new = constants.keys() - self.parameters.keys()
        void = {other for name in new for other in REPLACED.get(name, ())} - varied
        kept = {name: own for name, own in self.parameters.items() if name not in void}
        return replace(self, parameters={**kept, **fixed})

    def point(self, chosen: Mapping[str, Any]) -> Point:
        """The point of some values, in the file's order."""
        ordered = {own.name: chosen[own.name] for own in self.varying}
        names = short_names(list(ordered))
        parts = []
        for name, value in ordered.items():
            word = self.word(name, value)
            parts.append(word if is_named(value) else f"{names[name]}={word}")
        return Point(ordered, ", ".join(parts) or self.name)

    def word(self, name: str, value: Any) -> str:
        """A value in a word, which no other value of the parameter has."""
        others = [other for other in self.parameters[name].values or [] if other != value]
        short = short_value(value)
        return json.dumps(value) if short in map(short_value, others) else short

    def settings(self, point: Point) -> dict[str, Any]:
        """All settings of a point by name; values that hold several are taken apart."""
        return merged_settings({**self.constants, **point.chosen})

    def named_files(self) -> list[str]:
        """YAML files that values of the sweep name: methods, suites, protocols, priors."""
        found: dict[str, None] = {}
        for own in self.parameters.values():
            for value in own.examples():
                settings = merged_settings({own.name: value})
                texts = [settings.get(name) for name in ("config", "suite", "protocol", "prior", "model.prior")]
                listed = [each for text in texts for each in (text if isinstance(text, list) else [text])]
                found |= dict.fromkeys(str(each) for each in listed if str(each).endswith((".yaml", ".yml")))
        return list(found)

    def describe(self) -> dict[str, Any]:
        """What makes it this sweep and no other; it may be made longer."""
        parameters = {name: {"distribution": own.distribution, **own.spec} for name, own in self.parameters.items()}
        return {"method": self.method, "parameters": parameters}

    def for_wandb(self) -> dict[str, Any]:
        """The sweep as W&B takes it."""
        parameters = {
            name: dict(own.spec) if own.distribution in ("constant", "categorical") else own_spec(own)
            for name, own in self.parameters.items()
        }
        goal = "maximize" if self.maximize else "minimize"
        config = {
            **self.wandb,
            "name": self.name,
            "method": self.method,
            "metric": {"name": self.metric, "goal": goal},
            "parameters": parameters,
            # What `wandb agent`, W&B's own program, starts for each point.
            "command": ["${env}", "ldrps", "sweep", "point", "--output", f"runs/{self.name}"],
        }
        return config if self.run_cap is None else {**config, "run_cap": self.run_cap}


def plain(value: Any) -> Any:
    """A value with whole numbers as such: 1.0 may come back from a server as 1.

    Example:
        >>> plain({"a": [1.0, 0.5, True]})
        {'a': [1, 0.5, True]}
    """
    if isinstance(value, dict):
        return {name: plain(own) for name, own in value.items()}
    if isinstance(value, list):
        return [plain(own) for own in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def own_spec(parameter: Parameter) -> dict[str, Any]:
    """A distribution as W&B writes it."""
    return {"distribution": parameter.distribution, **parameter.spec}


def find_sweep(name: str) -> Path:
    """Find a sweep file by path, or by the name of one that comes with the package.

    Raises:
        ValueError: If there is none; the message lists them.
    """
    return find_preset(name if Path(name).is_file() else str(Path("sweep") / name))


def read_sweep(name: str) -> Sweep:
    """Read a sweep file.

    Args:
        name: Path, or name of a file of ``configs/sweep``.

    Raises:
        ValueError: If it does not exist or is not in W&B's format; one sentence says what is wrong.
    """
    path = find_sweep(name)
    return sweep_of(read_yaml(path), str(path), path.stem)


def sweep_of(content: Mapping[str, Any], source: str, name: str) -> Sweep:
    """Make a sweep of what a file, or W&B, says.

    Args:
        content: The file's content.
        source: What messages call it.
        name: What the sweep is called where the file has no name.

    Raises:
        ValueError: If it is not in W&B's format.
    """
    if odd := sorted(set(content) - TOP):
        raise ValueError(f"{source} has {odd[0]!r}{nearest(odd[0], sorted(TOP))} (there are {', '.join(sorted(TOP))})")
    method = content.get("method", "grid")
    if method not in METHODS:
        raise ValueError(f"{source} has method {method!r}{nearest(str(method), METHODS)}: {', '.join(METHODS)}")
    parameters = read_parameters(content.get("parameters"), source)
    metric = content.get("metric", {})
    if not isinstance(metric, dict) or metric.get("goal", "maximize") not in ("maximize", "minimize"):
        raise ValueError(f"{source}: metric must be 'name: overall/psnr' and 'goal: maximize' or 'minimize'")
    cap = content.get("run_cap")
    if cap is not None and (not isinstance(cap, int) or cap < 1):
        raise ValueError(f"{source}: run_cap is {cap!r}, which must be a whole number of at least 1")
    if odd := [key for key in ("project", "entity") if not isinstance(content.get(key) or "", str)]:
        raise ValueError(f"{source}: {odd[0]} is {content[odd[0]]!r}, which must be a name of W&B")
    if method == "grid" and (endless := [own.name for own in parameters.values() if own.values is None]):
        raise ValueError(f"{source}: parameters.{endless[0]} has no list of values, which a grid needs")
    return Sweep(
        name=str(content.get("name", name)),
        method=method,
        parameters=parameters,
        metric=str(metric.get("name", "overall/psnr")),
        maximize=metric.get("goal", "maximize") == "maximize",
        run_cap=cap,
        wandb={key: content[key] for key in PASSED_ON if key in content},
    )


def is_named(value: Any) -> bool:
    """Whether a value holds several settings under a name."""
    return isinstance(value, dict) and "name" in value and "class_path" not in value


def merged_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, sorted so that a class comes before its own settings.

    Example:
        >>> merged_settings({"model.seed": 3, "change": {"name": "both", "model.a": 1, "config": "best"}})
        {'config': 'best', 'model.a': 1, 'model.seed': 3}
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if is_named(value):
            flat |= {key: own for key, own in value.items() if key != "name"}
        else:
            flat[name] = value
    return dict(sorted(flat.items()))


def short_names(names: Iterable[str]) -> dict[str, str]:
    """The last parts of dotted names that tell them apart.

    Example:
        >>> short_names(["model.sampling.strength", "model.guidance.strength", "model.prior"])
        {'model.sampling.strength': 'sampling.strength', 'model.guidance.strength': 'guidance.strength', \
'model.prior': 'prior'}
    """
    whole = list(names)
    short = {}
    for name in whole:
        parts = name.split(".")
        endings = [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
        others = [other for other in whole if other != name]
        short[name] = next(
            (end for end in endings if not any(f".{other}".endswith(f".{end}") for other in others)), name
        )
    return short


def short_value(value: Any) -> str:
    """A value in a word.

    Example:
        >>> [short_value(value) for value in (None, 0.5, "modules.priors.null.Null", {"name": "one"}, [1, 2], "a b")]
        ['none', '0.5', 'Null', 'one', '[1, 2]', 'a b']
    """
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    if is_named(value):
        return str(value["name"])
    if isinstance(value, dict) and "class_path" in value:
        return str(value["class_path"]).rpartition(".")[2]
    if isinstance(value, str):
        last = value.rpartition(".")[2]
        return last if is_class_path(value) and last[:1].isupper() else value
    return json.dumps(value)
