"""What a sweep varies: one setting and the values it may take, in the format of W&B."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, exp, floor, log
from typing import Any

import numpy as np

DISTRIBUTIONS = {
    "constant": ("value",),
    "categorical": ("values",),
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "q_uniform": ("min", "max"),
    "log_uniform": ("min", "max"),
    "log_uniform_values": ("min", "max"),
    "q_log_uniform_values": ("min", "max"),
    "normal": (),
    "q_normal": (),
    "log_normal": (),
}
"""The distributions of W&B that are drawn from here, and what each needs."""
KNOWN = {"distribution", "value", "values", "probabilities", "min", "max", "mu", "sigma", "q"}


@dataclass(frozen=True)
class Parameter:
    """One setting of a sweep.

    Attributes:
        name: Dotted setting (``model.seed``), option of `ldrps test` (``suite``), or any other word without a dot: then
            each value holds several settings under a ``name``, which change together.
        distribution: See `DISTRIBUTIONS`.
        spec: ``value``, ``values``, ``probabilities``, ``min``, ``max``, ``mu``, ``sigma``, ``q``, as W&B has them.
    """

    name: str
    distribution: str
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_constant(self) -> bool:
        """Whether it has one value."""
        return self.distribution == "constant"

    @property
    def values(self) -> list[Any] | None:
        """All values where they are a list; None for an interval of real numbers."""
        if self.is_constant:
            return [self.spec["value"]]
        if self.distribution == "categorical":
            return list(self.spec["values"])
        if self.distribution == "int_uniform":
            return list(range(self.spec["min"], self.spec["max"] + 1))
        return None

    def examples(self) -> list[Any]:
        """Values to check a setting by: all of a list, the ends of an interval, the middle of a bell."""
        if self.distribution == "int_uniform":
            return [self.spec["min"], self.spec["max"]]
        if self.values is not None:
            return self.values
        return list(dict.fromkeys(self.quantile(share) for share in (0.0, 0.5, 1.0)))

    def draw(self, random: np.random.Generator) -> Any:
        """One value."""
        if self.values is not None and self.distribution != "int_uniform":
            return self.values[int(random.choice(len(self.values), p=self.spec.get("probabilities")))]
        if self.distribution == "int_uniform":
            return int(random.integers(self.spec["min"], self.spec["max"] + 1))
        if "normal" in self.distribution:
            return self._finish(float(random.normal(self.spec.get("mu", 0.0), self.spec.get("sigma", 1.0))))
        return self.quantile(float(random.random()))

    def quantile(self, share: float) -> float:
        """Value below which a share of an interval lies; of a bell its mean."""
        if "normal" in self.distribution:
            return self._finish(float(self.spec.get("mu", 0.0)))
        low, high = float(self.spec["min"]), float(self.spec["max"])
        if self.distribution.endswith("log_uniform_values"):
            # Rounding must not lead out of the interval.
            return min(max(self._finish(log(low) + share * (log(high) - log(low))), low), high)
        if self.distribution == "q_uniform":
            return self.multiple(self.count_of(low + share * (high - low)))
        return self._finish(low + share * (high - low))

    @property
    def counts(self) -> tuple[int, int]:
        """Which multiples of q an interval holds, from the first to the last; there are none where these cross."""
        first, last = (float(self.spec[key]) / self.spec.get("q", 1.0) for key in ("min", "max"))
        # What is outside by a rounding error is inside.
        return ceil(first - 1e-9 * max(1.0, abs(first))), floor(last + 1e-9 * max(1.0, abs(last)))

    def count_of(self, value: float) -> int:
        """Which multiple of q is nearest to a value, of those that the interval holds."""
        first, last = self.counts
        return min(max(round(value / self.spec.get("q", 1.0)), first), last)

    def multiple(self, count: int) -> float:
        """A multiple of q in the interval."""
        return min(max(float(count * self.spec.get("q", 1.0)), float(self.spec["min"])), float(self.spec["max"]))

    def _finish(self, value: float) -> float:
        value = exp(value) if "log" in self.distribution else value
        step = self.spec.get("q", 1.0) if self.distribution.startswith("q_") else None
        return value if step is None else float(round(value / step) * step)


def read_parameters(content: Any, source: str, prefix: str = "") -> dict[str, Parameter]:
    """Read ``parameters`` of a sweep file; nested ones become dotted names.

    Raises:
        ValueError: If one is not what W&B means by a parameter, or empty.
    """
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{source} needs 'parameters: ...', settings by dotted name with 'values: [...]' each")
    found: dict[str, Parameter] = {}
    for key, spec in content.items():
        name = f"{prefix}{key}"
        if isinstance(spec, dict) and set(spec) == {"parameters"}:
            found |= read_parameters(spec["parameters"], source, f"{name}.")
        else:
            found[name] = read_parameter(name, spec, source)
    return found


def read_parameter(name: str, spec: Any, source: str) -> Parameter:
    """Read one parameter of a sweep file.

    Raises:
        ValueError: See `read_parameters`.
    """
    where = f"{source}: parameters.{name}"
    if not isinstance(spec, dict) or not spec:
        raise ValueError(f"{where} must be 'values: [...]', 'value: ...', or 'min: ...' and 'max: ...'")
    if odd := sorted(set(spec) - KNOWN):
        raise ValueError(f"{where} has {odd[0]!r}, which is none of {', '.join(sorted(KNOWN))}")
    distribution = str(spec.get("distribution", usual_distribution(spec)))
    if distribution not in DISTRIBUTIONS:
        raise ValueError(f"{where}.distribution is {distribution!r}; there are {', '.join(DISTRIBUTIONS)}")
    if missing := [key for key in DISTRIBUTIONS[distribution] if key not in spec]:
        raise ValueError(f"{where} needs {missing[0]!r} ({distribution})")
    _check(distribution, spec, where)
    parameter = Parameter(name, distribution, {key: value for key, value in spec.items() if key != "distribution"})
    _check_steps(parameter, where)
    return parameter


def usual_distribution(spec: Mapping[str, Any]) -> str:
    """What W&B takes where no distribution is named."""
    if "values" in spec:
        return "categorical"
    if "value" in spec:
        return "constant"
    are_whole = all(isinstance(spec.get(key), int) for key in ("min", "max"))
    return "int_uniform" if are_whole else "uniform"


def _check(distribution: str, spec: Mapping[str, Any], where: str) -> None:
    values, shares = spec.get("values"), spec.get("probabilities")
    if distribution == "categorical" and (not isinstance(values, list) or not values):
        raise ValueError(f"{where}.values is {values!r}: give at least one value, as a list")
    if shares is not None and (len(shares) != len(values or ()) or abs(sum(shares) - 1) > 1e-6):
        raise ValueError(f"{where}.probabilities must be one number for each value and sum to 1")
    for key in ("min", "max", "mu", "sigma", "q"):
        if key in spec and (isinstance(spec[key], bool) or not isinstance(spec[key], int | float)):
            raise ValueError(f"{where}.{key} is {spec[key]!r}, which must be a number")
    if "min" in spec and not spec["min"] <= spec.get("max", spec["min"]):
        raise ValueError(f"{where}.min is {spec['min']}, above max, {spec['max']}")
    if distribution == "int_uniform" and not all(isinstance(spec[key], int) for key in ("min", "max")):
        raise ValueError(f"{where} is int_uniform, whose min and max must be whole numbers")
    if distribution.endswith("log_uniform_values") and spec["min"] <= 0:
        raise ValueError(f"{where}.min is {spec['min']}, which must be positive ({distribution})")


def _check_steps(parameter: Parameter, where: str) -> None:
    step = parameter.spec.get("q", 1.0)
    if step <= 0:
        raise ValueError(f"{where}.q is {step}, which must be positive")
    if parameter.distribution == "q_uniform" and parameter.counts[0] > parameter.counts[1]:
        low, high = parameter.spec["min"], parameter.spec["max"]
        raise ValueError(
            f"{where}: no multiple of q, {step}, lies between min, {low}, and max, {high}: take a smaller q"
        )
