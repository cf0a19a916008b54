"""Sweeps that W&B hands out, against a stand-in of its server: W&B's own client and agents are the real ones."""

import json

import pytest
import wandb
from wandb.agents import pyagent

from ldrps.cli import main
from ldrps.commands.sweep_run import SweepRun
from ldrps.sweeps.agents import create
from ldrps.sweeps.records import SweepFolder
from ldrps.sweeps.sweep import sweep_of
from tests.sweeps.test_sweep_run import clean, points, sweep_file  # noqa: F401 (a fixture among them)
from tests.wandb_server import KEY, serving


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server that this process is logged in to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pyagent.Agent, "HEARTBEAT_SLEEP_SECONDS", 0.2)
    for name in ("WANDB_MODE", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_SWEEP_ID", "WANDB_RUN_ID"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with serving() as running:
        for name, value in (("BASE_URL", running.url), ("API_KEY", KEY), ("DIR", str(tmp_path))):
            monkeypatch.setenv(f"WANDB_{name}", value)
        yield running


@pytest.mark.parametrize(
    ("named", "own", "project"),
    [(None, "theirs", "theirs"), ("mine", "theirs", "mine"), ("ldrps", "theirs", "ldrps"), (None, None, "ldrps")],
)
def test_a_file_s_project_and_entity_are_where_it_goes_unless_the_command_says_otherwise(
    named, own, project, monkeypatch, tmp_path
):
    for name in ("WANDB_ENTITY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    told = {}
    monkeypatch.setattr(wandb, "sweep", lambda config, **where: told.update(where, config=config) or "sweep1")
    content = {"parameters": {"model.seed": {"values": [0, 1]}}, "entity": "team", "description": "why"}
    sweep = sweep_of(content if own is None else {**content, "project": own}, "x.yaml", "x")
    folder = SweepFolder(tmp_path)
    folder.begin(sweep)
    # A folder is gone on with by what it holds.
    chosen = SweepRun(file="x.yaml", project=named).project_of(folder.read())
    assert create(folder.read(), folder, chosen) == f"team/{project}/sweep1"
    assert (told["entity"], told["project"]) == ("team", project)
    assert told["config"]["description"] == "why"


def test_a_sweep_is_handed_over_and_other_machines_join_by_its_id(server, clean, tmp_path, capfd):  # noqa: F811
    file = sweep_file(tmp_path, {"model.weight": {"values": [0.02, 0.3]}})
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["sweep", "run", str(file), "--clean", str(clean), "--output", str(first), "--device", "cpu"]) == 0
    assert "ldrps sweep join somebody/ldrps/sweep1" in capfd.readouterr().out
    assert server.config["parameters"]["model.weight"] == {"values": [0.02, 0.3]}
    assert server.config["command"][1:4] == ["ldrps", "sweep", "point"]
    assert [own["state"] for own in points(first).values()] == ["done"] * 2
    told = {server.runs[name]["model.weight"]["value"]: server.history[name][0] for name in ("run0", "run1")}
    for own in points(first).values():
        assert told[own["chosen"]["model.weight"]]["overall/psnr"] == pytest.approx(own["measures"]["overall/psnr"])
    # Another machine, to which W&B hands one of the points once more.
    server.points = [{name: own.get("value", 0.3) for name, own in server.config["parameters"].items()}]
    arguments = ["somebody/ldrps/sweep1", "--clean", str(clean), "--output", str(second), "--device", "cpu"]
    assert main(["sweep", "join", *arguments]) == 0
    [again] = points(second).values()
    assert again["measures"]["overall/psnr"] == told[0.3]["overall/psnr"]
    assert json.loads((second / "sweep.json").read_text())["parameters"]["model.weight"] == {"values": [0.02, 0.3]}
    assert server.agents == 2
