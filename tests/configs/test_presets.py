"""Every shipped YAML file can be built, and every restoration preset restores."""

from pathlib import Path

import pytest
import torch
import yaml

from ldrps.cli import main
from ldrps.configuration.layers import find_preset, read_preset
from ldrps.configuration.presets import load_preset, preset_model, with_priors
from ldrps.data.shipped import preset_folder
from ldrps.methods.ld_rps.ld_rps import LDRPS
from modules.losses.base import State
from modules.priors.da_clip import DACLIP
from modules.priors.null import Null
from tests.builders import generators

RESTORE = sorted(preset_folder().glob("restore/*.yaml"))
LATENT = [path for path in RESTORE if read_preset(path.stem)["model"]["class_path"].endswith(".LDRPS")]
TRAIN = sorted(preset_folder().glob("train/*.yaml"))


@pytest.mark.parametrize("preset", LATENT, ids=lambda path: path.stem)
def test_a_restoration_preset_restores(preset, micro_kl_folder, pictures, vgg_hub, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(vgg_hub))
    restorer = load_preset(
        preset.stem,
        backbone__path=micro_kl_folder,
        sampling__num_inference_steps=8,
        prior="modules.priors.null.Null",
    )
    restorer.load()
    restored = restorer.restore(pictures[:2], [None, None])
    assert restored.shape == (2, 3, 32, 32)
    assert restored.isfinite().all()


def test_the_reference_presets_hold_the_released_numbers():
    presets = {name: load_preset(f"reference_{name}") for name in ("low_light", "dehazing", "denoising")}
    assert {name: preset.guidance.settings.strength for name, preset in presets.items()} == {
        "low_light": 80_000,
        "dehazing": 25_000,
        "denoising": 40_000,
    }
    assert {name: preset.sampling.num_refinements for name, preset in presets.items()} == {
        "low_light": 2,
        "dehazing": 0,
        "denoising": 1,
    }
    fits = {
        name: [preset.guidance.alignment_losses[term].weight for term in ("l2", "perceptual", "adversarial")]
        for name, preset in presets.items()
    }
    assert fits == {"low_light": [0.02, 0.3, 0.8], "dehazing": [0.2, 0.5, 0.2], "denoising": [3.0, 0.002, 0.001]}
    for preset in presets.values():
        assert isinstance(preset, LDRPS)
        assert (preset.sampling.num_inference_steps, preset.guidance_scale) == (450, 8.0)
        assert preset.guidance.settings.scale == "raw"


def test_the_reference_presets_keep_content_and_leave_looks_to_the_discriminator(pictures, vgg_hub, monkeypatch):
    """The released code compares what F-PAM makes with what it was given, and only its discriminator sees the input."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(vgg_hub))
    restored, degraded = pictures[:2], pictures[2:]
    state = State(restored, restored, degraded, restored, restored)
    for name in ("low_light", "dehazing", "denoising"):
        terms = load_preset(f"reference_{name}").guidance.alignment_losses
        for term in terms.values():
            term.loss.begin(degraded, lambda images: [images], generators(0, 1))
        for kept in ("l2", "perceptual"):
            torch.testing.assert_close(terms[kept].loss(state), torch.zeros(2))
        assert (terms["adversarial"].loss.training_loss(state) > 0.1).all()


@pytest.mark.parametrize("preset", TRAIN, ids=lambda path: path.stem)
def test_a_training_preset_can_be_parsed(preset, capsys):
    # A recipe for a GPU, or for going on, is put after the first one.
    first = preset.stem.removeprefix("gpu_").removesuffix("_continued")
    recipes = ["--config", f"train/{first}", "--config", str(preset)]
    with pytest.raises(SystemExit) as exit_:
        main(["fit", *recipes, "--data.sources", "[none.tar]", "--print_config"])
    assert exit_.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]["sources"] == ["none.tar"]


def test_every_other_preset_can_be_built():
    others = [load_preset(path.stem).name for path in RESTORE if path not in LATENT]
    assert others == ["auto", "irsde", "matched"]


def test_a_preset_is_found_by_name_and_by_path():
    assert find_preset("blind") == find_preset("restore/blind") == find_preset(str(find_preset("blind")))
    with pytest.raises(ValueError, match=r"presets are auto, .*blind"):
        find_preset("nothing")


def test_settings_in_python_are_checked():
    with pytest.raises(ValueError, match="no_such"):
        load_preset("blind", no_such=3)


def test_settings_in_python_are_values_of_python():
    restorer = load_preset(
        "blind",
        max_side_px=None,
        strength=None,
        guidance={"strength": 0.2, "alignment_size_px": None},
        prior={"class_path": "modules.priors.text.Text", "init_args": {"prompt": "a dog's life: \N{SNOWMAN}"}},
        losses={},
        backbone={"init_args": {"path": Path("a folder")}},
    )
    assert (restorer.max_side_px, restorer.strength) == (None, None)
    assert (restorer.guidance.settings.strength, restorer.guidance.settings.alignment_size_px) == (0.2, None)
    assert restorer.prior.prompt == "a dog's life: \N{SNOWMAN}"
    assert restorer.backbone.path == "a folder"


@pytest.mark.parametrize(("name", "kind"), [("da_clip", DACLIP), ("null", Null), (None, Null)])
def test_a_prior_has_the_same_name_in_python_as_on_the_command_line(name, kind):
    assert type(load_preset("blind", prior=name).prior) is kind
    model = preset_model("blind", with_priors(["--model.prior", "null" if name is None else name]))
    assert model["init_args"]["prior"]["class_path"] == f"{kind.__module__}.{kind.__name__}"
    with pytest.raises(ValueError, match=r"did you mean 'prior/da_clip'\?"):
        load_preset("blind", prior="da_clp")
    # Whoever types what the message says is understood.
    assert type(load_preset("blind", prior=f"prior/{name or 'null'}").prior) is kind


def test_the_beginning_of_a_setting_is_none():
    with pytest.raises(ValueError, match=r"did you mean --model\.sampling\.num_inference_steps\?"):
        load_preset("blind", sampling__num_inference_step=3)
