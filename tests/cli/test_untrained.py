"""Folders of full-size shapes: the published numbers of weights, and a pipeline that is read like any other."""

import json

import pytest
import torch
from diffusers import StableDiffusionPipeline

from ldrps.cli import main
from ldrps.commands import untrained_folders
from ldrps.commands.untrained_folders import build, configuration

PUBLISHED = {
    ("sd15", "unet"): 859_520_964,
    ("sd15", "text_encoder"): 123_060_480,
    ("sd21", "unet"): 865_910_724,
    ("sd21", "text_encoder"): 340_387_840,
    ("sd15", "vae"): 83_653_863,
    ("sd21", "vae"): 83_653_863,
}


@pytest.mark.parametrize(("model", "name"), PUBLISHED)
def test_the_shapes_have_the_published_numbers_of_weights(model, name):
    with torch.device("meta"):
        network = build(model, name)
    assert sum(parameter.numel() for parameter in network.parameters()) == PUBLISHED[model, name]


def small(model, name):
    """The same with narrow layers, so that a test can write them."""
    changes = {
        "unet": {"block_out_channels": [32, 32, 32, 32], "cross_attention_dim": 32, "attention_head_dim": 2},
        "vae": {"block_out_channels": [32, 32, 32, 32]},
        "text_encoder": {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2},
    }
    return configuration(model, name) | changes.get(name, {})


def test_the_folder_is_a_pipeline_in_half_precision(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(untrained_folders, "configuration", small)
    assert main(["untrained", "sd21", "--output", str(tmp_path / "sd21")]) == 0
    assert "random weights" in capfd.readouterr().out
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "sd21", dtype=torch.float16)
    assert pipeline.unet.dtype == pipeline.vae.dtype == pipeline.text_encoder.dtype == torch.float16
    assert pipeline.tokenizer.model_max_length == 77
    assert json.loads((tmp_path / "sd21" / "model_index.json").read_text())["scheduler"][1] == "PNDMScheduler"
    assert torch.get_default_dtype() == torch.float32
    assert main(["untrained", "sd21", "--output", str(tmp_path / "sd21")]) == 2
    assert "is not empty" in capfd.readouterr().err


def test_a_full_disk_is_said_before_anything_is_drawn(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(untrained_folders, "NEEDED_BYTES", 10**18)
    assert main(["untrained", "sd15", "--output", str(tmp_path / "sd15")]) == 2
    assert "GB of room" in capfd.readouterr().err
