"""Which points a search visits."""

from itertools import islice

import numpy as np
import pytest

from ldrps.sweeps.plot import pareto
from ldrps.sweeps.records import Record, State
from ldrps.sweeps.search import candidates, draws
from ldrps.sweeps.sweep import sweep_of

INTERVAL = {"min": 0.0, "max": 1.0}


def make(method, cap, **parameters):
    return sweep_of({"method": method, "run_cap": cap, "parameters": parameters}, "x.yaml", "x")


def test_draws_are_alike_for_everybody_different_from_one_another_and_prolonged_by_a_larger_cap():
    sweep = make("random", 20, a={"values": [1, 2, 3]}, b=INTERVAL)
    points = list(candidates(sweep, []))
    assert points == list(candidates(sweep, []))
    assert len({point.key for point in points}) == 20
    assert points == list(islice(draws(sweep, 0), 30))[:20]
    assert len(list(candidates(make("random", 9, a={"values": [1, 2, 3]}), []))) == 3


@pytest.mark.parametrize(
    ("spec", "low", "high", "median"),
    [
        ({"min": 2, "max": 5}, 2, 5, 3.5),
        ({"min": 0.5, "max": 2.5}, 0.5, 2.5, 1.5),
        ({"distribution": "log_uniform_values", "min": 0.01, "max": 100}, 0.01, 100, 1.0),
        ({"distribution": "q_uniform", "min": 0, "max": 10, "q": 0.5}, 0, 10, 5.0),
        ({"distribution": "q_uniform", "min": 0.1, "max": 0.95, "q": 0.25}, 0.25, 0.75, 0.5),
        ({"distribution": "q_uniform", "min": 0.1, "max": 0.3, "q": 0.1}, 0.1, 0.3, 0.2),
        ({"distribution": "normal", "mu": 3, "sigma": 0.5}, -np.inf, np.inf, 3.0),
        ({"distribution": "log_normal", "mu": 0, "sigma": 1}, 0, np.inf, 1.0),
        ({"values": [1, 2], "probabilities": [0.0, 1.0]}, 2, 2, 2.0),
    ],
)
def test_values_are_drawn_as_w_b_means_them(spec, low, high, median):
    [own] = make("random", 1, a=spec).varying
    random = np.random.default_rng(0)
    values = np.array([own.draw(random) for _ in range(2000)])
    assert values.min() >= low
    assert values.max() <= high
    assert np.median(values) == pytest.approx(median, rel=0.15, abs=0.5 if low == 2 else 0.05)
    assert all(low <= value <= high for value in own.examples() if value in values or own.values is None)


def test_a_bayesian_search_goes_where_it_is_good():
    pytest.importorskip("optuna")
    sweep = make("bayes", 30, a=INTERVAL, b={"values": ["good", {"class_path": "x.Bad"}]}, c={"min": 1, "max": 9})
    records = []
    for _ in range(30):
        [point] = candidates(sweep, records)
        value = -((point.chosen["a"] - 0.3) ** 2) - (point.chosen["b"] != "good") - (point.chosen["c"] - 4) ** 2 / 50
        records.append(Record(point.chosen, State.DONE, measures={"overall/psnr": value}))
    assert list(candidates(sweep, records)) == []
    values = [record.measures["overall/psnr"] for record in records]
    # The first ten are drawn at random.
    assert np.mean(values[20:]) > np.mean(values[:10]) + 0.1
    assert max(values) > -0.05
    # What was begun and cut off comes first, also when the search is full; a failure counts as a point.
    cut = [*records[:4], Record(records[4].chosen, State.BEGUN), Record(records[5].chosen, State.FAILED, "no")]
    first, second = candidates(sweep, cut)
    assert first.chosen == records[4].chosen
    assert second.key not in {sweep.point(record.chosen).key for record in cut}


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ({"min": 0.1, "max": 1.1, "q": 0.25}, {0.25, 0.5, 0.75, 1.0}),
        ({"min": -0.7, "max": 0.3, "q": 0.3}, {-0.6, -0.3, 0.0, 0.3}),
        ({"min": 5, "max": 12, "q": 4}, {8.0, 12.0}),
    ],
)
def test_a_bayesian_search_knows_multiples_in_an_interval_that_begins_at_none(spec, values):
    pytest.importorskip("optuna")
    sweep = make("bayes", 12, a={"distribution": "q_uniform", **spec}, b=INTERVAL)
    # A value that an earlier version rounded out of the interval costs nothing.
    records = [Record({"a": spec["min"] - spec["q"] / 4, "b": 0.5}, State.DONE, measures={"overall/psnr": 0.0})]
    for number in range(8):
        [point] = candidates(sweep, records)
        records.append(Record(point.chosen, State.DONE, measures={"overall/psnr": float(number % 3)}))
    chosen = [record.chosen["a"] for record in records[1:]]
    assert all(min(abs(value - own) for own in values) < 1e-12 for value in chosen)
    assert all(spec["min"] <= value <= spec["max"] for value in chosen)
    [own, _] = sweep.varying
    random = np.random.default_rng(0)
    drawn = {own.draw(random) for _ in range(200)}
    assert len(drawn) == len(values)
    assert set(chosen) | set(own.examples()) <= drawn


def test_the_front_is_what_nothing_beats():
    random = np.random.default_rng(0)
    seconds, quality = random.random(60).tolist(), random.random(60).tolist()
    expected = {
        i
        for i in range(60)
        if not any(seconds[j] <= seconds[i] and quality[j] >= quality[i] for j in range(60) if j != i)
    }
    assert set(pareto(seconds, quality)) == expected
    assert set(pareto(seconds, [-value for value in quality], higher_is_better=False)) == expected
