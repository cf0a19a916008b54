"""What a sweep came to, read from folders that were written by hand."""

import csv

import pytest

from ldrps.results.run_folder import INPUT, Row, RunFolder
from ldrps.sweeps.outcome import read_outcome
from ldrps.sweeps.plot import front_of, plot
from ldrps.sweeps.records import Record, SweepFolder
from ldrps.sweeps.sweep import sweep_of
from ldrps.sweeps.table import write_tables
from ldrps.sweeps.worker import own_measures

BEFORE = {("noise_25", "easy"): 20.0, ("noise_25", "hard"): 10.0, ("haze", "easy"): 15.0, ("haze", "hard"): 12.0}


def sweep_folder(path, points, **top):
    """A sweep whose points gained so much on each image in so many seconds; an image of None failed."""
    content = {"parameters": {"model.weight": {"values": list(points)}}, **top}
    folder = SweepFolder(path)
    folder.begin(sweep_of(content, "x.yaml", "x"))
    for weight, (seconds, gains) in points.items():
        point = folder.read().point({"model.weight": weight})
        run = RunFolder(folder.folder_of(point))
        run.path.mkdir(parents=True)
        run.begin({}, False, {"higher_is_better": {"psnr": True}})
        rows = []
        for (suite, name), before in BEFORE.items():
            gain = gains.get((suite, name), gains.get(name))
            rows.append(Row(suite, name, name, INPUT, {"psnr": before}))
            if gain is None:
                rows.append(Row(suite, name, name, "tool", error="no"))
            else:
                rows.append(Row(suite, name, name, "tool", {"psnr": before + gain}, seconds=seconds))
        run.append(rows)
        run.close()
        state = "failed" if any(row.error for row in rows) else "done"
        folder.write(point, Record(point.chosen, state, measures=own_measures(rows)))
    return folder


FAILING = {
    0.1: (1.0, {"easy": 3.0, "hard": None}),
    0.2: (2.0, {"easy": 2.0, "hard": 2.0}),
    0.3: (3.0, {"easy": 1.0, "hard": 1.0}),
}


@pytest.mark.parametrize("top", [{}, {"method": "random", "run_cap": 3}])
def test_a_point_that_failed_on_the_hard_image_is_neither_first_nor_baseline_nor_front(top, tmp_path):
    folder = sweep_folder(tmp_path, FAILING, **top)
    outcome = read_outcome([folder])
    assert [entry.point.chosen["model.weight"] for entry in outcome.entries] == [0.2, 0.3, 0.1]
    assert outcome.baseline.point.chosen == {"model.weight": 0.2}
    assert [outcome.is_complete(entry) for entry in outcome.entries] == [True, True, False]
    assert plot(outcome).size[0] > 500
    printed = write_tables([folder])
    # Its mean, the highest of all, is of the easy image alone, and says so.
    assert "| 3 | 0.1 | 2 (2 failed) | 20.50 (2 of 4) |" in printed
    assert "(1 of 2) (+1.00)" in (tmp_path / "sweep.md").read_text()
    for file in ("sweep.md", "sweep.html"):
        assert "Points that lack images which others have come last." in (tmp_path / file).read_text()
    lines = list(csv.DictReader((tmp_path / "sweep.csv").open()))
    assert {(line["number"], line["missing"]) for line in lines if line["suite"] == "overall"} == {
        ("1", "0"),
        ("2", "0"),
        ("3", "2"),
    }
    with pytest.raises(ValueError, match=r"weight=0.1 has no result of images .* such as 'weight=0.2'"):
        read_outcome([folder], baseline="weight=0.1")


def test_the_front_is_of_complete_points_alone():
    seconds, quality = [1.0, 2.0, 3.0], [23.0, 20.0, 21.0]
    assert front_of([0, 1, 2], seconds, quality, True) == [0]
    assert front_of([1, 2], seconds, quality, True) == [1, 2]
    assert front_of([], seconds, quality, True) == []


def test_points_that_all_failed_on_the_same_image_are_compared_on_the_others(tmp_path):
    points = {weight: (1.0, {"easy": weight, "hard": None}) for weight in (0.1, 0.2)}
    outcome = read_outcome([sweep_folder(tmp_path, points, method="random", run_cap=2)])
    assert [entry.point.chosen["model.weight"] for entry in outcome.entries] == [0.2, 0.1]
    assert not outcome.lacking
    assert outcome.score(outcome.entries[0]).images == 4


def test_where_no_point_is_complete_the_first_is_still_the_baseline(tmp_path):
    points = {0.1: (1.0, {"easy": 1.0}), 0.2: (1.0, {"hard": 1.0})}
    outcome = read_outcome([sweep_folder(tmp_path, points)])
    assert outcome.baseline is outcome.entries[0]
    assert len(outcome.lacking) == 2
    assert plot(outcome) is not None


@pytest.mark.parametrize(
    ("metric", "asked", "order"),
    [
        ({"name": "noise_25/psnr", "goal": "maximize"}, None, [0.3, 0.2, 0.1]),
        ({"name": "noise_25/psnr", "goal": "maximize"}, "psnr", [0.3, 0.2, 0.1]),
        ({"name": "noise_25/psnr", "goal": "maximize"}, "ssim", [0.2, 0.1, 0.3]),
        ({"name": "seconds", "goal": "minimize"}, None, [0.2, 0.3, 0.1]),
        ({"name": "snow/psnr", "goal": "maximize"}, None, [0.1, 0.2, 0.3]),
        ({}, None, [0.1, 0.2, 0.3]),
    ],
)
def test_points_are_ordered_by_what_the_sweep_improves_unless_asked_otherwise(metric, asked, order, tmp_path):
    points = {
        weight: (seconds, {("noise_25", name): noise for name in ("easy", "hard")} | {"easy": haze, "hard": haze})
        for weight, seconds, noise, haze in ((0.1, 9.0, 1.0, 9.0), (0.2, 1.0, 2.0, 6.0), (0.3, 2.0, 3.0, 1.0))
    }
    folder = sweep_folder(tmp_path, points, method="bayes", run_cap=3, metric=metric)
    for record in folder.records():
        point = folder.read().point(record.chosen)
        run = RunFolder(folder.folder_of(point))
        measures = {**record.measures, "overall/ssim": {0.1: 0.5, 0.2: 0.6, 0.3: 0.4}[record.chosen["model.weight"]]}
        rows = run.rows()
        for row in rows:
            row.metrics["ssim"] = measures["overall/ssim"]
        run.append(rows)
        run.close()
        folder.write(point, Record(record.chosen, record.state, measures=measures))
    outcome = read_outcome([folder], metric=asked)
    assert [entry.point.chosen["model.weight"] for entry in outcome.entries] == order
    assert outcome.baseline is outcome.entries[0]
