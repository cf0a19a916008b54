"""`ldrps restore` with other presets than the default, and with presets of one's own."""

import re

import pytest
import yaml

from ldrps.cli import main
from ldrps.commands.options import parse
from ldrps.commands.plan import Plan
from ldrps.commands.restore import Restore
from ldrps.configuration.presets import load_preset
from ldrps.data.shipped import preset_folder
from tests.docs.pages import ROOT

AUTO = "modules.priors.auto.Auto"
NULL = "modules.priors.null.Null"


def model_of(*arguments):
    options, changes = parse("restore", Restore, ["a.png", *map(str, arguments)])
    assert changes == []
    return options.settings()["model"]["init_args"]


@pytest.fixture
def shown(capsys):
    """The model of a run as --print_config shows it."""

    def show(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["restore", "a.png", *map(str, arguments), "--print_config"])
        assert exit_.value.code == 0
        return yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]

    return show


def test_everyday_options_reach_the_methods_of_auto_that_know_them(shown):
    options = ["--prompt", "a: b", "--colorize", "--max-side", 512, "--backbone", "sd21", "--seed", 3]
    dotted = [
        "--model.strength.light",
        0.5,
        "--model.sampling.num_inference_steps=7",
        "--model.prior.negative_prompt=x",
    ]
    model = shown("--config", "auto", *options, *dotted)
    assert model["seed"] == 3
    assert model["methods"]["ir_sde"]["init_args"]["num_inference_steps"] == 1
    for name in ("refined", "inpainting"):
        known = model["methods"][name]["init_args"]
        assert known["prior"]["init_args"] == {"prompt": "a: b", "negative_prompt": "x"}
        assert (known["max_side_px"], known["backbone"]["init_args"]["path"]) == (512, "sd21")
        assert (known["strength"]["light"], known["sampling"]["num_inference_steps"]) == (0.5, 7)
        assert known["colorization"]["num_samples"] == 8
    assert model["methods"]["inpainting"]["init_args"]["sampling"]["num_samples"] == 4


def test_a_prompt_that_looks_like_a_number_is_shown_and_saved_as_text(shown):
    assert shown("--prompt", "1e3")["prior"]["init_args"]["prompt"] == "1e3"


def test_a_prompt_that_would_name_a_setting_is_one_sentence(capfd):
    assert main(["restore", "a.png", "--prompt", "a ${b}"]) == 2
    assert capfd.readouterr().err == (
        "ldrps: prompt='a ${b}' holds ${, which stands for another setting: write it without\n"
    )


@pytest.mark.parametrize(
    "option", [["--prompt", "x"], ["--prior", "da_clip"], ["--colorize"], ["--max-side", "9"], ["--backbone", "x"]]
)
def test_an_option_that_no_method_knows_is_one_sentence(option, capfd):
    assert main(["restore", "a.png", "--config", "ir_sde", *option]) == 2
    sentence = f"ldrps: {option[0]} has no effect with --config ir_sde: use --config refined, or leave it out\n"
    assert capfd.readouterr().err == sentence


def test_a_setting_of_ld_rps_that_no_method_knows_is_one_sentence_too(photo_file, capfd):
    assert main(["restore", str(photo_file), "--config", "ir_sde", "--model.strength.light", "0.5"]) == 2
    assert "--model.strength.light has no effect with IRSDE: use --config refined" in capfd.readouterr().err
    with pytest.raises(ValueError, match="has no effect with IRSDE"):
        load_preset("ir_sde", strength__light=0.5)


def test_python_reaches_the_methods_of_auto(micro_folder):
    restorer = load_preset("auto", backbone__path=str(micro_folder), strength__light=0.5)
    assert restorer.methods["refined"].strength.light == restorer.methods["inpainting"].strength.light == 0.5


def test_text_is_looked_for_by_what_a_preset_builds_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("inherits: refined\nmodel: {init_args: {guidance_scale: 7}}")
    (tmp_path / "quiet.yaml").write_text(f"inherits: refined\nmodel: {{init_args: {{prior: {NULL}}}}}")
    (tmp_path / "quick.yaml").write_text("inherits: fast")
    for configs in (
        ["mine.yaml"],
        ["best", "--config", "mine.yaml"],
        ["dark"],
        [preset_folder() / "restore/best.yaml"],
    ):
        assert model_of("--config", *configs)["prior"]["class_path"] == AUTO
    for config in ("quiet.yaml", "quick.yaml", "inpainting", "reference_denoising"):
        assert model_of("--config", config)["prior"] == NULL
    assert model_of("--config", "mine.yaml", "--prior", "null")["prior"]["class_path"] == NULL


def test_a_config_that_undoes_an_earlier_one_is_told(tmp_path, capfd):
    mine = tmp_path / "mine.yaml"
    mine.write_text("inherits: blind\nmodel: {init_args: {seed: 4}}")
    told = f"config: {mine} inherits blind, which undoes what best says: leave inherits out of it to keep that\n"
    main(["restore", "nothing.png", "--config", "best", "--config", str(mine)])
    assert told in capfd.readouterr().err
    main(["restore", "nothing.png", "--config", "refined", "--config", "best"])
    assert "undoes" not in capfd.readouterr().err


def test_the_preset_of_the_quickstart_works_alone_and_behind_another(tmp_path, shown):
    page = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(# mine.yaml\n.*?)```", page, flags=re.DOTALL)
    (tmp_path / "mine.yaml").write_text(example)
    (tmp_path / "over.yaml").write_text(re.sub(r"^inherits.*$", "", example, flags=re.MULTILINE))
    for configs in (["mine.yaml"], ["refined", "over.yaml"], ["dark", "over.yaml"]):
        files = [tmp_path / name if name.endswith(".yaml") else name for name in configs]
        model = shown(*(part for file in files for part in ("--config", file)))
        assert model["output"]["class_path"] == "modules.outputs.refined.Refined"
        assert model["output"]["init_args"]["first"]["init_args"]["num_views"] == 8
        assert model["sampling"]["num_inference_steps"] == 50


def test_plan_takes_what_restore_takes():
    given = ["a.png", "--max-side", "20", "--prompt", "x", "--seed", "3", "--batch-size", "auto", "--colorize"]
    planned, restored = (
        parse(verb, kind, given)[0].settings() for verb, kind in (("plan", Plan), ("restore", Restore))
    )
    assert planned["model"] == restored["model"]
    assert planned["data"]["init_args"] == {**restored["data"]["init_args"], "dry_run": True}


def test_a_repeated_run_is_told_the_names_that_predict_knows(restore, photo_file, tmp_path, capfd):
    restore(photo_file, "--output", tmp_path / "out")
    assert main(["predict", "--config", str(tmp_path / "out" / "ldrps.config.yaml")]) == 2
    errors = capfd.readouterr().err
    assert "add --writer.resume true to keep them, --writer.overwrite true to replace them" in errors
    assert "choose another --writer.output" in errors


@pytest.mark.parametrize(
    ("verb", "config", "sentence"),
    [
        ("restore", "blnid", r"preset: did you mean 'blind'\? \(presets are auto, best, [a-z_, ]+\)\n"),
        ("restore", "haze", "'haze' is a suite of damage, no config of `ldrps restore`: use .* --suite haze`"),
        ("plan", "sweep/small", "is a sweep, .* use `ldrps sweep run small`"),
        ("restore", "prior/da_clip", "is a prior, .* --prior da_clip`"),
        (
            "predict",
            "train/denoiser",
            "is a training, no config of `ldrps predict`: use `ldrps fit --config train/denoiser`",
        ),
        ("fit", "blind", "is a method, no config of `ldrps fit`: use `ldrps restore IN... --config blind`"),
        ("fit", "train/denoisr", r"preset: did you mean 'train/denoiser'\? \(presets are train/autoencoder, "),
    ],
)
def test_a_config_that_is_none_or_for_something_else_is_one_sentence(verb, config, sentence, capfd):
    assert main([verb, *(["a.png"] if verb in ("restore", "plan") else []), "--config", config]) == 2
    errors = capfd.readouterr().err
    assert re.search(sentence, errors)
    assert errors.count("\n") == 1


def test_formats_have_the_names_of_their_endings_too(restore, photo_file, tmp_path):
    for name, suffix in (("jpg", ".jpg"), ("tif", ".tif")):
        assert restore(photo_file, "--output", tmp_path / name, "--format", name)[0] == 0
        assert (tmp_path / name / f"cat{suffix}").is_file()
