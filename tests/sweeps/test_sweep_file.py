"""Files in W&B's format: what they mean, what is wrong with them, what `ldrps sweep init` writes."""

import re
from pathlib import Path

import pytest
import yaml
from wandb.apis.public.sweeps import _validate_config_and_fill_distribution

from ldrps.cli import main
from ldrps.commands.options import parse
from ldrps.commands.sweep_run import SweepRun
from ldrps.commands.sweeping import point_maker
from ldrps.configuration.layers import find_preset
from ldrps.data.shipped import preset_folder
from ldrps.sweeps.checking import check
from ldrps.sweeps.records import SweepFolder
from ldrps.sweeps.search import candidates
from ldrps.sweeps.sweep import merged_settings, read_sweep, sweep_of

SHIPPED = sorted(path.stem for path in preset_folder().glob("sweep/*.yaml"))


def presets_of(sweep):
    """Presets that a sweep names, for its points."""
    named = (
        [sweep.settings(point).get("config", "blind") for point in candidates(sweep, [])]
        if sweep.run_cap is None
        else []
    )
    return {name for name in named if isinstance(name, str)}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_file_is_a_sweep_and_names_presets_that_exist(name):
    sweep = read_sweep(name)
    assert sweep.name == name
    assert "suite" in sweep.constants
    for preset in presets_of(sweep):
        assert find_preset(preset).is_file()
    # W&B's own check, and what it sends, are the same sweep again.
    sent = yaml.safe_load(yaml.safe_dump(_validate_config_and_fill_distribution(sweep.for_wandb())))
    again = sweep_of(sent, "W&B", name)
    chosen = {own.name: own.examples()[-1] for own in sweep.varying}
    assert again.point(chosen).key == sweep.point(chosen).key
    assert again.settings(again.point(chosen)) == sweep.settings(sweep.point(chosen))


@pytest.mark.parametrize("name", SHIPPED)
def test_settings_of_shipped_files_exist(name):
    sweep = read_sweep(name).with_constants({"clean": ["photos"]})
    first = {own.name: own.examples()[0] for own in sweep.parameters.values()}
    for own in sweep.varying:
        for value in own.examples():
            make_settings, _ = point_maker("cpu")(merged_settings({**first, own.name: value}), Path("unused"))
            make_settings()


def test_the_small_one_has_twenty_four_points_of_different_names():
    points = list(candidates(read_sweep("small"), []))
    assert len({point.key for point in points}) == len({point.label for point in points}) == 24
    assert points[0].label == "no text, filter, num_refinements=0"


def test_nested_parameters_become_dotted_and_a_class_comes_before_its_settings():
    content = {
        "parameters": {"model": {"parameters": {"b": {"parameters": {"y": {"values": [1]}}}, "b.a": {"value": 2}}}}
    }
    sweep = sweep_of(content, "x.yaml", "x")
    [point] = candidates(sweep, [])
    assert list(sweep.settings(point)) == ["model.b.a", "model.b.y"]
    content = {"parameters": {"change": {"values": [{"name": "n", "model.alignment.first": 1, "model.alignment": 2}]}}}
    sweep = sweep_of(content, "x.yaml", "x")
    assert list(sweep.settings(next(candidates(sweep, [])))) == ["model.alignment", "model.alignment.first"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("method: grid", "needs 'parameters: ...'"),
        ("parameters: {model.seed: {values: []}}", r"parameters.model.seed.values is \[\]: give at least one value"),
        ("parameters: {model.seed: 3}", "parameters.model.seed must be 'values"),
        ("parameters: {model.seed: {valus: [1]}}", "has 'valus', which is none of"),
        ("parameters: {model.seed: {min: 3, max: 1}}", "min is 3, above max, 1"),
        ("parameters: {model.seed: {min: 0.1, max: 1}}", "no list of values, which a grid needs"),
        ("method: gird\nparameters: {model.seed: {values: [1]}}", "did you mean 'grid'"),
        ("metod: grid\nparameters: {model.seed: {values: [1]}}", "did you mean 'method'"),
        ("run_cap: 0\nparameters: {model.seed: {values: [1]}}", "run_cap is 0"),
        (
            "method: random\nparameters: {model.seed: {distribution: q_uniform, min: 1, max: 2, q: 3}}",
            "no multiple of q, 3, lies between min, 1, and max, 2",
        ),
        ("method: random\nparameters: {model.seed: {distribution: q_normal, q: 0}}", "q is 0, which must be positive"),
        ("entity: [a]\nparameters: {model.seed: {values: [1]}}", r"entity is \['a'\], which must be a name"),
        ("parameters: {model.seed: {distribution: beta}}", "distribution is 'beta'; there are"),
        ("parameters: {model.seed: {values: [1, 2], probabilities: [1]}}", "one number for each value"),
        ("method: random\nparameters: {model.seed: {min: 1, max: 3}}", "has no end: add --count N"),
        (
            "parameters: {model.sampling.num_inferense_steps: {values: [1]}}",
            "mean --model.sampling.num_inference_steps",
        ),
        ("parameters: {model.seed: {values: [1, x]}}", "parameters.model.seed, value x: "),
        (
            "parameters: {model.sampling.strength: {values: [0.5, 2.0]}}",
            r"value 2: .*strength=2.0 must lie in \(0, 1\]",
        ),
        ("parameters: {trainer.precison: {values: [1]}}", "mean --trainer.precision"),
        ("parameters: {configs: {values: [blind]}}", "did you mean 'config'"),
        ("parameters: {config: {values: [blnd]}}", "neither a file nor a preset"),
        ("parameters: {limit: {values: [a]}}", "limit"),
        ("parameters: {change: {values: [{name: a, model.sed: 1}]}}", r"first point \(a\): .*mean --model.seed"),
    ],
)
def test_what_is_wrong_is_one_sentence(content, sentence, tmp_path, capfd):
    (tmp_path / "mine.yaml").write_text(content)
    assert main(["sweep", "run", str(tmp_path / "mine.yaml"), "--output", str(tmp_path / "run")]) == 2
    errors = capfd.readouterr().err
    assert errors.startswith("ldrps: ")
    assert errors.count("\n") == 1
    assert re.search(sentence, errors), errors
    assert not (tmp_path / "run").exists()


def test_a_sweep_without_images_and_a_backbone_that_is_missing_cost_nothing(tmp_path, photo_file, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("parameters: {model.seed: {values: [0, 1]}, suite: {values: [haze, grey]}}")
    assert main(["sweep", "run", "mine.yaml", "--output", "run"]) == 2
    errors = capfd.readouterr().err
    assert "mine says nothing of the images: add --clean IN..." in errors
    assert errors.count("\n") == 1
    assert main(["sweep", "run", "backbone", "--clean", str(photo_file), "--output", "run"]) == 2
    assert "value random: backbone './runs/random_denoiser' does not exist" in capfd.readouterr().err
    assert not Path("run").exists()


def test_a_backbone_may_be_a_hub_id_that_nobody_asks():
    content = {"parameters": {"model.backbone.path": {"values": ["package:ldrps/pretrained/mini", "somebody/model"]}}}
    check(sweep_of(content, "x.yaml", "x"), point_maker("cpu"))


def test_pairs_take_the_place_of_what_a_file_says_of_its_images():
    sweep = read_sweep("alignment")
    constants = sweep.with_constants({"pairs": "here", "limit": 2}).constants
    assert constants == {"config": "blind", "pairs": "here", "limit": 2}
    # On another machine, where they lie elsewhere, the measure stays.
    on_pairs = sweep.with_constants({"pairs": "here", "protocol": "ld_rps"})
    assert on_pairs.with_constants({"pairs": "there"}).constants["protocol"] == "ld_rps"
    assert "pairs" not in on_pairs.with_constants({"clean": ["photos"], "suite": ["haze"]}).constants


def test_what_the_command_says_holds_for_every_point():
    given = ["small", "--seed", "0", "--batch-size", "auto", "--colorize", "--config", "best", "--prior", "da_clip"]
    options, _ = parse("sweep run", SweepRun, given)
    expected = {"seed": 0, "batch_size": "auto", "colorize": True, "config": "best", "prior": "da_clip"}
    assert options.constants() == expected


def test_init_writes_what_was_asked_for_after_checking_it(tmp_path, capfd):
    file = tmp_path / "mine.yaml"
    wanted = ["model.sampling.num_refinements=0,1", "config=blind", "model.guidance.strength=0.1..0.5"]
    wrong = ["sweep", "init", str(file), "model.sampling.num_refinments=0,1"]
    assert main(wrong) == 2
    assert "did you mean --model.sampling.num_refinements?" in capfd.readouterr().err
    assert not file.exists()
    assert main(["sweep", "init", str(file), *wanted, "--method", "random", "--count", "5"]) == 0
    sweep = read_sweep(str(file))
    assert (sweep.method, sweep.run_cap, sweep.constants) == ("random", 5, {"config": "blind"})
    assert [own.spec for own in sweep.varying] == [{"values": [0, 1]}, {"min": 0.1, "max": 0.5}]
    assert main(["sweep", "init", str(file), *wanted]) == 2
    assert "exists already" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("images", "example"),
    [
        ([], " --clean photos/ --suite noise_25 haze\n"),
        (["suite=noise_25,grey"], " --clean photos/\n"),
        (["clean={folder}/clean", "suite=noise_25,grey"], "\n"),
        (["pairs={folder}/pairs"], "\n"),
    ],
)
def test_init_s_example_leaves_to_a_file_what_it_says_of_the_images(
    images, example, tmp_path, capfd, photo_file, pairs_folder
):
    (tmp_path / "clean").symlink_to(photo_file.parent)
    file = tmp_path / "mine.yaml"
    images = [parameter.format(folder=tmp_path) for parameter in images]
    assert main(["sweep", "init", str(file), "model.sampling.num_refinements=0,1", *images]) == 0
    assert capfd.readouterr().out.endswith(f"ldrps sweep run {file}{example}")


def test_init_s_example_ends(tmp_path, capfd):
    file = tmp_path / "mine.yaml"
    assert main(["sweep", "init", str(file), "model.guidance.strength=0.05..0.5", "--method", "random"]) == 0
    assert capfd.readouterr().out.endswith(" --count 20\n")


def test_a_config_that_was_edited_ends_a_sweep_that_began_with_it(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("inherits: fast")
    content = {"parameters": {"config": {"value": str(config)}, "model.seed": {"values": [0, 1]}}}
    sweep = sweep_of(content, "sweep.yaml", "sweep")
    folder = SweepFolder(tmp_path / "run")
    folder.begin(sweep)
    folder.begin(sweep)
    config.write_text("inherits: blind")
    with pytest.raises(ValueError, match=r"mine.yaml' has changed since the sweep in .*run began: choose another"):
        folder.begin(sweep)
    config.unlink()
    with pytest.raises(ValueError, match=r"mine.yaml' is not where the program was started"):
        folder.begin(sweep)


def test_actions_and_their_help(capsys):
    assert main(["sweep", "tabel"]) == 2
    assert "did you mean 'table'" in capsys.readouterr().err
    for action in ("init", "run", "join", "point", "table"):
        with pytest.raises(SystemExit) as exit_:
            main(["sweep", action, "--help"])
        assert exit_.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: ldrps sweep {action} ")
