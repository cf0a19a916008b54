"""Which points a sweep visits: all of a grid, or draws that everybody who knows the seed draws alike."""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any

import numpy as np

from ldrps.sweeps.parameter import Parameter
from ldrps.sweeps.records import Record, State
from ldrps.sweeps.sweep import Point, Sweep

MOST_REPEATS = 1000
"""Draws of points that were drawn before, after which no further one is looked for."""


def candidates(sweep: Sweep, records: Sequence[Record], seed: int = 0) -> Iterator[Point]:
    """Points that may be next, in order; those of the records that are not finished among them.

    Args:
        sweep: The sweep.
        records: What became of points so far.
        seed: Seed of the draws.

    Raises:
        ValueError: If a search without end has no ``run_cap``.
    """
    if sweep.method == "grid":
        return islice(grid(sweep), sweep.run_cap)
    if sweep.run_cap is None:
        raise ValueError(f"the sweep {sweep.name} is {sweep.method}, which has no end: add --count N, or run_cap: N")
    if sweep.method == "random":
        return islice(draws(sweep, seed), sweep.run_cap)
    return bayes_candidates(sweep, records, seed, sweep.run_cap)


def grid(sweep: Sweep) -> Iterator[Point]:
    """Every combination; the first parameter changes slowest."""
    names = [own.name for own in sweep.varying]
    for values in product(*(own.values or [] for own in sweep.varying)):
        yield sweep.point(dict(zip(names, values, strict=True)))


def draws(sweep: Sweep, seed: int) -> Iterator[Point]:
    """Different points at random, until no new ones turn up."""
    random = np.random.default_rng(seed)
    seen: set[str] = set()
    repeats = 0
    while repeats < MOST_REPEATS:
        point = sweep.point({own.name: own.draw(random) for own in sweep.varying})
        if point.key in seen:
            repeats += 1
            continue
        repeats = 0
        seen.add(point.key)
        yield point


def bayes_candidates(sweep: Sweep, records: Sequence[Record], seed: int, most: int) -> Iterator[Point]:
    """What was begun and not finished, then what Optuna proposes after all that is known."""
    yield from (sweep.point(record.chosen) for record in records if record.state not in (State.DONE, State.FAILED))
    known = {sweep.point(record.chosen).key for record in records}
    if len(known) >= most:
        return
    proposed: Any = proposal(sweep, records, seed)
    if sweep.point(proposed).key not in known:
        yield sweep.point(proposed)
        return
    # The best place is known already: look elsewhere.
    yield from islice((point for point in draws(sweep, seed) if point.key not in known), 1)


def proposal(sweep: Sweep, records: Sequence[Record], seed: int) -> dict[str, Any]:
    """Ask Optuna's tree-structured Parzen estimator for the next values.

    The study is made anew of the records each time, which are all it depends on: there is no second state that a kill
    could leave behind.

    Raises:
        ValueError: If Optuna is not installed, or a distribution is none of its own.
    """
    try:
        import optuna
    except ImportError as error:
        raise ValueError("method: bayes needs Optuna: pip install 'ldrps[sweep]', or take method: random") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed + len(records), constant_liar=True)
    study = optuna.create_study(direction="maximize" if sweep.maximize else "minimize", sampler=sampler)
    spaces = {own.name: space(own) for own in sweep.varying}
    states = {State.DONE: optuna.trial.TrialState.COMPLETE, State.FAILED: optuna.trial.TrialState.FAIL}
    for record in records:
        value = record.measures.get(sweep.metric)
        state = states.get(record.state, optuna.trial.TrialState.RUNNING)
        if state is optuna.trial.TrialState.COMPLETE and value is None:
            there = ", ".join(sorted(record.measures))
            raise ValueError(
                f"the sweep {sweep.name} improves {sweep.metric}, which is not measured; there are {there}"
            )
        params = {own.name: coded(own, record.chosen[own.name]) for own in sweep.varying}
        is_complete = state is optuna.trial.TrialState.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                state=state, params=params, distributions=spaces, value=value if is_complete else None
            )
        )
    trial = study.ask(fixed_distributions=spaces)
    return {own.name: decoded(own, trial.params[own.name]) for own in sweep.varying}


def coded(parameter: Parameter, value: Any) -> Any:
    """A value as Optuna knows it.

    Values of a list are known by their place, since Optuna takes none that are more than words, and multiples of q are
    counted: Optuna's own steps begin at min, which need be no multiple.
    """
    if parameter.distribution == "categorical":
        return (parameter.values or []).index(value)
    return parameter.count_of(value) if parameter.distribution == "q_uniform" else value


def decoded(parameter: Parameter, code: Any) -> Any:
    """The value that Optuna means; see `coded`."""
    if parameter.distribution == "categorical":
        return (parameter.values or [])[code]
    return parameter.multiple(code) if parameter.distribution == "q_uniform" else code


def space(parameter: Parameter) -> Any:
    """The values of a parameter, as Optuna knows them.

    Raises:
        ValueError: If Optuna has no such distribution.
    """
    from optuna import distributions

    spec = parameter.spec
    match parameter.distribution:
        case "categorical":
            return distributions.CategoricalDistribution(list(range(len(spec["values"]))))
        case "int_uniform":
            return distributions.IntDistribution(spec["min"], spec["max"])
        case "q_uniform":
            return distributions.IntDistribution(*parameter.counts)
        case "uniform":
            return distributions.FloatDistribution(float(spec["min"]), float(spec["max"]))
        case "log_uniform_values":
            return distributions.FloatDistribution(float(spec["min"]), float(spec["max"]), log=True)
    raise ValueError(
        f"parameters.{parameter.name} is {parameter.distribution}, which a Bayesian search here does not know: "
        "categorical, int_uniform, uniform, q_uniform and log_uniform_values are known"
    )
