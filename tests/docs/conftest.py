"""Where the commands and lines of the documentation run."""

import sys

import pytest

from ldrps.commands.restore import Restore
from ldrps.configuration import presets


@pytest.fixture
def here(tmp_path, monkeypatch, micro_folder):
    """An empty folder to work in, where every run uses the micro pipeline and few steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    given = Restore.settings

    def quick(options):
        options.__dict__["backbone"] = options.backbone or str(micro_folder)
        settings = given(options)
        settings["model"]["init_args"]["sampling"]["num_inference_steps"] = 3
        return settings

    monkeypatch.setattr(Restore, "settings", quick)
    parse = presets.parse_preset
    small = [f"--model.backbone.path={micro_folder}", "--model.sampling.num_inference_steps=3"]

    def parse_quick(names, arguments):
        is_model = names != "baselines"
        return parse(names, [*arguments, *(small if is_model else [])])

    monkeypatch.setattr(presets, "parse_preset", parse_quick)
    yield tmp_path
    for name in [name for name in sys.modules if name == "night"]:
        del sys.modules[name]
