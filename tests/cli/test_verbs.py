"""What all verbs share: one look of help, dotted settings, hints at the nearest name, completion, nothing heavy."""

import dataclasses
import importlib
import inspect
import pkgutil
import shutil
import subprocess
import sys

import pytest
import yaml

import ldrps.commands
from ldrps.cli import EVERYDAY, LIGHTNING, SUMMARY, main
from ldrps.commands.options import make_parser

OPTIONS = {verb: getattr(importlib.import_module(f"ldrps.commands.{verb}"), verb.title()) for verb in EVERYDAY}


def test_every_everyday_verb_is_a_file_and_in_the_summary():
    modules = {info.name for info in pkgutil.iter_modules(ldrps.commands.__path__)}
    with_run = {name for name in modules if hasattr(importlib.import_module(f"ldrps.commands.{name}"), "run")}
    assert with_run == {*EVERYDAY, "lightning"}
    for verb in (*EVERYDAY, *LIGHTNING):
        assert f"  ldrps {verb} " in SUMMARY or f"  ldrps {verb}\n" in SUMMARY


@pytest.mark.parametrize("verb", EVERYDAY)
def test_help_describes_every_option(verb, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([verb, "--help"])
    assert exit_.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith(f"usage: ldrps {verb} ")
    assert inspect.getdoc(OPTIONS[verb]).split("\n")[0].rstrip(".") in printed
    for field in dataclasses.fields(OPTIONS[verb]):
        names = field.name, f"--{field.name.replace('_', '-')}", field.metadata.get("metavar") or field.name
        assert any(name in printed for name in names)


@pytest.mark.parametrize("verb", ["", *EVERYDAY])
def test_help_imports_nothing_heavy(verb):
    script = (
        "import sys\nfrom ldrps.cli import main\n"
        f"try: main({[verb, '--help'] if verb else ['--help']!r})\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pytorch_lightning', 'diffusers', 'transformers', 'kornia', 'wandb', 'numpy', 'skimage'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def run_lightly(command, folder):
    """Run a command in a process of its own, whose exit code is the names of heavy imports where there are any."""
    script = (
        f"import sys\nfrom ldrps.cli import main\ncode = main({command.split()!r})\n"
        "heavy = {'torch', 'pytorch_lightning', 'diffusers', 'transformers', 'kornia', 'wandb', 'skimage'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or code)"
    )
    return subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    "mistake",
    [
        "restore none.png",
        "restore none.png --outptu x",
        "restore none.png --config no_such_preset",
        "restore none.png --prior no_such_prior",
        "plan none.png",
        "degrade none.png --suite haze",
        "degrade none.png --siut haze",
        "degrade none.png --suite no_such_suite",
        "test --clean none.png --suite haze --output x",
        "test --clean . --suite no_such_suite --output x",
        "test --clean . --suite haze --output x --prot x",
        "caption none.png",
        "convert none.pt --output x",
        "export none.ckpt --output x",
        "report none",
        "sweep run none",
        "sweep run small --clean none.png",
        "sweep table none",
        "fit --config none",
    ],
)
def test_what_is_misspelt_is_told_before_anything_heavy_is_imported(mistake, tmp_path):
    ended = run_lightly(mistake, tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert ended.stderr.startswith("ldrps: ")


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        ("restore photos --output out", 2, "1 output(s) exist already"),
        ("restore photos/cat.jpg --output out", 2, "1 output(s) exist already"),
        ("restore photos --output out --resume", 0, "1 of 1 picture(s) are in out already and are kept"),
        ("test --clean photos --suite haze --output run", 2, "run holds a run already: add --resume"),
    ],
)
def test_what_is_finished_is_told_before_anything_heavy_is_imported(command, code, sentence, photo_file, tmp_path):
    for name in ("out/cat.jpg", "run/run.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    ended = run_lightly(command, tmp_path)
    assert ended.returncode == code, ended.stderr
    assert sentence in ended.stdout + ended.stderr


def test_photos_of_a_saved_run_that_are_gone_do_not_matter_where_others_are_named(photo_file, tmp_path, capfd):
    (tmp_path / "saved.yaml").write_text("inherits: blind\ndata: {init_args: {inputs: [gone.png]}}\n")
    run = ["predict", "--config", str(tmp_path / "saved.yaml"), "--writer.output", str(tmp_path / "out")]
    assert main(run) == 2
    assert "input 'gone.png' does not exist" in capfd.readouterr().err
    assert main([*run, "--data.inputs", f"[{photo_file}]", "--model.sed", "3"]) == 2
    assert "did you mean --model.seed?" in capfd.readouterr().err


@pytest.mark.parametrize("verb", EVERYDAY)
def test_every_verb_tells_the_version(verb, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([verb, "--version"])
    assert exit_.value.code == 0
    told = capsys.readouterr().out.split()
    main(["--version"])
    assert told[-1] == capsys.readouterr().out.split()[-1]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["restor"], "did you mean 'restore'?"),
        (["restore", "a.png", "--outptu", "x"], "did you mean --output?"),
        (["degrade", "a.png", "--siut", "haze"], "did you mean --suite?"),
        (["test", "--clean", "a.png", "--suit", "haze", "--output", "x"], "did you mean --suite?"),
        (["convert", "a.pt", "-o", "x", "--activate", "gelu"], "did you mean --activation?"),
        (["restore", "a.png", "--model.sampling.num_inferense_steps", "30"], "--model.sampling.num_inference_steps?"),
        (["restore", "a.png", "--model.sampling.num_inferense_steps=30"], "--model.sampling.num_inference_steps?"),
        (["restore", "a.png", "--sampling.num_inference_steps", "30"], "--model.sampling.num_inference_steps?"),
        (["restore", "a.png", "--model.output.least_chang", "0"], "--model.output.least_change?"),
        # The beginning of a name is none, wherever it stands.
        (["restore", "a.png", "--model.sampling.num_inference_step", "30"], "--model.sampling.num_inference_steps?"),
        (["restore", "a.png", "--trainer.precisio", "32"], "--trainer.precision?"),
        (["restore", "a.png", "--batch_size", "2"], "did you mean --batch-size?"),
        (["restore", "a.png", "--prior", "modules.priors.text.Txt"], "has no attribute 'Txt': did you mean 'Text'?"),
        (["restore", "a.png", "--trainer.precison", "32"], "--trainer.precision?"),
        (["predict", "--config", "blind", "--data.inputs=[a.png]", "--data.batchsize=2"], "--data.batch_size?"),
        (["caption", "a.png", "--prior.num_caption", "2"], "--prior.num_captions?"),
    ],
)
def test_the_nearest_name_is_told(arguments, hint, photo_file, tmp_path, monkeypatch, capfd):
    shutil.copy(photo_file, tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    errors = capfd.readouterr().err
    assert hint in errors
    assert errors.count("\n") == 1
    assert "Traceback" not in errors


def test_an_unknown_setting_in_a_file_has_a_hint_too(photo_file, tmp_path, capfd):
    (tmp_path / "mine.yaml").write_text(
        "inherits: blind\nmodel:\n  init_args:\n    sampling: {num_inferense_steps: 3}\n"
    )
    assert main(["restore", str(photo_file), "--config", str(tmp_path / "mine.yaml")]) == 2
    errors = capfd.readouterr().err
    assert "num_inferense_steps" in errors
    assert "did you mean --model.sampling.num_inference_steps?" in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["restore"],
        ["restore", "a.png", "--seed", "x"],
        ["restore", "a.png", "--batch-size"],
        ["degrade", "a.png", "--seed", "1.5"],
        ["convert", "a.pt"],
        ["convert", "a.pt", "-o", "x", "--activation", "relu"],
        ["test", "--clean", "a.png", "--output", "x"],
        ["test", "--clean", "a.png", "--pairs", "x", "--output", "x"],
        ["test", "--suite", "haze", "--output", "x"],
        ["test", "--pairs", "x"],
        ["report"],
        ["completion", "fish"],
    ],
)
def test_wrong_use_is_one_sentence(arguments, capfd):
    assert main(arguments) == 2
    errors = capfd.readouterr().err
    assert errors.startswith("ldrps: ")
    assert errors.count("\n") == 1


def test_options_can_be_shown_kept_and_read_again(tmp_path, capsys):
    given = ["degrade", "a.png", "b.png", "--suite", "haze", "-s", "rain", "--seed", "7", "--pairs"]
    with pytest.raises(SystemExit) as exit_:
        main([*given, "--print_config"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown)["suite"] == ["haze", "rain"]
    (tmp_path / "mine.yaml").write_text(shown)
    with pytest.raises(SystemExit):
        main(["degrade", "--config", str(tmp_path / "mine.yaml"), "a.png", "b.png", "--seed", "8", "--print_config"])
    again = yaml.safe_load(capsys.readouterr().out)
    assert again == {**yaml.safe_load(shown), "seed": 8}


@pytest.mark.parametrize(
    "arguments",
    [
        ["restore", "a.png", "--seed", "4", "--prompt", "a: b"],
        ["test", "--suite", "haze", "--clean", "a.png", "--output", "run", "--model.seed", "4", "--no-baselines"],
    ],
)
def test_a_run_can_be_shown_instead(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--print_config"])
    assert exit_.value.code == 0
    model = yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]
    model = model.get("restorers", {}).get("refined", {}).get("init_args", model)
    assert model["seed"] == 4
    assert model["prior"]["init_args"]["prompt"] == "a: b" if "--prompt" in arguments else "prior" in model


def test_several_configs_of_restore_merge_and_text_is_still_looked_for(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("model: {init_args: {guidance_scale: 7}}")
    with pytest.raises(SystemExit):
        main(["restore", "a.png", "--config", "best", "--config", str(tmp_path / "mine.yaml"), "--print_config"])
    model = yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]
    assert (model["guidance_scale"], model["output"]["init_args"]["first"]["init_args"]["num_views"]) == (7.0, 8)
    assert model["prior"]["class_path"] == "modules.priors.auto.Auto"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_the_completion_script_knows_verbs_and_options(shell, capsys, tmp_path):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(verb in script for verb in EVERYDAY)
    # The script for tcsh leaves the options of the verbs out.
    assert "--overwrite" in script or shell == "tcsh"
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.parametrize("verb", EVERYDAY)
def test_options_and_docstrings_agree(verb):
    assert make_parser(verb, OPTIONS[verb])
    documented = inspect.getdoc(OPTIONS[verb])
    for field in dataclasses.fields(OPTIONS[verb]):
        assert f"\n    {field.name}: " in documented


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("sampling.num_inference_steps=abc", "model.sampling.num_inference_steps='abc' is no whole number"),
        ("max_side_px=wide", "model.max_side_px='wide' is no whole number"),
        ("guidance.scale=big", "model.guidance.scale='big' is none of per_latent, raw"),
        ("guidance_scale=much", "model.guidance_scale='much' is no number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_and_nothing_of_the_parser(setting, sentence, photo_file, tmp_path, capfd):
    assert main(["restore", str(photo_file), "-o", str(tmp_path), f"--model.{setting}"]) == 2
    assert capfd.readouterr().err == f"ldrps: {sentence}\n"


def test_settings_of_the_method_are_described_on_request(photo_file, capfd):
    with pytest.raises(SystemExit) as exit_:
        main(["restore", str(photo_file), "--model.help"])
    assert exit_.value.code == 0
    told = " ".join(capfd.readouterr().out.split())
    assert "--model.sampling.num_inference_steps" in told
    assert "0 samples nothing" in told


def test_steps_that_the_schedule_does_not_have_are_refused_before_any_photo(photo_file, tmp_path, capfd):
    arguments = ["restore", str(photo_file), "-o", str(tmp_path), "--device", "cpu"]
    assert main([*arguments, "--model.sampling.num_inference_steps", "2000"]) == 2
    assert "sampling.num_inference_steps=2000 does not fit the schedule" in capfd.readouterr().err
