"""Low precision is the networks' alone, and a step that fails in it is computed again."""

import logging

import pytest
import torch

from ldrps.configuration.presets import load_preset
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.sampling import SamplingSettings
from modules.alignment.tone_curve import ToneCurve
from modules.backbones.stable_diffusion import StableDiffusion
from modules.losses.base import LossTerm
from modules.losses.relative_l2 import RelativeL2
from modules.outputs.wiener import Wiener
from tests.builders import make_restorer

SETTINGS = {
    "sampling": SamplingSettings(num_inference_steps=4, num_refinements=0),
    "guidance": GuidanceSettings(strength=0.5, alignment_until=1000),
    "losses": {"fidelity": LossTerm(RelativeL2())},
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_changes_little_and_only_the_networks(micro_folder, pictures, dtype):
    restorer = make_restorer(micro_folder, alignment=ToneCurve(), output=Wiener(), **SETTINGS)
    seen = {}
    for name, part in (("unet", restorer.backbone.unet.conv_in), ("judge", restorer.output.noise.network.layers[0])):
        part.register_forward_hook(lambda module, given, output, name=name: seen.__setitem__(name, output.dtype))
    whole = restorer.restore(pictures[:2], [None] * 2)
    with torch.autocast("cpu", dtype=dtype):
        mixed = restorer.restore(pictures[:2], [None] * 2)
    assert seen == {"unet": dtype, "judge": torch.float32} or seen == {"unet": dtype}
    assert mixed.dtype == torch.float32
    assert -10 * float((mixed - whole).square().mean().log10()) > 40
    assert not torch.equal(mixed, whole)
    # What came before leaves no trace.
    assert torch.equal(restorer.restore(pictures[:2], [None] * 2), whole)


@pytest.mark.parametrize("weights", ["float32", "float16"])
@pytest.mark.parametrize("part", ["unet", "vae"])
def test_a_step_that_is_not_finite_is_computed_again_in_float32(micro_folder, pictures, weights, part, caplog):
    restorer = make_restorer(micro_folder, weights, **SETTINGS)
    layer = restorer.backbone.unet.conv_out if part == "unet" else restorer.backbone.vae.decoder.layers[-1]

    def overflow(module, given, output):
        return output * torch.inf if output.dtype == torch.float16 else output

    layer.register_forward_hook(overflow)
    with caplog.at_level(logging.WARNING, "ldrps.precision"), torch.autocast("cpu", dtype=torch.float16):
        restored = restorer.restore(pictures[:1], [None])
    assert restored.isfinite().all()
    assert "again in float32" in caplog.text
    assert restorer.backbone.unet.dtype == getattr(torch, weights)


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_a_row_that_overflows_is_no_affair_of_the_others(micro_folder, pictures, part):
    restorer = make_restorer(micro_folder, "float32", **SETTINGS)
    layer = restorer.backbone.unet.conv_out if part == "unet" else restorer.backbone.vae.decoder.layers[-1]
    first = pictures[:1]

    def restored(images):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return restorer.restore(images, [None] * len(images))

    alone = restored(first)

    def overflow(module, given, output):
        if output.dtype == torch.bfloat16 and len(output) == 2:
            return output * torch.tensor([1, torch.inf], dtype=output.dtype).view(2, 1, 1, 1)
        return output

    layer.register_forward_hook(overflow)
    together = restored(pictures[:2])
    assert together.isfinite().all()
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=0)


def test_networks_of_the_output_compute_in_low_precision_too(pictures):
    restorer = load_preset("refined")
    restorer.load()
    output, seen = restorer.output, {}
    parts = {"denoiser": output.first.network.enter, "refining": output.restoration.network.enter}
    for name, part in parts.items():
        part.register_forward_hook(lambda module, given, output, name=name: seen.__setitem__(name, output.dtype))
    whole = restorer.restore(pictures[:1], [None])
    assert seen == {"denoiser": torch.float32, "refining": torch.float32}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = restorer.restore(pictures[:1], [None])
    assert seen == {"denoiser": torch.bfloat16, "refining": torch.bfloat16}
    assert mixed.dtype == torch.float32
    assert -10 * float((mixed - whole).square().mean().log10()) > 40
    assert torch.equal(restorer.restore(pictures[:1], [None]), whole)


def test_compiled_networks_keep_their_names(micro_folder):
    backbone, plain = (StableDiffusion(str(micro_folder), compile_networks=flag) for flag in (True, False))
    for each in (backbone, plain):
        each.load()
    assert backbone.state_dict().keys() == plain.state_dict().keys()
    assert backbone.unet._compiled_call_impl is not None
    assert plain.unet._compiled_call_impl is None
