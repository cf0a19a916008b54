"""Presets inherit, several files merge in order, and contradictions are one sentence."""

from itertools import pairwise

import pytest
import yaml

from ldrps.cli import main
from ldrps.configuration.arguments import split_configs
from ldrps.configuration.layers import INHERITS, line_of, merged, read_file, read_preset, read_presets
from ldrps.data.shipped import preset_folder

PRESETS = sorted(path for path in preset_folder().rglob("*.yaml") if path.parent.name not in ("suites", "prior"))
HEIRS = [path for path in PRESETS if len(line_of(path)) > 1]


def flat(settings, path=()):
    """Every value by its path; a class as a text counts like one with its path and settings apart."""
    if not isinstance(settings, dict):
        return {path: settings}
    values = {}
    for name, value in settings.items():
        values |= flat(value, (*path, name))
    return values


def write(folder, **files):
    for name, settings in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(settings))
    return [str(folder / f"{name}.yaml") for name in files]


@pytest.mark.parametrize("preset", HEIRS, ids=lambda path: path.stem)
def test_a_preset_repeats_no_value_of_its_base(preset):
    own, base = line_of(preset)[:2]
    inherited = flat(read_preset(str(base)))
    repeated = {
        ".".join(path) for path, value in flat(read_file(own)).items() if inherited.get(path, object()) == value
    }
    assert repeated == set()


def test_the_families_of_presets():
    families = {path.stem: [base.stem for base in line_of(path)[1:]] for path in HEIRS}
    assert families["best"] == ["refined", "blind"]
    assert families["gpu_denoiser"] == ["denoiser", "training"]
    assert {name for name, bases in families.items() if bases == ["reference"]} == {
        "reference_low_light",
        "reference_dehazing",
        "reference_denoising",
    }
    assert len(families) >= 13


def test_an_heir_says_only_what_differs_and_has_the_rest(tmp_path):
    [mine] = write(tmp_path, mine={INHERITS: "best", "model": {"init_args": {"seed": 5}}})
    settings, best = read_preset(mine), read_preset("best")
    assert settings["model"]["init_args"] == {**best["model"]["init_args"], "seed": 5}
    assert best["model"]["init_args"]["sampling"] == {
        **read_preset("blind")["model"]["init_args"]["sampling"],
        "num_inference_steps": 50,
    }


def test_the_reference_is_the_released_method_whole():
    for name in ("low_light", "dehazing", "denoising"):
        assert read_preset(f"reference_{name}")["model"]["init_args"]["sampling"]["num_free_chains"] == 1


def test_a_base_may_lie_beside_the_file(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", base={"trainer": {"precision": 32}})
    [heir] = write(tmp_path / "deep", heir={INHERITS: "base.yaml", "trainer": {"max_steps": 3}})
    monkeypatch.chdir(tmp_path)
    assert read_preset(heir) == {"trainer": {"precision": 32, "max_steps": 3}}


def test_later_files_count_and_every_one_keeps_what_it_does_not_say(tmp_path):
    first, second, third = write(
        tmp_path,
        first={
            "model": {"class_path": "a.B", "init_args": {"x": 1, "y": {"class_path": "a.C", "init_args": {"z": 1}}}}
        },
        second={"model": {"init_args": {"y": {"init_args": {"z": 2, "w": None}}}}},
        third={"model": {"init_args": {"y": "a.D", "x": [1, 2]}}},
    )
    assert read_presets([first, second])["model"]["init_args"] == {
        "x": 1,
        "y": {"class_path": "a.C", "init_args": {"z": 2, "w": None}},
    }
    # Another class takes nothing of the settings of the one before.
    with pytest.raises(ValueError, match=r"third.yaml sets model.init_args.x to a list, where .* has one value"):
        read_presets([first, second, third])
    write(tmp_path, third={"model": {"init_args": {"y": "a.D"}}})
    assert read_presets([first, second, third])["model"]["init_args"] == {"x": 1, "y": {"class_path": "a.D"}}


def test_settings_of_a_class_may_leave_out_init_args_once_it_is_named():
    base = {"data": {"class_path": "a.B", "init_args": {"x": 1}}}
    wanted = {"data": {"class_path": "a.B", "init_args": {"x": 2}}}
    assert merged(base, {"data": {"x": 2}}, "mine") == wanted
    assert merged({"data": {"x": 2}}, {"data": {"class_path": "a.B"}}, "mine") == wanted
    assert merged({"data": "a.B"}, {"data": {"init_args": {"x": 2}}}, "mine") == wanted


def test_nothing_and_interpolations_go_with_everything():
    for value in (3, [3], {"a": 3}, "text"):
        assert merged({"x": value}, {"x": None}, "mine") == {"x": None}
        assert merged({"x": None}, {"x": value}, "mine") == {"x": value}
        assert merged({"x": value}, {"x": "${seed}"}, "mine") == {"x": "${seed}"}


def test_a_config_that_builds_on_itself(tmp_path):
    for names in (("one",), ("one", "two", "three")):
        for name, base in pairwise([*names, names[0]]):
            write(tmp_path, **{name: {INHERITS: f"{base}.yaml"}})
        with pytest.raises(ValueError, match=r"one.yaml builds on itself: .*one.yaml -> .*one.yaml"):
            read_preset(str(tmp_path / "one.yaml"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("inherits: no_such_preset", "builds on 'no_such_preset', which does not exist: .*presets are"),
        ("inherits: [blind, best]", "must be the name of one preset or file"),
        ("model: {init_args: 3}", "sets model.init_args to one value, where what it is put over has settings by name"),
        ("model: [", "is not YAML"),
        ("- model", "must hold settings by name"),
        ("a: 1\na: 2", "is not YAML .*duplicate key"),
    ],
)
def test_a_wrong_config_is_one_sentence(tmp_path, content, sentence):
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(ValueError, match=sentence) as caught:
        read_presets(["blind", str(tmp_path / "mine.yaml")])
    assert "\n" not in str(caught.value)


def test_the_command_says_it_too(photo_file, tmp_path, capfd):
    [mine] = write(tmp_path, mine={INHERITS: "mine.yaml"})
    assert main(["restore", str(photo_file), "--config", mine, "--output", str(tmp_path / "out")]) == 2
    errors = capfd.readouterr().err
    assert "builds on itself" in errors
    assert "Traceback" not in errors


def test_the_command_merges_several_configs_and_options_come_last(tmp_path, capsys):
    steps, more = write(
        tmp_path,
        steps={"model": {"init_args": {"sampling": {"num_inference_steps": 7}, "seed": 1}}},
        more={"model": {"init_args": {"seed": 2}}},
    )
    arguments = ["predict", "--model.guidance_scale=9", "--config", "best", "--config", steps, f"--config={more}"]
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--data.inputs=[a.png]", "--print_config"])
    assert exit_.value.code == 0
    model = yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]
    assert model["sampling"]["num_inference_steps"] == 7
    assert (model["seed"], model["guidance_scale"]) == (2, 9.0)
    assert model["output"]["init_args"]["first"]["init_args"]["num_views"] == 8
    assert model["sampling"]["start_from"] == "degraded"


def test_interpolations_are_resolved_after_the_options(tmp_path, capsys):
    [mine] = write(tmp_path, mine={INHERITS: "blind", "trainer": {"max_steps": "${..model.init_args.seed}"}})
    with pytest.raises(SystemExit):
        main(["predict", "--config", mine, "--model.seed=9", "--data.inputs=[a.png]", "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out)["trainer"]["max_steps"] == 9


def test_configs_are_told_from_other_arguments():
    assert split_configs(["-c", "a", "--x.y", "-3", "--config=b"]) == (["a", "b"], ["--x.y", "-3"])


def test_a_method_made_of_methods_inherits_their_presets(tmp_path):
    inner = {"class_path": "ldrps.methods.auto.auto.Auto", "init_args": {"methods": {"first": {"inherits": "fast"}}}}
    [file] = write(tmp_path, mine={"model": inner})
    assert read_preset(file)["model"]["init_args"]["methods"]["first"] == read_preset("fast")["model"]
    inner["init_args"]["methods"]["first"] = {"inherits": "mine.yaml"}
    write(tmp_path, mine={"model": inner})
    with pytest.raises(ValueError, match=r"mine\.yaml builds on itself"):
        read_preset(file)
