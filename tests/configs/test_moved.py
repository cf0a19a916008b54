"""What version 0.1.0 wrote keeps working: receipts, saved settings, run folders (files made before the move)."""

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from ldrps.cli import main
from ldrps.configuration.presets import load_preset
from ldrps.data.moved import MOVED, with_current_names
from ldrps.results.run_folder import RunFolder

# Made by commit ed0bbbf from scikit-image's cat, reduced to 40 x 28:
#   ldrps degrade clean --suite wild_heavy --suite inpainting --suite haze --output degraded
#   ldrps test --suite haze --clean clean --output run --config baselines --no-baselines --device cpu
#   ldrps predict --config best --data.inputs '[clean]' --writer.output restored
#       --model.sampling.num_inference_steps 3 --trainer.accelerator cpu
MADE_BEFORE = Path(__file__).parents[1] / "fixtures" / "version_0_1_0"


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_every_moved_module_exists_and_is_gone_from_its_old_place(old, new):
    assert importlib.import_module(new)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(old)


def test_names_that_did_not_move_and_other_texts_stay():
    for text in ("modules.losses.l2.L2", "a.b", "haze", "", "a photo of degradations.haze.Haze"):
        assert with_current_names({"x": [text, 3, None]}) == {"x": [text, 3, None]}


@pytest.mark.parametrize("suite", ["wild_heavy", "inpainting", "haze"])
def test_receipts_are_replayed(suite, tmp_path, capfd):
    receipt = MADE_BEFORE / "degraded" / suite / "cat.json"
    assert json.loads(receipt.read_text())["degradation"]["class_path"] not in (None, "")
    # 1 where another platform or version rounds differently, which the command says.
    assert main(["degrade", str(MADE_BEFORE / "clean"), "--replay", str(receipt), "-o", str(tmp_path)]) in (0, 1)
    assert "1 picture(s) rebuilt" in capfd.readouterr().out
    then, now = (np.asarray(Image.open(path / "cat.png")).astype(int) for path in (receipt.parent, tmp_path))
    assert np.abs(then - now).mean() < 0.5


def test_saved_settings_are_run_again(tmp_path):
    saved = MADE_BEFORE / "restored" / "ldrps.config.yaml"
    assert "class_path: ldrps.ld_rps.LDRPS" in saved.read_text()
    restorer = load_preset(str(saved))
    assert type(restorer).__module__ == "ldrps.methods.ld_rps.ld_rps"
    assert restorer.sampling.num_inference_steps == 3
    changes = ["--data.inputs", f"[{MADE_BEFORE / 'clean'}]", "--writer.output", str(tmp_path)]
    code = main(["predict", "--config", str(saved), *changes, "--trainer.enable_progress_bar", "false"])
    assert code == 0
    then, now = (np.asarray(Image.open(path / "cat.png")).astype(int) for path in (saved.parent, tmp_path))
    # A level where another processor rounds differently.
    assert np.abs(then - now).max() <= 1
    settings = yaml.safe_load((tmp_path / "ldrps.config.yaml").read_text())
    assert settings["model"]["class_path"] == "ldrps.methods.ld_rps.ld_rps.LDRPS"


def test_a_run_folder_goes_on_with_the_same_settings_and_refuses_others(tmp_path):
    shutil.copytree(MADE_BEFORE / "run", tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    text = json.dumps(folder.read_settings()["settings"])
    assert "ldrps.baselines." in text
    today = text.replace("ldrps.baselines.", "ldrps.methods.baselines.")
    today = today.replace("degradations.haze.", "degradations.weather.haze.")
    folder.begin(json.loads(today), True, {})
    # A setting that came later and is off changes nothing.
    folder.begin(json.loads(today.replace('"mid_grey": 0.5', '"mid_grey": 0.5, "new": null')), True, {})
    with pytest.raises(ValueError, match="run of other settings"):
        folder.begin(json.loads(today.replace("Bicubic", "Nearest")), True, {})
