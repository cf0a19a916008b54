"""Rows that survive, summaries that can be checked by hand."""

import csv
import io
import json
import os

import numpy as np
import pytest
from scipy import stats

from ldrps.results.conclusion import overview
from ldrps.results.pictures import best_median_worst
from ldrps.results.report import gains, sortable
from ldrps.results.run_folder import INPUT, Row, RunFolder, difference, merge_rows
from ldrps.results.summary import OVERALL, bootstrap, count_images, seconds_of, summarise
from ldrps.results.tables import to_csv, to_latex, to_markdown


def rows_of(suite, restorer, values, **more):
    return [Row(suite, f"image{n}", f"key{n}", restorer, {"psnr": value}, **more) for n, value in enumerate(values)]


def test_rows_of_several_processes_are_merged_once_each(tmp_path):
    for process in range(3):
        folder = RunFolder(tmp_path)
        folder.append(rows_of("s", "m", [1.0, 2.0]))
        folder.append(rows_of("s", f"m{process}", [3.0]))
        folder.close()
    rows = RunFolder(tmp_path).rows()
    assert len(list((tmp_path / "rows").iterdir())) == 3
    assert [row.restorer for row in rows] == ["m", "m0", "m1", "m2", "m"]
    assert len(RunFolder(tmp_path).finished()) == 5


def test_a_line_cut_off_anywhere_costs_that_row_only(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append(rows_of("s", "m", [1.0, 2.0]))
    folder.close()
    [file] = (tmp_path / "rows").iterdir()
    whole = file.read_bytes()
    last = whole.index(b"\n") + 1
    for length in range(last, len(whole)):
        file.write_bytes(whole[:length])
        kept = RunFolder(tmp_path).rows()
        assert [row.name for row in kept] in (["image0"], ["image0", "image1"])
        assert (len(kept) == 2) == (length == len(whole) - 1)
    file.write_bytes(whole[: last + 20] + b"\xff\xfe")
    assert len(RunFolder(tmp_path).rows()) == 1


def test_a_success_replaces_a_failure_in_any_order(tmp_path):
    good = Row("s", "a", "k", "m", {"psnr": 1.0})
    bad = Row("s", "a", "k", "m", error="no")
    unread = Row("s", "a", "", "m", error="could not be read")
    for number, order in enumerate(([good, bad, unread], [bad, unread, good])):
        folder = RunFolder(tmp_path / str(number))
        folder.append(order)
        assert [row.error for row in folder.rows()] == [None]
    folder = RunFolder(tmp_path / "bad")
    folder.append([bad])
    assert folder.finished() == set()
    assert [row.error for row in folder.rows()] == ["no"]


def written(path, rows, name):
    """Write rows as a process of its own, whose file has a name that says nothing of when."""
    folder = RunFolder(path)
    before = set((path / "rows").glob("*"))
    folder.append(rows)
    folder.close()
    [file] = set((path / "rows").glob("*")) - before
    return file.rename(file.with_name(name))


def test_what_was_made_of_the_newest_pixels_counts_whatever_file_it_is_in(tmp_path):
    def of(key, value, restorers=(INPUT, "m", "other")):
        return [Row("s", "a", key, restorer, {"psnr": value}) for restorer in restorers]

    untouched = Row("s", "b", "kept", "m", {"psnr": 5.0})
    faulty = written(tmp_path, [*of("faulty", 1.0), untouched], "z.jsonl")
    written(tmp_path, of("whole", 2.0), "a.jsonl")
    os.utime(faulty)  # A copied folder, or a process that still runs.
    rows = RunFolder(tmp_path).rows()
    assert [(row.name, row.key) for row in rows] == [("a", "whole")] * 3 + [("b", "kept")]
    assert [score.mean for score in summarise(rows)] == [2.0, 3.5, 2.0]
    assert {finished[2] for finished in RunFolder(tmp_path).finished()} == {"whole", "kept"}
    # Back again: the same pixels have the same results.
    written(tmp_path, of("faulty", 1.0, [INPUT]), "m.jsonl")
    assert {row.key for row in RunFolder(tmp_path).rows()} == {"faulty", "kept"}
    # What failed of new pixels has no result of old ones.
    written(tmp_path, [Row("s", "a", "third", "m", error="no")], "b.jsonl")
    assert [(row.name, row.error) for row in RunFolder(tmp_path).rows()] == [("a", "no"), ("b", None)]


def test_processes_that_bring_what_an_earlier_run_left_do_not_bring_it_back():
    old = rows_of("s", "m", [1.0, 2.0])
    new = [Row("s", "image1", "replaced", "m", {"psnr": 7.0})]
    repeated = [Row("s", "image1", "replaced", "m", {"psnr": 7.0}), Row("s", "image0", "key0", "m", error="no")]
    rows = merge_rows([*old, *new, *old, *repeated, *old])
    assert [(row.name, row.metrics["psnr"]) for row in rows] == [("image0", 1.0), ("image1", 7.0)]
    assert count_images([*rows, Row("s", "image0", "", "other", error="could not be read")]) == 2


def test_rows_of_earlier_versions_are_as_old_as_their_file_and_older_than_any_of_now(tmp_path):
    for number, (name, value) in enumerate((("z", 1.0), ("a", 2.0))):
        file = written(tmp_path, [Row("s", "a", f"key{value}", "m", {"psnr": value}, made_at=0.0)], f"{name}.jsonl")
        line = json.loads(file.read_text())
        del line["made_at"]
        file.write_text(json.dumps(line) + "\n")
        os.utime(file, (number, number))
    assert [row.metrics["psnr"] for row in RunFolder(tmp_path).rows()] == [2.0]
    written(tmp_path, [Row("s", "a", "new", "m", {"psnr": 3.0})], "b.jsonl")
    os.utime(tmp_path / "rows" / "b.jsonl", (0, 0))
    assert [row.metrics["psnr"] for row in RunFolder(tmp_path).rows()] == [3.0]


def test_a_folder_of_other_settings_is_refused_with_the_difference(tmp_path):
    RunFolder(tmp_path).begin({"a": {"b": (1, 2)}}, False, {})
    RunFolder(tmp_path).begin({"a": {"b": [1, 2]}}, True, {})
    with pytest.raises(ValueError, match="holds a run already: add --resume"):
        RunFolder(tmp_path).begin({"a": {"b": [1, 2]}}, False, {})
    with pytest.raises(ValueError, match=r"a.b is \[1, 2\] there and \[1, 3\] here"):
        RunFolder(tmp_path).begin({"a": {"b": [1, 3]}}, True, {})
    with pytest.raises(ValueError, match=r"a\.c is only here"):
        RunFolder(tmp_path).begin({"a": {"b": [1, 2], "c": 0}}, True, {})
    assert difference({"x": 1}, {"x": 1}) == ""
    with pytest.raises(ValueError, match="is no run folder"):
        RunFolder(tmp_path / "elsewhere").read_settings()


def test_the_interval_is_scipy_s_bootstrap():
    values = np.random.default_rng(1).normal(25, 3, size=40)
    exact = stats.bootstrap((values,), np.mean, n_resamples=9999, method="percentile", rng=0).confidence_interval
    low, high = bootstrap(list(values))
    assert low == pytest.approx(exact.low, abs=0.15)
    assert high == pytest.approx(exact.high, abs=0.15)
    assert bootstrap(list(values)) == (low, high)


@pytest.mark.parametrize("count", [3, 8])
def test_intervals_of_few_images_hold_the_truth_as_often_as_they_say(count):
    random = np.random.default_rng(0)
    held = [low <= 0 <= high for low, high in (bootstrap(list(random.normal(size=count))) for _ in range(300))]
    # 95 in 100, of 300 drawn: 91 to 98; the percentiles alone hold 74 and 86.
    assert 0.91 <= np.mean(held) <= 0.98
    # As wide as nine times their difference, that of two would say nothing.
    assert bootstrap([4.0]) == bootstrap([3.0, 5.0]) == bootstrap([3.0, 3.0, 5.0, 5.0], [0, 0, 1, 1]) == (4.0, 4.0)


def test_means_gains_and_what_is_left_out():
    rows = rows_of("a", INPUT, [10.0, 20.0, 30.0]) + rows_of("a", "m", [12.0, 23.0, 34.0])
    rows += rows_of("b", INPUT, [5.0]) + rows_of("b", "m", [None], not_finite={"psnr": "inf"})
    rows.append(Row("b", "broken", "k", "m", error="no"))
    scores = {(score.suite, score.restorer): score for score in summarise(rows)}
    own = scores["a", "m"]
    assert (own.mean, own.gain, own.count, own.not_finite) == (23.0, 3.0, 3, 0)
    # Gains of 2, 3 and 4: with Student's t of three images 3 - 2.48 to 3 + 2.48, had the mean a normal distribution.
    assert own.gain_low == pytest.approx(0.5, abs=0.5)
    assert own.gain_high == pytest.approx(5.5, abs=0.5)
    assert scores["a", INPUT].gain is None
    assert (scores["b", "m"].count, scores["b", "m"].not_finite) == (0, 1)
    overall = scores[OVERALL, "m"]
    assert (overall.mean, overall.count, overall.not_finite) == (23.0, 3, 1)
    assert scores[OVERALL, INPUT].mean == 16.25


def test_tables_say_the_same_in_every_format():
    rows = rows_of("a_b", INPUT, [10.0, 20.0, 15.0]) + rows_of("a_b", "m", [12.0, 24.0, 18.0], seconds=2.0)
    scores = summarise(rows)
    table = list(csv.DictReader(io.StringIO(to_csv(scores))))
    assert [(line["restorer"], float(line["mean"])) for line in table] == [(INPUT, 15.0), ("m", 18.0)]
    assert "| m | 3 | 18.00 [1.87, 34.13] |" in to_markdown(scores)
    assert r"m & 3 & 18.00 [1.87, 34.13] \\" in to_latex(scores)
    assert "| m | 3 | +3.00 [+0.31, +5.69] |" in to_markdown(scores)
    assert seconds_of(rows) == {"m": 2.0}
    assert json.loads(json.dumps(table))


def test_the_overall_interval_knows_that_suites_share_their_images():
    covered = 0
    for trial in range(60):
        random = np.random.default_rng(trial)
        images = random.normal(25, 3, size=12)
        rows = [
            Row(f"suite{suite}", f"image{n}", f"key{n}", "m", {"psnr": float(level + random.normal(0, 1))})
            for suite in range(10)
            for n, level in enumerate(images)
        ]
        overall = next(score for score in summarise(rows) if score.suite == OVERALL)
        covered += overall.low <= 25 <= overall.high
    # 95 % nominal; the percentile interval of twelve images is a little narrow. Row by row it would be a third.
    assert covered >= 50


def test_a_measure_that_is_never_finite_is_a_flagged_score():
    rows = rows_of("s", "m", [None, None], not_finite={"psnr": "inf"})
    [score] = summarise(rows)
    assert (score.count, score.not_finite) == (0, 2)
    assert "- (2 not finite)" in to_markdown([score])
    assert "(2 not finite)" in to_latex([score])


def test_lower_is_better_where_it_is():
    rows = rows_of("s", "m", [0.1, 0.5, 0.3])
    ranked = {label: row.metrics["psnr"] for label, row in best_median_worst(rows, "s", "m", "psnr", False)}
    assert ranked == {"best": 0.1, "median": 0.3, "worst": 0.5}
    scores = summarise(rows + rows_of("s", "tool", [0.6, 0.7, 0.8]))
    table = overview(scores, "psnr", {"higher_is_better": {"psnr": False}, "baselines": ["tool"]})
    assert list(table.columns[1].cells) == ["[bold]0.30[/]"]
    assert list(table.columns[2].cells) == ["tool 0.70"]


def test_whoever_fails_on_the_hard_image_is_never_the_best():
    rows = rows_of("s", INPUT, [28.0, 10.0]) + rows_of("s", "z", [29.0, 21.0])
    rows += [*rows_of("s", "a", [29.5]), Row("s", "image1", "key1", "a", error="no")]
    scores = summarise(rows)
    assert {(score.restorer, score.count, score.images, score.missing) for score in scores} == {
        (INPUT, 2, 2, 0),
        ("z", 2, 2, 0),
        ("a", 1, 2, 1),
    }
    for baselines in ([], ["z", "a"]):
        table = overview(scores, "psnr", {"baselines": baselines})
        cells = [next(iter(column.cells)) for column in table.columns[1:]]
        assert cells == (["19.00", "z [bold]25.00[/]"] if baselines else ["19.00", "[bold]25.00[/]", "29.50 (1 of 2)"])
    _, lines = sortable(scores, "s", {"psnr": True})
    assert [(line[0].text, line[2].text, line[2].is_best, line[2].is_last) for line in lines] == [
        (INPUT, "19.00", False, False),
        ("z", "25.00", True, False),
        ("a", "29.50 (1 of 2)", False, True),
    ]
    assert gains(scores, "psnr") == (["", "z", "a"], [["s", "+6.00", "+1.50 (1 of 2)"]])
    assert to_markdown(scores).index("| z | 2") < to_markdown(scores).index("| a | 1 | 29.50 (1 of 2) |")
    # Where every method failed somewhere, none is the best, nor is the input; where nobody did, the best is.
    alone = summarise([row for row in rows if row.restorer != "z"])
    assert not any(cell.is_best for line in sortable(alone, "s", {})[1] for cell in line)
    assert "[bold]" not in str([list(column.cells) for column in overview(alone, "psnr", {}).columns])


def test_an_infinite_number_is_no_failure_and_beats_no_mean_that_leaves_it_out():
    rows = rows_of("s", "perfect", [30.0]) + rows_of("s", "usual", [31.0, 32.0])
    rows.append(Row("s", "image1", "key1", "perfect", {"psnr": None}, {"psnr": "inf"}))
    perfect, usual = summarise(rows)
    assert (perfect.missing, usual.missing) == (0, 0)
    assert "| perfect | 1 | 30.00 (1 not finite) |" in to_markdown([perfect, usual])
    assert not any(line[2].is_best for line in sortable([perfect, usual], "s", {})[1])


def test_shares_have_three_digits_wherever_they_are_shown():
    rows = [
        Row("s", f"image{n}", f"key{n}", restorer, {"ssim": value})
        for restorer, value in ((INPUT, 0.9), ("a", 0.901), ("b", 0.902))
        for n in range(2)
    ]
    scores = summarise(rows)
    cells = [next(iter(column.cells)) for column in overview(scores, "ssim", {}).columns[1:]]
    assert cells == ["0.900", "0.901", "[bold]0.902[/]"]
    assert gains(scores, "ssim")[1] == [["s", "+0.001", "+0.002"]]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([3.0], {"best": 3.0}),
        ([3.0, 1.0], {"best": 3.0, "worst": 1.0}),
        ([3.0, 1.0, 2.0], {"best": 3.0, "median": 2.0, "worst": 1.0}),
        ([3.0, 1.0, 2.0, 4.0], {"best": 4.0, "median": 3.0, "worst": 1.0}),
    ],
)
def test_few_pictures_are_called_what_they_are(values, labels):
    picked = best_median_worst(rows_of("s", "m", values), "s", "m", "psnr")
    assert {label: row.metrics["psnr"] for label, row in picked} == labels


def test_going_on_with_other_software_is_written_down(tmp_path):
    for commit in ("a", "b", "b", "a"):
        RunFolder(tmp_path).begin({"x": 1}, True, {"software": {"commit": commit}})
    content = RunFolder(tmp_path).read_settings()
    assert content["information"]["software"] == {"commit": "a"}
    assert content["continued"] == [{"software": {"commit": "b"}}]


@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"settings": {}}'])
def test_a_file_of_another_kind_is_no_run(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError, match=r"is no run folder: it has no readable run\.json"):
        RunFolder(tmp_path).read_settings()
