"""Official U-Nets of IR-SDE: every name used once, and converted they compute what the original code computes."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ldrps.cli import main
from modules.conversion.conditional_unet import convert_conditional_unet
from modules.networks.conditional_unet import ConditionalUNet
from modules.sde.folder import load_sde
from tests.da_clip import make_da_clip


class Official:
    """Random weights under the official names."""

    def __init__(self, width, context):
        self.width, self.context = width, context
        self.generator = torch.Generator().manual_seed(0)

    def draw(self, *shape):
        return torch.randn(shape, generator=self.generator) * 0.05

    def layer(self, name, *shape, bias=True):
        return {f"{name}.weight": self.draw(*shape)} | ({f"{name}.bias": self.draw(shape[0])} if bias else {})

    def norm(self, name, size):
        return {f"{name}.weight": 1 + self.draw(size), f"{name}.bias": self.draw(size)}

    def block(self, name, narrow, wide):
        own = self.layer(f"{name}.mlp.1", 2 * wide, 4 * self.width)
        own |= self.layer(f"{name}.block1.proj", wide, narrow, 3, 3, bias=False)
        own |= self.layer(f"{name}.block2.proj", wide, wide, 3, 3, bias=False)
        return own | ({} if narrow == wide else self.layer(f"{name}.res_conv", wide, narrow, 1, 1, bias=False))

    def linear_attention(self, name, size):
        own = {f"{name}.fn.norm.g": 1 + self.draw(1, size, 1, 1)}
        own |= self.layer(f"{name}.fn.fn.to_qkv", 384, size, 1, 1, bias=False)
        own |= self.layer(f"{name}.fn.fn.to_out.0", size, 128, 1, 1)
        return own | {f"{name}.fn.fn.to_out.1.g": 1 + self.draw(1, size, 1, 1)}

    def transformer(self, name, size):
        own = {f"{name}.fn.norm.g": 1 + self.draw(1, size, 1, 1)} | self.norm(f"{name}.fn.fn.norm", size)
        own |= self.layer(f"{name}.fn.fn.proj_in", size, size, 1, 1)
        own |= self.layer(f"{name}.fn.fn.proj_out", size, size, 1, 1)
        inner = f"{name}.fn.fn.transformer_blocks.0"
        for number, seen in ((1, size), (2, self.context)):
            for part, width in (("q", size), ("k", seen), ("v", seen)):
                own |= self.layer(f"{inner}.attn{number}.to_{part}", size, width, bias=False)
            own |= self.layer(f"{inner}.attn{number}.to_out.0", size, size)
        own |= self.layer(f"{inner}.ff.net.0.proj", 8 * size, size) | self.layer(f"{inner}.ff.net.2", size, 4 * size)
        return own | {key: own for number in (1, 2, 3) for key, own in self.norm(f"{inner}.norm{number}", size).items()}

    def stem(self, wild):
        width, time = self.width, 4 * self.width
        own = self.layer("init_conv", width, 6, 7, 7, bias=False) | self.layer("final_conv", 3, width, 3, 3)
        own |= self.layer("time_mlp.1", time, width) | self.layer("time_mlp.3", time, time)
        if wild:
            return own | self.layer("downsample", width, width, 4, 4) | self.layer("upsample.1", width, width, 3, 3)
        own |= {"prompt": self.draw(1, time)} | self.layer("prompt_mlp", time, time)
        return own | self.layer("text_mlp.0", time, self.context) | self.layer("text_mlp.2", time, time)

    def levels(self, sizes):
        own = {}
        depth = len(sizes) - 1
        for level, (narrow, wide) in enumerate(pairwise(sizes)):
            attention = self.transformer if level == depth - 1 else self.linear_attention
            down, up = f"downs.{level}", f"ups.{depth - 1 - level}"
            for number in (0, 1):
                own |= self.block(f"{down}.{number}", narrow, narrow) | self.block(
                    f"{up}.{number}", narrow + wide, wide
                )
            own |= attention(f"{down}.2", narrow) | attention(f"{up}.2", wide)
            own |= self.layer(f"{up}.3" if level == 0 else f"{up}.3.1", narrow, wide, 3, 3, bias=level > 0)
            side = 3 if level == depth - 1 else 4
            own |= self.layer(f"{down}.3", wide, narrow, side, side, bias=side == 4)
        return own


def official_state(width=64, multipliers=(1, 2), context=16, wild=True):
    """What a released file holds, small."""
    made = Official(width, context)
    sizes = [width, *(width * factor for factor in multipliers)]
    state = made.stem(wild) | made.levels(sizes) | made.transformer("mid_attn", sizes[-1])
    for name in ("mid_block1", "mid_block2"):
        state |= made.block(name, sizes[-1], sizes[-1])
    return state | made.block("final_res_block", 2 * width, width)


@pytest.mark.parametrize(("wild", "count"), [(True, 221), (False, 224)])
def test_every_entry_of_the_released_files_is_used_exactly_once(wild, count):
    state = official_state(32, (1, 2, 4, 8), wild=wild)
    assert len(state) == count
    network = convert_conditional_unet({f"module.{name}": values for name, values in state.items()})
    ours = network.state_dict()
    assert len(ours) == len(state)
    assert sorted(float(values.double().sum()) for values in ours.values()) == pytest.approx(
        sorted(float(values.double().sum()) for values in state.values())
    )
    assert (network.config["has_degradation"], network.config["is_half_resolution"]) == (not wild, wild)


@pytest.mark.parametrize("kind", ["wild", "universal"])
def test_the_official_cases(kind):
    """Against inputs and outputs of the original code, where someone has them: LDRPS_GOLDEN=folder."""
    file = Path(os.environ.get("LDRPS_GOLDEN", "nowhere")) / f"conditional_unet_{kind}.safetensors"
    if not file.is_file():
        pytest.skip("LDRPS_GOLDEN names no folder with conditional_unet_*.safetensors")
    case = load_file(file)
    weights = {name.removeprefix("weights."): values for name, values in case.items() if name.startswith("weights.")}
    network = convert_conditional_unet(weights)
    output = network(case["x_t"], case["mu"], case["t"], case["content_embedding"], case["degradation_embedding"])
    torch.testing.assert_close(output, case["output"], atol=1e-4, rtol=0)


def test_the_released_sizes_are_the_defaults():
    with torch.device("meta"):
        wild = ConditionalUNet()
        universal = ConditionalUNet(context_dim=512, has_degradation=True, is_half_resolution=False)
        plain = ConditionalUNet(context_dim=None, has_content=False, is_half_resolution=False)
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (wild, universal, plain)]
    # As counted over the released checkpoints; without embeddings as the released configuration.
    assert [round(count / 1e6, 2) for count in counts] == [49.47, 48.98, 36.24]


@pytest.mark.parametrize("wild", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (24, 20)])
def test_any_size_and_no_neighbours_in_a_batch(wild, size):
    network = convert_conditional_unet(official_state(wild=wild)).double()
    generator = torch.Generator().manual_seed(0)
    sample, degraded = torch.rand(2, 2, 3, *size, dtype=torch.float64, generator=generator)
    embeddings = torch.rand(2, 2, 16, dtype=torch.float64, generator=generator)
    times = torch.tensor([3.0, 77.5], dtype=torch.float64)
    together = network(sample, degraded, times, *embeddings)
    assert together.shape == sample.shape
    alone = network(sample[1:], degraded[1:], times[1:], embeddings[0, 1:], embeddings[1, 1:])
    torch.testing.assert_close(alone[0], together[1])
    assert not torch.allclose(network(sample, degraded, times), together)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda state: state.pop("final_conv.bias"), r"lacks 1, first \['leave.bias'\]"),
        (lambda state: state.update(extra=torch.zeros(1)), r"1 entries are left, first \['extra'\]"),
        (lambda state: state.pop("downs.0.3.weight"), "it lacks downs.0.3.weight"),
        (lambda state: state.update({"final_conv.bias": torch.zeros(4)}), r"leave.bias has shape \[4\], not \[3\]"),
    ],
)
def test_what_is_no_conditional_unet_is_named(change, sentence):
    state = official_state()
    change(state)
    with pytest.raises(ValueError, match=sentence):
        convert_conditional_unet(state)


def test_convert_makes_a_folder_that_a_restoration_uses(tmp_path, told_folder, capfd, photo_file):
    torch.save(official_state(wild=False), tmp_path / "universal-ir.pth")
    folder = tmp_path / "universal"
    assert main(["convert", str(tmp_path / "universal-ir.pth"), "--output", str(folder)]) == 0
    assert "U-Net of IR-SDE (universal)" in capfd.readouterr().out
    assert load_sde(folder)[1].prediction_type == "epsilon"
    arguments = ["restore", str(photo_file), "--config", "ir_sde", "--model.weights", str(folder), "--device", "cpu"]
    arguments += ["--model.num_inference_steps", "2", "-o", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "no DA-CLIP lies in" in capfd.readouterr().err
    make_da_clip(folder / "da_clip", told_folder / "tokenizer")
    assert main(arguments) == 0
    assert (tmp_path / "out" / "cat.jpg").is_file()


def test_another_networks_checkpoint_is_named(tmp_path, capfd):
    save_file({"intro.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    assert main(["convert", str(tmp_path / "other.safetensors"), "--output", str(tmp_path / "out")]) == 2
    assert "it looks like a NAFNet" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
