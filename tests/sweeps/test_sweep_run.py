"""`ldrps sweep run` on this machine: points, kills, failures, several workers, the table, W&B's offline files."""

import csv
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import main
from ldrps.configuration import lightning_cli
from ldrps.configuration.kept_parts import KeptParts
from ldrps.methods.restorer import Restorer
from ldrps.sweeps.records import SweepFolder
from tests.builders import Stubborn  # noqa: F401 (named in a configuration below)
from tests.wandb_files import config_and_history

WEIGHTS = {"model.weight": {"values": [0.02, 0.1, 0.3]}}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Two small real pictures."""
    folder = tmp_path_factory.mktemp("clean")
    Image.fromarray(skimage_data.cat()).resize((40, 28)).save(folder / "cat.png")
    Image.fromarray(skimage_data.astronaut()).resize((32, 32)).save(folder / "astronaut.png")
    return folder


def sweep_file(folder, parameters, restorer="ldrps.methods.baselines.total_variation.TotalVariation", **top):
    """A sweep of a simple tool on two suites, measured by PSNR alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tool.yaml").write_text(f"model: {{class_path: {restorer}}}")
    (folder / "psnr.yaml").write_text("results: {metrics: [ldrps.metrics.fidelity.PSNR]}")
    constants = {"config": str(folder / "tool.yaml"), "protocol": str(folder / "psnr.yaml")}
    constants |= {"suite": ["noise_25", "grey"]}
    all_ = {name: {"value": value} for name, value in constants.items()} | parameters
    (folder / "trial.yaml").write_text(yaml.safe_dump({"method": "grid", "parameters": all_, **top}, sort_keys=False))
    return folder / "trial.yaml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, clean):
    """A sweep of three points that ran to its table, logged to W&B's offline files."""
    folder = tmp_path_factory.mktemp("finished")
    run = folder / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        file = sweep_file(folder, WEIGHTS)
        assert main(["sweep", "run", str(file), "--clean", str(clean), "--output", str(run), "--device", "cpu"]) == 0
    return run


@pytest.fixture
def sweep(monkeypatch, capfd):
    """Run `ldrps sweep` without W&B; exit code, and what was printed."""
    monkeypatch.setenv("WANDB_MODE", "disabled")

    def run(*arguments):
        return main(["sweep", *map(str, arguments)]), capfd.readouterr()

    return run


@pytest.fixture
def forks(monkeypatch):
    """A fork starts in no time; the program starts processes anew, which cannot share a GPU's state by mistake."""
    context = multiprocessing.get_context("fork")
    monkeypatch.setattr(multiprocessing, "get_context", lambda method=None: context)
    return context


def points(run):
    return {file.parent.name: json.loads(file.read_text()) for file in run.glob("points/*/point.json")}


def rows_of(file):
    """Everything but seconds: what must not depend on how a sweep went."""
    return [{name: value for name, value in line.items() if name != "seconds"} for line in csv.DictReader(file.open())]


def test_the_table_has_means_and_differences_of_pairs(finished):
    lines = list(csv.DictReader((finished / "sweep.csv").open()))
    overall = {line["point"]: line for line in lines if line["suite"] == "overall"}
    assert list(overall) == ["weight=0.02", "weight=0.1", "weight=0.3"]
    results = {
        name: {
            (row["suite"], row["name"]): row["metrics"]["psnr"]
            for row in map(json.loads, (finished / "points" / name / "results.jsonl").read_text().splitlines())
            if row["restorer"] == "tool"
        }
        for name in points(finished)
    }
    base, other = (
        next(own for name, own in results.items() if name.startswith(start)) for start in ("weight=0.02", "weight=0.3")
    )
    gains = [other[pair] - base[pair] for pair in base]
    assert float(overall["weight=0.3"]["gain"]) == pytest.approx(sum(gains) / 4)
    # Two images have no interval, under however many suites.
    ends = [float(overall["weight=0.3"][f"gain_{end}"]) for end in ("low", "high")]
    assert ends == pytest.approx([sum(gains) / 4] * 2)
    assert float(overall["weight=0.02"]["gain"]) == 0
    text = (finished / "sweep.md").read_text()
    assert f"| 3 | 0.3 | 4 | {float(overall['weight=0.3']['mean']):.2f} | {sum(gains) / 4:+.2f} |" in text
    assert "|  | degraded | 4 | " in text
    assert r"\toprule" in (finished / "sweep.tex").read_text()
    assert Image.open(finished / "sweep.png").size[0] > 500


def test_the_page_shows_every_point_beside_the_baseline_without_the_network(finished):
    page = (finished / "sweep.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    for number, label in enumerate(("weight=0.02", "weight=0.1", "weight=0.3"), 1):
        assert f"#{number} {label}" in page
    assert page.count('class="slider"') == 3 * 2
    assert page.count('<span class="tag left">#1</span>') == 2 * 2
    assert page.count('<span class="tag left">the input</span>') == 2
    assert page.count("data:image/png") == 1


def test_w_b_s_offline_files_hold_each_point_s_config_and_measures(finished):
    for name, record in points(finished).items():
        # W&B's own process was once seen to end before it had written: then there is a directory without a file.
        [file] = (finished / "points" / name).glob("wandb/offline-run-*/*.wandb")
        config, logged = config_and_history(file)
        assert json.loads(config["model.weight"]) == record["chosen"]["model.weight"]
        assert json.loads(config["suite"]) == ["noise_25", "grey"]
        assert json.loads(logged["overall/psnr"]) == pytest.approx(record["measures"]["overall/psnr"])
        assert json.loads(logged["noise_25/tool/psnr"]) == pytest.approx(record["measures"]["noise_25/psnr"])


def test_another_baseline_and_several_folders(finished, sweep, tmp_path):
    shutil.copytree(finished, tmp_path / "other")
    shutil.rmtree(next((tmp_path / "other" / "points").glob("weight=0.02*")))
    arguments = ("table", tmp_path / "other", finished, "--output", tmp_path / "table", "--baseline", "0.3")
    code, printed = sweep(*arguments)
    assert code == 0
    assert "psnr to #3" in printed.out
    lines = [line for line in csv.DictReader((tmp_path / "table" / "sweep.csv").open()) if line["suite"] == "overall"]
    assert [float(line["gain"]) == 0 for line in lines] == [False, False, True]
    for wrong, sentence in (
        (("--baseline", "weight"), "3 points are called 'weight'"),
        (("--metric", "lpips"), "no measure is called 'lpips'; there are psnr"),
    ):
        code, printed = sweep("table", finished, "--output", tmp_path / "table", *wrong)
        assert (code, printed.err.count("\n")) == (2, 1)
        assert sentence in printed.err


def test_finished_points_are_passed_over_and_folders_of_others_are_refused(finished, sweep, clean, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    before = points(tmp_path / "run")
    code, printed = sweep("run", tmp_path / "run")
    assert code == 0
    assert "set up" not in printed.out
    assert points(tmp_path / "run") == before
    other = sweep_file(tmp_path / "file", {"model.weight": {"values": [0.5]}})
    code, printed = sweep("run", other, "--clean", clean, "--output", tmp_path / "run")
    assert code == 2
    assert "holds another sweep, parameters." in printed.err
    code, printed = sweep("run", other, "--clean", clean, "--output", next((tmp_path / "run" / "points").iterdir()))
    assert code == 2
    assert "holds a run of `ldrps test`, not a sweep" in printed.err
    code, printed = sweep("run", other, "--model.weight", "1", "--output", tmp_path / "new")
    assert code == 2
    assert "model.weight is varied by the sweep" in printed.err
    code, printed = sweep("table", tmp_path)
    assert code == 2
    assert "is no folder of a sweep" in printed.err


def child(arguments):
    """What a fork of this process runs."""
    torch.set_num_threads(1)
    os._exit(main(arguments))


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_killed_twice_with_two_workers_the_table_is_that_of_an_undisturbed_sweep(sweep, clean, tmp_path, capfd):
    file = sweep_file(tmp_path, {"model.weight": {"values": [0.02, 0.3]}, "seed": {"values": [0, 1]}})
    whole = ["sweep", "run", str(file), "--clean", str(clean), "--device", "cpu", "--output"]
    assert sweep(*whole[1:], tmp_path / "whole")[0] == 0
    run = tmp_path / "killed"
    for number in (1, 2):
        workers = [
            multiprocessing.get_context("fork").Process(target=child, args=([*whole, str(run)],)) for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        deadline = time.monotonic() + 120
        while sum(own["state"] == "done" for own in points(run).values()) < number and time.monotonic() < deadline:
            time.sleep(0.01)
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
    killed = points(run)
    done = sum(own["state"] == "done" for own in killed.values())
    assert number <= done < 4
    capfd.readouterr()
    code, printed = sweep("run", run)
    assert code == 0
    # What was done is not done again.
    assert printed.out.count("set up") == 4 - done
    assert rows_of(run / "sweep.csv") == rows_of(tmp_path / "whole" / "sweep.csv")
    folder = SweepFolder(run)
    point = folder.read().point(next(iter(killed.values()))["chosen"])
    lock = folder.claim(point)
    assert folder.claim(point) is None
    lock.release()


def test_a_failing_point_costs_itself_only_and_is_run_again_on_request(sweep, clean, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(clean, photos)
    file = sweep_file(tmp_path, {"limit": {"values": [1, 2]}}, "tests.builders.Stubborn")
    code, printed = sweep("run", file, "--clean", photos, "--output", tmp_path / "run", "--device", "cpu")
    assert code == 1
    assert "limit=1: failed, 2 of 2 images failed" in printed.out
    assert "limit=2: failed, 2 of 4 images failed" in printed.out
    assert "2 (2 failed)" in (tmp_path / "run" / "sweep.md").read_text()
    assert "squares are beneath me" in printed.err
    assert "--retry-failed" in printed.err
    assert {own["state"] for own in points(tmp_path / "run").values()} == {"failed"}
    assert sweep("run", tmp_path / "run")[1].out.count("set up") == 0
    Image.fromarray(skimage_data.astronaut()).resize((36, 32)).save(photos / "astronaut.png")
    code, printed = sweep("run", tmp_path / "run", "--retry-failed")
    assert code == 0
    assert "2 points that failed are run again" in printed.out
    assert {own["state"] for own in points(tmp_path / "run").values()} == {"done"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_several_workers_share_a_sweep_and_have_processes_that_read_ahead(sweep, clean, tmp_path, forks):
    file = sweep_file(tmp_path, WEIGHTS)
    arguments = ("--output", tmp_path / "run", "--workers", "2", "--device", "cpu", "--data.num_workers", "1")
    code, _ = sweep("run", file, "--clean", clean, *arguments)
    assert code == 0
    assert [own["state"] for own in points(tmp_path / "run").values()] == ["done"] * 3


def test_parts_that_stay_loaded_change_nothing(clean, micro_folder, tmp_path):
    from ldrps.commands.sweeping import point_maker

    make_run, parts, seen = point_maker("cpu"), KeptParts(), {}
    protocol = sweep_file(tmp_path, WEIGHTS).with_name("psnr.yaml")
    constants = {"clean": [str(clean)], "suite": ["low_light"], "protocol": str(protocol)}
    constants["model.backbone.path"] = str(micro_folder)
    constants["model.output"] = "modules.outputs.wiener.Wiener"
    for kept, order in ((parts, (0, 1)), (None, (1,))):
        for number, refinements in enumerate(order):
            folder = tmp_path / f"{kept is None}{number}"
            settings, changes = make_run(
                {**constants, "model.sampling.num_refinements": refinements, "model.sampling.strength": 0.5}, folder
            )
            lightning_cli.run("test", settings(), changes, parts=kept)
            lines = map(json.loads, (folder / "results.jsonl").read_text().splitlines())
            result = [(row["suite"], row["name"], row["restorer"], row["metrics"]) for row in lines]
            assert seen.setdefault(refinements, result) == result
    assert {"StableDiffusion", "Likeliest", "LightAndHaze", "Wiener", "Null", "CleanData"} <= set(parts.taken_over)
    assert seen[0] != seen[1]
    # Another backbone, in whose folder priors may look for their weights: nothing is taken over.
    parts.begin({"model": {"backbone": "another"}})
    assert parts._before == {}


def test_parts_alike_in_one_run_stay_two():
    parts = KeptParts()
    for _ in range(2):
        parts.begin({})
        assert parts(Path, "x") is not parts(Path, "x")
    assert len(parts.taken_over) == 2


def group_leader(arguments):
    """What a fork of this process runs, as the first of a group of its own."""
    os.setsid()
    # As in a terminal: what a shell runs in the background, tests too, passes over Ctrl+C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    child(arguments)


class Sleeper(Restorer):
    """Says which process it is in, and is never done."""

    def load(self):
        pass

    def restore(self, degraded, paths, observe=lambda step: None):
        (Path(os.environ["SLEEPERS"]) / str(os.getpid())).touch()
        time.sleep(600)


def is_running(pid):
    """Whether a process is there and not merely waiting for its parent to ask how it ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_sweep_that_started_them(clean, tmp_path, forks, monkeypatch, sent):
    monkeypatch.setenv("SLEEPERS", str(tmp_path / "pids"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "pids").mkdir()
    file = sweep_file(tmp_path, {"seed": {"values": [0, 1, 2]}}, f"{__name__}.Sleeper")
    arguments = ["--clean", str(clean), "--output", str(tmp_path / "run"), "-j", "2", "--device", "cpu"]
    arguments += ["--data.num_workers", "1"]
    run = forks.Process(target=group_leader, args=(["sweep", "run", str(file), *arguments],))
    run.start()
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "pids").iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    # As a terminal does it, and as a scheduler.
    (os.killpg if sent is signal.SIGINT else os.kill)(run.pid, sent)
    run.join(60)
    # Whoever is killed can wait for nobody: its workers end soon after it.
    deadline = time.monotonic() + (60 if sent is signal.SIGKILL else 0)
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [pid for pid in workers if is_running(pid)]
    for pid in [*left, *([run.pid] if run.is_alive() else [])]:
        os.kill(pid, signal.SIGKILL)
    assert (len(workers), run.exitcode, left) == (2, -9 if sent is signal.SIGKILL else 130, [])
    assert {own["state"] for own in points(tmp_path / "run").values()} == {"begun"}
