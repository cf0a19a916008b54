"""What needs no backward pass: one call at the level of the photo's noise, and a pull in closed form."""

import pytest
import torch
from PIL import Image
from skimage import data as skimage_data

from ldrps.configuration.presets import load_preset
from ldrps.data.image_files import to_tensor
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.proximal_guidance import ProximalGuidance
from ldrps.methods.ld_rps.sampling import SamplingSettings
from ldrps.methods.matched import Matched
from modules.alignment.affine import Affine
from modules.alignment.identity import Identity
from modules.backbones.stable_diffusion import StableDiffusion
from modules.noise_level import noise_level
from tests.builders import GaussianBackbone, generators, make_guidance, make_restorer

PROXIMAL = "ldrps.methods.ld_rps.proximal_guidance.ProximalGuidance"


@pytest.fixture(scope="module")
def noisy():
    clean = to_tensor(Image.fromarray(skimage_data.cat()[40:168, 100:228]))[None]
    return clean, clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))


def test_one_call_at_the_matching_level_is_the_posterior_mean(noisy):
    _, degraded = noisy
    mean, variance = 0.4, 0.05
    restored = Matched(GaussianBackbone(mean, variance)).restore(degraded, [None])
    deviation = float(noise_level(degraded).mean())
    assert deviation == pytest.approx(0.1, rel=0.15)
    expected = mean + variance / (variance + deviation**2) * (degraded - mean)
    torch.testing.assert_close(restored, expected.clamp(0, 1), atol=0.01, rtol=0)


def test_it_denoises_with_the_embedded_model_and_images_stay_independent(noisy):
    clean, degraded = noisy
    restorer = load_preset("matched")
    restorer.load()
    both = restorer.restore(torch.cat([degraded, clean]), [None, None])
    assert float((both[:1] - clean).square().mean()) < 0.4 * float((degraded - clean).square().mean())
    torch.testing.assert_close(restorer.restore(clean, [None]), both[1:], atol=1e-5, rtol=0)


def test_its_networks_compute_in_the_trainer_s_precision_and_nothing_else_does(micro_folder, pictures):
    restorer = Matched(StableDiffusion(str(micro_folder)))
    restorer.load()
    seen = []
    restorer.backbone.unet.conv_in.register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    whole = restorer.restore(pictures[:1], [None])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = restorer.restore(pictures[:1], [None])
    assert seen == [torch.float32, torch.bfloat16]
    assert mixed.dtype == torch.float32
    assert -10 * float((mixed - whole).square().mean().log10()) > 40
    # What came before leaves no trace.
    assert torch.equal(restorer.restore(pictures[:1], [None]), whole)


def proximal(backbone, alignment, strength):
    guidance = make_guidance(backbone, alignment, {}, GuidanceSettings(strength, alignment_until=1000))
    return ProximalGuidance(
        *(getattr(guidance, name) for name in ("backbone", "alignment", "losses", "alignment_losses")),
        guidance.make_optimizer,
        guidance.settings,
    )


@pytest.mark.parametrize("strength", [0.5, 3.0])
def test_the_pull_goes_to_the_minimum_of_both_squared_distances(noisy, strength):
    _, degraded = noisy
    degraded = degraded.clamp(0, 1)
    backbone, timestep = GaussianBackbone(0.5, 0.05), 100
    guidance = proximal(backbone, Identity(), strength)
    guidance.begin(degraded, generators(0))
    x0 = torch.full_like(degraded, 0.5)
    alpha = float(backbone.scheduler.alphas_cumprod[timestep])
    # The latents hold the prediction by the factor sqrt(alpha).
    moved = x0 - guidance.gradient(x0, x0, x0, timestep) / alpha**0.5
    off = strength * (1 - alpha) / alpha * degraded.var()
    # At the minimum the derivatives of both terms cancel.
    slopes = (moved - degraded) / noise_level(degraded).mean() ** 2, (moved - x0) / off
    torch.testing.assert_close(slopes[0], -slopes[1], atol=1e-2, rtol=1e-3)
    assert float(slopes[0].abs().max()) > 1


def test_it_takes_no_gradient_and_learns_the_damage_of_each_image_alone(micro_folder, pictures):
    alignment = Affine()
    restorer = make_restorer(
        micro_folder,
        sampling=SamplingSettings(num_inference_steps=6, num_refinements=0),
        guidance=GuidanceSettings(3.0, alignment_until=1000),
        alignment=alignment,
        guidance_class=ProximalGuidance,
    )
    restorer.backbone.decode_for_gradients = None
    together = restorer.restore(pictures[:2], [None] * 2)
    assert not torch.equal(alignment.scale.detach(), torch.ones(2, 3, 1, 1))
    torch.testing.assert_close(restorer.restore(pictures[1:2], [None])[0], together[1], atol=1e-4, rtol=0)


def test_the_sample_of_the_embedded_model_comes_nearer_to_the_truth(noisy):
    clean, degraded = noisy
    errors = []
    for strength in (0.0, 3.0):
        settings = {
            "guidance_class": PROXIMAL,
            "guidance__strength": strength,
            "output": "modules.outputs.decoded.Decoded",
        }
        restorer = load_preset("blind", **settings)
        restorer.load()
        errors.append(float((restorer.restore(degraded.clamp(0, 1), [None]) - clean).square().mean()))
    assert errors[1] < 0.9 * errors[0]


def test_the_class_is_chosen_by_its_path():
    assert type(load_preset("blind", guidance_class=PROXIMAL).guidance) is ProximalGuidance
