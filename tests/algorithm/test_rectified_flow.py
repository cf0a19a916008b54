"""Rectified flow: against diffusers, against a recursion by hand on a normal prior, and under the whole method."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline

from ldrps.methods.hash_weights import hash_weights
from ldrps.methods.ld_rps.algorithm import Run, restore
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.ld_rps import LDRPS
from ldrps.methods.ld_rps.sampling import SamplingSettings, draw_noise
from modules.alignment.affine import Affine
from modules.alignment.identity import Identity
from modules.backbones.rectified_flow import RectifiedFlow
from modules.losses.base import LossTerm
from modules.losses.l2 import L2
from modules.outputs.decoded import Decoded
from modules.priors.base import Semantics
from modules.priors.text import Text
from tests.algorithm.test_gaussian import MEAN, VARIANCE, KnownGain, assert_moments, draw_without_guidance
from tests.builders import GaussianDiffusion, build_flow_pipeline, generators, make_guidance

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- my_flow/(\w+)\.py -->\n```python\n(.*?)```", PAGE, flags=re.DOTALL)


def flow(shift=1.0) -> RectifiedFlow:
    return RectifiedFlow(FlowMatchEulerDiscreteScheduler(shift=shift))


def grid(num_inference_steps, shift):
    """diffusers' sigmas in float64: the ends of the shifted training grid, evenly divided, and shifted."""
    lowest = shift * 0.001 / (1 + (shift - 1) * 0.001)
    sigmas = np.linspace(1, lowest, num_inference_steps)
    return np.append(shift * sigmas / (1 + (shift - 1) * sigmas), 0.0)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_levels_mixing_and_steps_are_those_of_diffusers(shift, strength):
    path, reference = flow(shift), FlowMatchEulerDiscreteScheduler(shift=shift)
    timesteps = path.begin(20, strength)
    np.testing.assert_allclose(
        [path.at(timestep).noise for timestep in timesteps], grid(20, shift)[-len(timesteps) - 1 : -1], atol=1e-7
    )
    reference.set_timesteps(20)
    reference.set_begin_index(20 - len(timesteps))
    clean, noise, velocity = torch.randn(3, 2, 4, 8, 8)
    latents = path.mix(clean, noise, timesteps[0])
    start = reference.timesteps[20 - len(timesteps)]
    torch.testing.assert_close(latents, reference.scale_noise(clean, start[None], noise))
    expected = latents
    for timestep, theirs in zip(timesteps, reference.timesteps[-len(timesteps) :], strict=True):
        torch.testing.assert_close(path.at(timestep).model_timestep, float(theirs), atol=1e-4, rtol=0)
        latents = path.step(velocity, timestep, latents, generators(0, 1))
        expected = reference.step(velocity, theirs, expected).prev_sample
        torch.testing.assert_close(latents, expected)


@pytest.mark.parametrize("setting", ["use_dynamic_shifting", "invert_sigmas", "stochastic_sampling"])
def test_other_flow_schedules_are_refused(setting):
    with pytest.raises(ValueError, match=f"{setting} of the rectified-flow scheduler is not supported"):
        RectifiedFlow(FlowMatchEulerDiscreteScheduler(**{setting: True}))


def test_timesteps_are_of_a_thousand_whatever_the_model_counts():
    path = RectifiedFlow(FlowMatchEulerDiscreteScheduler(num_train_timesteps=50))
    assert path.at(500) == (0.5, 0.5, 25.0)
    assert path.begin(10, 1.0)[0] == 1000


def run_sampler(degraded, alignment, settings, strength, seeds, shift):
    backbone = GaussianDiffusion(flow(shift), MEAN, VARIANCE)
    guidance_settings = GuidanceSettings(strength=strength, alignment_until=1000)
    guidance = make_guidance(backbone, alignment, {"l2": LossTerm(L2())}, guidance_settings)
    with torch.no_grad():
        return restore(degraded, Run(backbone, lambda: None, guidance, settings, generators(*seeds)))


def recompute(degraded, gain, settings, strength, seeds, shift):
    """The same in NumPy, float64, from the formulas alone."""
    sigmas = grid(settings.num_inference_steps, shift)
    drawn = generators(*seeds)
    like = torch.zeros(1, dtype=torch.float64)

    def noise():
        return draw_noise(degraded.shape[1:], 1, drawn, like).numpy()

    def chain(x, first):
        for s, following in zip(sigmas[first:-1], sigmas[first + 1 :], strict=True):
            x0 = MEAN + VARIANCE * (1 - s) / ((1 - s) ** 2 * VARIANCE + s**2) * (x - (1 - s) * MEAN)
            velocity = (x - x0) / s
            # Windows of losses end below pure noise, in which nothing of the picture is seen.
            gradient = 2 * gain * (gain * x0 - degraded) if s < 1 else 0.0
            x = x + (following - s) * velocity - strength * gradient
        return x

    x = chain(noise(), 0)
    for _ in range(settings.num_refinements):
        first = settings.num_inference_steps - max(1, int(settings.num_inference_steps * settings.strength))
        x = chain((1 - sigmas[first]) * x + sigmas[first] * noise(), first)
    return np.clip(x, 0, 1)


@pytest.mark.parametrize(("alignment", "gain"), [(Identity(), 1.0), (KnownGain(), 0.5)])
@pytest.mark.parametrize("strength", [0.0, 0.02])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_sampler_equals_an_independent_recursion(pictures, alignment, gain, strength, shift):
    degraded = (gain * pictures[:2]).double()
    settings = SamplingSettings(num_inference_steps=20, num_refinements=2, strength=0.5)
    ours = run_sampler(degraded, alignment, settings, strength, [3, 4], shift)
    by_hand = recompute(degraded.numpy(), gain, settings, strength, [3, 4], shift)
    assert np.abs(ours.numpy() - by_hand).max() < 1e-6


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.6, 0.5), (-0.5, 1.5)])
def test_without_guidance_the_moments_of_the_prior_come_out(mean, variance):
    assert_moments(draw_without_guidance(GaussianDiffusion(flow(), mean, variance, image_scale=0.1)), mean, variance)


@pytest.fixture(scope="session")
def flow_folder(tmp_path_factory) -> Path:
    return build_flow_pipeline(tmp_path_factory.mktemp("micro_flow"))


@pytest.fixture
def backbone(flow_folder, tmp_path, monkeypatch):
    """The adapter that docs/extending.md shows, on micro weights."""
    package = tmp_path / "my_flow"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, code in EXAMPLES:
        (package / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    backbone = importlib.import_module("my_flow.stable_diffusion_3").StableDiffusion3(str(flow_folder))
    backbone.load()
    yield backbone
    for name in [name for name in sys.modules if name.startswith("my_flow")]:
        del sys.modules[name]


def make_restorer(backbone, **settings) -> LDRPS:
    defaults = {
        "prior": Text("a photo of a cat"),
        "alignment": Affine(),
        "losses": {"l2": LossTerm(L2())},
        "alignment_losses": {"l2": LossTerm(L2())},
        "output": Decoded(),
        "sampling": SamplingSettings(num_inference_steps=6, num_refinements=2, num_free_chains=1),
        "guidance": GuidanceSettings(strength=0.5, alignment_until=800),
        "guidance_scale": 3.0,
    }
    return LDRPS(backbone=backbone, **(defaults | settings))


def test_the_adapter_of_the_page_is_short():
    assert [name for name, _ in EXAMPLES] == ["transformer", "stable_diffusion_3"]
    assert all(len(code.strip().splitlines()) < 40 for _, code in EXAMPLES)


def test_sizes_and_weights_are_read_from_the_parts(backbone, pictures):
    assert backbone.latent_shape(pictures) == tuple(backbone.encode(pictures).shape[1:]) == (4, 16, 16)
    assert backbone.size_multiple == 4
    raw = backbone.vae.encode(pictures * 2 - 1).latent_dist.mode()
    torch.testing.assert_close(backbone.encode(pictures), (raw - 0.06) * 1.5)
    torch.testing.assert_close(backbone.decode(backbone.encode(pictures)), backbone.vae.decode(raw).sample / 2 + 0.5)
    assert {name.split(".")[0] for name in backbone.state_dict()} == {
        "vae",
        "transformer",
        "text_encoder",
        "text_encoder_2",
    }
    assert hash_weights(backbone)


def test_text_to_image_agrees_with_diffusers_own_pipeline(backbone, flow_folder):
    latents = torch.randn(1, 4, 16, 16)
    pipeline = StableDiffusion3Pipeline.from_pretrained(flow_folder, text_encoder_3=None, tokenizer_3=None)
    pipeline.set_progress_bar_config(disable=True)
    reference = pipeline(
        "a photo of a cat",
        height=32,
        width=32,
        num_inference_steps=5,
        guidance_scale=4.0,
        latents=latents.clone(),
        output_type="latent",
    ).images
    conditioning = backbone.condition(Semantics(prompts=["a photo of a cat"]), 1, guidance_scale=4.0)
    for timestep in backbone.begin(5, 1.0):
        _, output = backbone.predict_x0(latents, timestep, conditioning)
        latents = backbone.step(output, timestep, latents, generators(0))
    torch.testing.assert_close(latents, reference, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("start", [{}, {"start_from": "degraded", "start_strength": 0.5}])
def test_a_batch_of_two_equals_single_runs(backbone, pictures, start):
    sampling = SamplingSettings(num_inference_steps=6, num_refinements=2, num_free_chains=1, **start)
    restorer = make_restorer(backbone, sampling=sampling)
    degraded = pictures[:2] * 0.6
    both = restorer.restore(degraded, [None] * 2)
    singles = torch.cat([restorer.restore(degraded[row : row + 1], [None]) for row in range(2)])
    torch.testing.assert_close(both, singles, atol=1e-4, rtol=0)
    assert float(both.std()) > 0.01


def test_guidance_pulls_the_sample_towards_the_photo(backbone, pictures):
    degraded = pictures[:2] * 0.6
    errors = []
    for strength in (0.0, 0.3, 3.0):
        guidance = GuidanceSettings(strength=strength, alignment_until=1000)
        restorer = make_restorer(backbone, alignment=Identity(), guidance=guidance)
        errors.append(float((restorer.restore(degraded, [None] * 2) - degraded).pow(2).mean()))
    # Random weights: the decoder can draw little of the photo, but what it can it should.
    assert errors[0] > errors[1] > errors[2]


def test_windows_of_losses_choose_among_the_levels(backbone, pictures):
    sampling = SamplingSettings(num_inference_steps=6, num_refinements=0)
    timesteps = backbone.begin(6, 1.0)
    inside = [timestep for timestep in timesteps if 400 <= timestep < 900]
    assert 0 < len(inside) < 6
    seen = []

    class Recorded(L2):
        def forward(self, state):
            seen.append(len(state.restored))
            return super().forward(state)

    losses = {"l2": LossTerm(Recorded(), min_timestep=400, max_timestep=900)}
    restorer = make_restorer(
        backbone,
        alignment=Identity(),
        losses=losses,
        sampling=sampling,
        guidance=GuidanceSettings(strength=0.1, alignment_until=1000),
    )
    steps = []
    restorer.restore(pictures[:1], [None], steps.append)
    assert len(seen) == len(inside)
    assert [step.timestep for step in steps] == timesteps
