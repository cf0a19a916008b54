"""`ldrps test`: suites and pairs, several methods, killed and resumed, split over processes, reported, tracked."""

import csv
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from skimage import data as skimage_data
from skimage.metrics import peak_signal_noise_ratio

from ldrps.callbacks import tracking
from ldrps.cli import main
from ldrps.commands.test import Test as Options
from ldrps.configuration.comparing import comparison
from ldrps.metrics.base import Metric
from tests.builders import Stubborn  # noqa: F401 (named in a configuration below)
from tests.wandb_files import config_and_history

QUICK = ("--device", "cpu", "--trainer.enable_progress_bar", "false")


@pytest.fixture
def clean(tmp_path):
    """Three real pictures of different sizes, one in a sub-folder."""
    folder = tmp_path / "clean"
    (folder / "more").mkdir(parents=True)
    Image.fromarray(skimage_data.cat()).resize((60, 44)).save(folder / "cat.png")
    Image.fromarray(skimage_data.astronaut()).resize((44, 44)).save(folder / "astronaut.png")
    Image.fromarray(skimage_data.coffee()).resize((60, 44)).save(folder / "more" / "coffee.png")
    return folder


@pytest.fixture
def run_test(capfd):
    def run(*arguments):
        code = main(["test", *map(str, arguments), *QUICK])
        return code, capfd.readouterr()

    return run


@pytest.fixture
def micro(micro_folder):
    return ("--model.backbone.path", str(micro_folder), "--model.sampling.num_inference_steps", "3")


def table(run):
    """Everything but seconds: what must not depend on how a run went."""
    return (run / "tables.csv").read_text()


def rows(run):
    return [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]


BASELINES = ("--config", "baselines", "--no-baselines")


def test_suites_become_tables_grids_and_a_report(run_test, clean, micro, tmp_path):
    run = tmp_path / "run"
    code, printed = run_test("--suite", "noise_25", "grey", "--clean", clean, "--output", run, *micro, "--limit", 2)
    assert code == 0
    assert "refined" in printed.out
    assert "lpips is not available: needs torchvision" in printed.out
    assert "Traceback" not in printed.err
    written = rows(run)
    methods = {
        "input",
        "refined",
        "bicubic",
        "biharmonic",
        "dark_channel",
        "gain",
        "gamma",
        "non_local_means",
        "stretch",
        "total_variation",
    }
    assert len(written) == 2 * 2 * 10
    assert {row["restorer"] for row in written} == methods
    scores = list(csv.DictReader((run / "tables.csv").open()))
    assert {row["suite"] for row in scores} == {"noise_25", "grey", "overall"}
    for name in (
        "tables.md",
        "tables.tex",
        "quality_against_seconds.png",
        "trajectories/refined.jpg",
        "ldrps.config.yaml",
    ):
        assert (run / name).stat().st_size > 0
    assert Image.open(run / "grids" / "noise_25.refined.png").size[0] > 3 * 44
    settings = json.loads((run / "run.json").read_text())
    assert len(settings["settings"]["restorers"]["refined"]["weights_sha256"]) == 64
    assert "torchmetrics" in settings["settings"]["metrics"]["psnr"]
    # The degraded picture's score, recomputed from the files.
    row = next(row for row in written if (row["suite"], row["name"], row["restorer"]) == ("grey", "cat", "input"))
    photo = np.asarray(Image.open(clean / "cat.png"))
    luma = np.repeat((photo @ [0.299, 0.587, 0.114]).round()[..., None], 3, axis=2).clip(0, 255)
    assert row["metrics"]["psnr"] == pytest.approx(peak_signal_noise_ratio(photo, luma.astype(np.uint8)), abs=0.1)


def test_pairs_are_scored(run_test, pairs_folder, tmp_path):
    run = tmp_path / "run"
    assert run_test("--pairs", pairs_folder, "--output", run, *BASELINES)[0] == 0
    for row in rows(run):
        if row["restorer"] == "input":
            pair = [np.asarray(Image.open(pairs_folder / kind / f"{row['name']}.png")) for kind in ("input", "target")]
            assert row["metrics"]["psnr"] == pytest.approx(peak_signal_noise_ratio(pair[1], pair[0]), abs=1e-3)
    assert {row["suite"] for row in rows(run)} == {"pairs"}


def test_several_methods_share_one_table_and_protocols_choose_the_measures(
    run_test, clean, micro, micro_folder, tmp_path
):
    other = tmp_path / "strong.yaml"
    settings = yaml.safe_load((Path(__file__).parents[2] / "configs" / "restore" / "blind.yaml").read_text())
    settings["model"]["init_args"]["output"] = "modules.outputs.decoded.Decoded"
    other.write_text(yaml.safe_dump(settings))
    run = tmp_path / "run"
    chosen = ("--config", "blind", "--config", other, "--no-baselines", "--protocol", "ir_sde")
    assert run_test("-s", "noise_25", "--clean", clean, "--output", run, *chosen, *micro)[0] == 0
    assert {row["restorer"] for row in rows(run)} == {"input", "blind", "strong"}
    measured = rows(run)[0]["metrics"]
    assert list(measured) == ["psnr_crop4", "ssim_crop4", "psnr_y_crop4", "ssim_y_crop4"]
    differ = {row["restorer"]: row["metrics"]["psnr_crop4"] for row in rows(run) if row["name"] == "cat"}
    assert differ["blind"] != differ["strong"]


def killed_at_random(arguments, run, moment):
    """Run the command in a fork of this process; kill it with signal 9 after some new rows, or before any."""

    def written():
        return sum(file.stat().st_size for file in (run / "rows").glob("*")) if (run / "rows").is_dir() else 0

    def child():
        torch.set_num_threads(1)
        os._exit(main(arguments))

    before = written()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    if moment.random() < 0.6:
        deadline = time.monotonic() + 60
        while process.is_alive() and written() == before and time.monotonic() < deadline:
            time.sleep(0.001)
    time.sleep(moment.uniform(0, 0.3))
    was_running = process.is_alive()
    if was_running:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return was_running


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_killed_twenty_times_the_table_is_that_of_an_undisturbed_run(run_test, clean, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    suites = ("noise_15", "noise_25", "noise_50", "haze", "wild_medium", "snow", "rain", "jpeg_10", "defocus", "grey")
    task = ("--suite", *suites, "--clean", clean, *BASELINES)
    assert run_test(*task, "--output", undisturbed)[0] == 0
    moment = random.Random(0)
    kills = 0
    for _ in range(20):
        arguments = ["test", *map(str, task), "--output", str(disturbed), "--resume", *QUICK]
        kills += killed_at_random(arguments, disturbed, moment)
    assert kills >= 15
    assert not (disturbed / "tables.csv").exists() or table(disturbed) == table(undisturbed)
    assert run_test(*task, "--output", disturbed, "--resume")[0] == 0
    assert table(disturbed) == table(undisturbed)
    assert len(list((disturbed / "rows").iterdir())) >= 5


def test_a_finished_run_restores_nothing_again(run_test, clean, tmp_path):
    run = tmp_path / "run"
    task = ("-s", "noise_25", "--clean", clean, "--output", run, *BASELINES)
    assert run_test(*task)[0] == 0
    before = table(run), rows(run)
    assert run_test(*task, "--resume")[0] == 0
    assert (table(run), rows(run)) == before
    assert len(list((run / "rows").iterdir())) == 1
    (clean / "cat.png").unlink()
    Image.fromarray(skimage_data.rocket()).resize((60, 44)).save(clean / "cat.png")
    assert run_test(*task, "--resume")[0] == 0
    assert len({row["key"] for row in rows(run) if row["name"] == "cat"}) == 1


def test_shards_of_two_machines_are_one_run(run_test, clean, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    task = ("-s", "noise_25", "haze", "--clean", clean, *BASELINES)
    assert run_test(*task, "--output", whole)[0] == 0
    for shard in ("0/2", "1/2"):
        assert run_test(*task, "--output", parts, "--shard", shard, "--resume")[0] == 0
    assert table(parts) == table(whole)


def test_two_processes_count_every_image_once(run_test, clean, tmp_path):
    alone, both = tmp_path / "alone", tmp_path / "both"
    task = ["-s", "noise_25", "--clean", str(clean), *BASELINES]
    assert run_test(*task, "--output", alone)[0] == 0
    command = [sys.executable, "-m", "ldrps.cli", "test", *task, "--output", str(both), *QUICK]
    distributed = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.num_nodes", "1"]
    done = subprocess.run([*command, *distributed], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    files = list((both / "rows").iterdir())
    counts = [len(file.read_text().splitlines()) for file in files]
    assert len(files) == 2
    assert sum(counts) == len(rows(alone))
    assert table(both) == table(alone)


def test_a_failure_in_the_second_process_fails_the_run(clean, tmp_path):
    (clean / "bad.png").write_text("hello")  # The second of four: it belongs to the second process.
    run = tmp_path / "run"
    command = [sys.executable, "-m", "ldrps.cli", "test", "-s", "noise_25", "--clean", str(clean), *BASELINES]
    command += ["--output", str(run), *QUICK, "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "bad.png is not a picture" in done.stderr
    assert "Traceback" not in done.stderr
    assert {row["name"] for row in rows(run) if row["error"]} == {"bad"}
    assert (run / "report.html").exists()
    again = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 2
    assert "holds a run already" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_run_leaves_its_process_group_however_it_ends(run_test, clean, tmp_path):
    # A group that is left to the end of the interpreter aborts some processes, whose code then is not ours.
    task = ("-s", "noise_25", "--clean", clean, "--output", tmp_path / "run", *BASELINES, "--trainer.strategy", "ddp")
    assert run_test(*task, "--trainer.devices", "1")[0] == 0
    assert not torch.distributed.is_initialized()
    assert run_test(*task, "--trainer.devices", "1")[0] == 2
    assert not torch.distributed.is_initialized()


def test_one_failing_image_is_a_row_and_the_run_goes_on(run_test, clean, tmp_path):
    config = tmp_path / "stubborn.yaml"
    config.write_text("model: {class_path: tests.builders.Stubborn}")
    (clean / "bad.png").write_text("hello")
    run = tmp_path / "run"
    code, printed = run_test("-s", "noise_15", "--clean", clean, "--output", run, "--config", config, "--no-baselines")
    assert code == 1
    failed = {row["name"]: row["error"] for row in rows(run) if row["error"] is not None}
    assert failed.keys() == {"astronaut", "bad"}
    assert failed["astronaut"] == "KeyError: 'squares are beneath me'"
    assert "is not a picture" in failed["bad"]
    assert "astronaut" in printed.err
    assert len([row for row in rows(run) if row["error"] is None and row["restorer"] == "stubborn"]) == 2
    # Once the file is whole, --resume finishes what failed for good reason.
    Image.fromarray(skimage_data.rocket()).resize((60, 44)).save(clean / "bad.png")
    task = ("-s", "noise_15", "--clean", clean, "--output", run, "--config", config, "--no-baselines", "--resume")
    assert run_test(*task)[0] == 1
    assert {row["name"] for row in rows(run) if row["error"] is not None} == {"astronaut"}


def test_a_setting_is_for_the_methods_that_know_it(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("model: {class_path: tests.builders.Stubborn}")
    made = comparison([str(mine), "blind"], ["--model.prior=null"], with_baselines=True)["init_args"]["restorers"]
    assert made["blind"]["init_args"]["prior"]["class_path"] == "modules.priors.null.Null"
    assert "prior" not in made["mine"].get("init_args", {})
    with pytest.raises(ValueError, match="has no effect with Stubborn"):
        comparison([str(mine)], ["--model.prior=null"], with_baselines=True)


class Moody(Metric):
    """Fails until somebody mends it."""

    is_mended = False

    def measure(self, preds, target):
        if not self.is_mended:
            raise KeyError("no weights")
        return (preds - target).abs().mean(dim=(1, 2, 3))


def test_a_measure_that_fails_is_told_and_measured_again_once_it_is_mended(run_test, clean, tmp_path, monkeypatch):
    protocol = tmp_path / "mine.yaml"
    protocol.write_text(
        "results: {metrics: [ldrps.metrics.fidelity.PSNR, tests.cli.test_test.Moody]}\ndata: {init_args: {crop_px: 32}}"
    )
    run = tmp_path / "run"
    task = ("-s", "noise_15", "--clean", clean, "--output", run, "--protocol", protocol, *BASELINES)
    code, printed = run_test(*task)
    assert code == 1
    count = len(rows(run))
    assert f"measure moody failed for {count} of {count} results, KeyError: 'no weights'" in printed.err
    assert "not finite" not in printed.out
    monkeypatch.setattr(Moody, "is_mended", True)
    assert run_test(*task, "--resume")[0] == 0
    assert all(row["metrics"]["moody"] is not None for row in rows(run))


def test_numbers_that_are_not_finite_are_flagged_and_left_out(run_test, clean, tmp_path):
    # Maybe-nothing damage: an image that is left alone has an infinite PSNR.
    suite = tmp_path / "sometimes.yaml"
    suite.write_text(
        "degradation: {class_path: degradations.pipeline.Maybe, init_args: {probability: 0.5, degradation: "
        "{class_path: degradations.light.grey.Grey}}}"
    )
    run = tmp_path / "run"
    assert run_test("-s", suite, "--clean", clean, "--output", run, *BASELINES, "--seed", 1)[0] == 0
    untouched = [row for row in rows(run) if row["not_finite"].get("psnr") == "inf" and row["restorer"] == "input"]
    assert 0 < len(untouched) < 3
    assert untouched[0]["metrics"]["psnr"] is None
    [score] = [
        score
        for score in csv.DictReader((run / "tables.csv").open())
        if (score["restorer"], score["metric"]) == ("input", "psnr")
    ]
    assert int(score["not_finite"]) == len(untouched)
    assert int(score["count"]) == 3 - len(untouched)
    assert float(score["mean"]) < 60


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_a_full_disk_is_one_sentence_and_keeps_the_rows(clean, tmp_path):
    run, errors = tmp_path / "run", tmp_path / "errors"

    def child():
        torch.set_num_threads(1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        task = ["-s", "noise_15", "haze", "--clean", str(clean), "--output", str(run), *BASELINES]
        with errors.open("w") as sys.stderr:
            code = main(["test", *task, *QUICK, "--results.pictures", "false"])
        os._exit(code)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(120)
    process.kill()
    assert process.exitcode == 1
    assert "ldrps: the disk is full" in errors.read_text()
    assert "Traceback" not in errors.read_text()
    assert main(["report", str(run)]) == 0
    assert len(rows(run)) > 0


def test_wrong_use_is_one_sentence(run_test, clean, pairs_folder, tmp_path):
    run, named = tmp_path / "run", tmp_path / "input.yaml"
    named.write_text("model: {class_path: ldrps.methods.baselines.gamma.Gamma}")
    differs = tmp_path / "mine.yaml"
    differs.write_text("model: {init_args: {seed: 3}}")
    for arguments, sentence in (
        (("--clean", clean, "--output", run), "--clean needs --suite NAME"),
        (("--pairs", pairs_folder, "-s", "haze", "--output", run), "leave --suite out"),
        (("--pairs", pairs_folder, "--output", run, "--limit", 0, *BASELINES), "limit=0 must be at least 1"),
        (
            ("--pairs", pairs_folder, "--output", run, "--config", "blind", "--config", differs),
            "begins with `inherits: blind`",
        ),
        (("--config", "blind"), "add --pairs FOLDER, or --clean PHOTOS with --suite NAME"),
        (("--clean", clean, "-s", "hase", "--output", run, *BASELINES), "did you mean 'haze'"),
        (("--clean", tmp_path / "no", "-s", "haze", "--output", run, *BASELINES), "does not exist"),
        (("--clean", clean, "-s", "haze", "--output", run, "--config", "blnd"), "neither a file nor a preset"),
        (("--clean", clean, "-s", "haze", "--output", run, "--protocol", "mine"), "neither a file nor a preset"),
        (("--clean", clean, "-s", "haze", "--output", run, "--shard", "2/2", *BASELINES), "shard='2/2' must be i/n"),
        (("--clean", clean, "-s", "haze", "--output", run, "--limit", 0, *BASELINES), "limit=0 must be at least 1"),
        (
            ("--clean", clean, "-s", "haze", "--output", run, "--config", named, "--no-baselines"),
            "cannot be called 'input'",
        ),
    ):
        code, printed = run_test(*arguments)
        assert code == 2, arguments
        assert sentence in printed.err
        assert not (run / "run.json").exists()
    assert main(["report", str(tmp_path)]) == 2


def test_pairs_in_folders_of_other_names(run_test, pairs_folder, tmp_path):
    (pairs_folder / "input").rename(pairs_folder / "low")
    (pairs_folder / "target").rename(pairs_folder / "high")
    code, printed = run_test("--pairs", pairs_folder, "--output", tmp_path / "run", *BASELINES)
    assert code == 2
    named = ("--data.input_name", "low", "--data.target_name", "high")
    assert " ".join(named) in printed.err
    assert run_test("--pairs", pairs_folder, "--output", tmp_path / "run", *BASELINES, *named, "--limit", 1)[0] == 0
    assert len({row["name"] for row in rows(tmp_path / "run")}) == 1


def test_pairs_under_other_names(run_test, pairs_folder, tmp_path):
    for folder, before in (("input", "low"), ("target", "normal")):
        for file in list((pairs_folder / folder).iterdir()):
            file.rename(file.with_name(f"{before}0{file.name}"))
    task = ("--pairs", pairs_folder, "--output", tmp_path / "run", *BASELINES)
    code, printed = run_test(*task)
    assert code == 2
    named = ("--data.input_pattern", "low*", "--data.target_pattern", "normal*")
    assert "--data.input_pattern 'low*' --data.target_pattern 'normal*'" in printed.err
    assert run_test(*task, *named)[0] == 0
    assert {row["name"] for row in rows(tmp_path / "run")} == {"00", "01"}
    code, printed = run_test(*task[:2], "--output", tmp_path / "other", *BASELINES, "--data.input_pattern", "dark*")
    assert code == 2
    assert "low00.png is not called 'dark*': give another pattern" in printed.err
    code, printed = run_test(*task[:2], "--output", tmp_path / "other", *BASELINES, "--data.input_pattern", "dark")
    assert code == 2
    assert "input_pattern='dark' must hold one *" in printed.err


@pytest.mark.parametrize("given", [("--prior", "null"), ("--prompt", "a cat: black")])
def test_a_prior_is_that_of_every_method(given):
    options = Options(pairs="x", output="run", config=["blind", "best"], **{given[0][2:]: given[1]})
    settings, changes = options.with_changes([])
    assert changes == []
    restorers = settings()["model"]["init_args"]["restorers"]
    for name in ("blind", "best"):
        prior = restorers[name]["init_args"]["prior"]
        assert prior["class_path"].endswith("Null" if given[0] == "--prior" else "Text")
        assert given[0] == "--prior" or prior["init_args"]["prompt"] == given[1]


@pytest.mark.parametrize("trouble", ["unmatched", "no_target", "size", "doubled"])
def test_pairs_that_do_not_match_are_named(run_test, pairs_folder, tmp_path, trouble):
    if trouble == "unmatched":
        (pairs_folder / "target" / "1.png").unlink()
    elif trouble == "no_target":
        (pairs_folder / "target").rename(pairs_folder / "elsewhere")
    elif trouble == "doubled":
        shutil.copy(pairs_folder / "input" / "1.png", pairs_folder / "input" / "1.jpg")
    else:
        Image.new("RGB", (9, 9)).save(pairs_folder / "target" / "1.png")
    code, printed = run_test("--pairs", pairs_folder, "--output", tmp_path / "run", *BASELINES)
    expected = {"unmatched": "not in both", "no_target": "is missing", "size": "is 32 x 32 pixels but its target"}
    expected["doubled"] = "several files called '1'"
    assert expected[trouble] in printed.err
    assert code == (1 if trouble == "size" else 2)


def test_lightning_s_own_verb_still_works(pairs_folder, micro_folder, tmp_path, capfd):
    arguments = [
        "test",
        "--config",
        "blind",
        "--model.backbone.path",
        str(micro_folder),
        "--trainer.accelerator",
        "cpu",
    ]
    arguments += ["--model.sampling.num_inference_steps", "3", "--data.folder", str(pairs_folder)]
    assert main([*arguments, "--results.output", str(tmp_path / "run")]) == 0
    assert {row["restorer"] for row in rows(tmp_path / "run")} == {"input", "ldrps"}
    assert main(arguments) == 0
    assert "psnr" in capfd.readouterr().out


def test_the_report_is_one_page_without_the_network(run_test, clean, tmp_path):
    run = tmp_path / "run"
    assert run_test("-s", "noise_25", "haze", "--clean", clean, "--output", run, *BASELINES)[0] == 0
    page = (run / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert page.count('<script type="text/plain"') >= 2 * 6 * 2
    for text in ("noise_25", "non_local_means", "torchmetrics", "Peak memory", "&#34;crop_px&#34;: null", "best"):
        assert text in page
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").read_bytes() == before


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_the_sliders_of_the_report_work_in_a_browser(run_test, clean, tmp_path):
    run = tmp_path / "run"
    assert run_test("-s", "grey", "--clean", clean, "--output", run, *BASELINES)[0] == 0
    script = """<script>addEventListener("load", async () => {
        const range = document.querySelector("input[type=range]"); range.value = 20; range.oninput();
        document.querySelector("#forth").click();
        document.querySelector("table.sortable th:nth-child(3) button").click();
        const sorted = [...document.querySelectorAll("table.sortable")[0].tBodies[0].rows];
        const means = sorted.map(row => Number(row.cells[2].dataset.value));
        document.querySelector("#zoom").value = "4"; document.querySelector("#zoom").onchange();
        const pictures = [...document.querySelectorAll("#stage img")];
        await Promise.all(pictures.map(picture => picture.decode()));
        document.title = [
            range.parentElement.style.getPropertyValue("--cut"),
            Math.min(...pictures.map(picture => picture.naturalWidth)),
            means.every((mean, index) => !index || mean <= means[index - 1]),
            document.querySelector("#image").value,
            document.querySelector("#stage .slider").offsetWidth / pictures[0].naturalWidth,
        ].join(" ");
    });</script>"""
    page = (run / "report.html").read_text().replace("</body>", f"{script}</body>")
    (run / "probe.html").write_text(page)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    command = [
        "chromium",
        *flags,
        "--virtual-time-budget=3000",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        (run / "probe.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    [title] = re.findall(r"<title>(.*?)</title>", done.stdout)
    cut, smallest, *others = title.split()
    assert cut == "20%"
    assert int(smallest) > 20
    assert others == ["true", "1", "4"]


def test_a_run_is_tracked_offline_and_can_be_read_back(run_test, clean, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    # W&B writes from a process of its own, which was once seen to end before it had written anything: a second run
    # tells that from a run that logs nothing.
    for run in (tmp_path / "first", tmp_path / "second"):
        assert run_test("-s", "grey", "--clean", clean, "--output", run, *BASELINES, "--wandb", "trial")[0] == 0
        [file] = run.glob("wandb/offline-run-*/*.wandb")
        config, logged = config_and_history(file)
        if logged:
            break
    scores = {
        (score["suite"], score["restorer"], score["metric"]): float(score["mean"])
        for score in csv.DictReader((run / "tables.csv").open())
    }
    for key, mean in scores.items():
        assert json.loads(logged["/".join(key)]) == pytest.approx(mean)
    assert any(name.startswith("grids/") for name in logged)
    assert "weights_sha256" in json.dumps(config)
    assert "torchmetrics" in json.dumps(config)
    assert '\\"torch\\"' in json.dumps(config)


def test_a_tracker_that_fails_stops_nothing(run_test, clean, tmp_path, monkeypatch):
    def broken(*arguments):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tracking, "log_run", broken)
    run = tmp_path / "run"
    code, printed = run_test("-s", "grey", "--clean", clean, "--output", run, *BASELINES, "--wandb", "trial")
    assert code == 0
    assert "could not be logged to W&B (no route to host)" in printed.err
    assert (run / "report.html").exists()
