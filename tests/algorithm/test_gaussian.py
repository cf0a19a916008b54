"""With a normal prior and linear damage every step is affine: the sampler can be recomputed by hand."""

import numpy as np
import pytest
import torch

from ldrps.methods.ld_rps.algorithm import Run, restore
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.sampling import SamplingSettings, draw_noise
from modules.alignment.base import Alignment
from modules.alignment.identity import Identity
from modules.losses.base import LossTerm
from modules.losses.l2 import L2
from tests.builders import GaussianBackbone, generators, make_guidance

MEAN, VARIANCE = 0.5, 0.01


class KnownGain(Alignment):
    """Linear damage whose gain is known: psi(x) = 0.5 x."""

    def begin(self, degraded, generators):
        pass

    def forward(self, images):
        return 0.5 * images


def run_sampler(degraded, alignment, settings, strength, seeds):
    backbone = GaussianBackbone(MEAN, VARIANCE)
    guidance_settings = GuidanceSettings(strength=strength, alignment_until=1000)
    guidance = make_guidance(backbone, alignment, {"l2": LossTerm(L2())}, guidance_settings)
    run = Run(backbone, lambda: None, guidance, settings, generators(*seeds))
    with torch.no_grad():
        return restore(degraded, run)


def recompute(degraded, gain, settings, strength, seeds):
    """The same in NumPy, float64, from the formulas alone (DDIM Eq. 12 with eta 0)."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=np.float64) ** 2
    alphas = np.cumprod(1 - betas)
    stride = 1000 // settings.num_inference_steps
    all_timesteps = np.arange(settings.num_inference_steps)[::-1] * stride
    drawn = generators(*seeds)
    like = torch.zeros(1, dtype=torch.float64)

    def noise():
        return draw_noise(degraded.shape[1:], 1, drawn, like).numpy()

    def chain(x, timesteps):
        for t in timesteps:
            a = alphas[t]
            a_next = alphas[t - stride] if t >= stride else 1.0
            x0 = MEAN + VARIANCE * a**0.5 / (a * VARIANCE + 1 - a) * (x - a**0.5 * MEAN)
            eps = (x - a**0.5 * x0) / (1 - a) ** 0.5
            # The loss is a mean over the image; per_latent guidance multiplies by the number of latents.
            gradient = 2 * gain * (gain * x0 - degraded)
            x = a_next**0.5 * x0 + (1 - a_next) ** 0.5 * eps - strength * gradient
        return x

    x = chain(noise(), all_timesteps)
    for _ in range(settings.num_refinements):
        kept = all_timesteps[-max(1, int(settings.num_inference_steps * settings.strength)) :]
        a = alphas[kept[0]]
        x = chain(a**0.5 * x + (1 - a) ** 0.5 * noise(), kept)
    return np.clip(x, 0, 1)


@pytest.mark.parametrize(("alignment", "gain"), [(Identity(), 1.0), (KnownGain(), 0.5)])
@pytest.mark.parametrize("strength", [0.0, 0.02])
def test_sampler_equals_an_independent_recursion(pictures, alignment, gain, strength):
    degraded = (gain * pictures[:2]).double()
    settings = SamplingSettings(num_inference_steps=20, num_refinements=2, strength=0.5)
    ours = run_sampler(degraded, alignment, settings, strength, [3, 4])
    by_hand = recompute(degraded.numpy(), gain, settings, strength, [3, 4])
    assert np.abs(ours.numpy() - by_hand).max() < 1e-6


def test_guidance_moves_the_sample_towards_the_observation(pictures):
    degraded = pictures[:1].double()
    settings = SamplingSettings(num_inference_steps=20, num_refinements=0)
    errors = [
        float((run_sampler(degraded, Identity(), settings, strength, [3]) - degraded).pow(2).mean())
        for strength in (0.0, 0.02, 0.2)
    ]
    assert errors[0] > errors[1] > errors[2]


def draw_without_guidance(backbone):
    """Latents of a backbone whose images are ``0.5 + 0.1 * latents``."""
    guidance = make_guidance(backbone, Identity(), {"l2": LossTerm(L2())}, GuidanceSettings(strength=0.0))
    settings = SamplingSettings(num_inference_steps=500, num_refinements=0)
    degraded = torch.full((1, 3, 64, 64), 0.1, dtype=torch.float64)
    return (restore(degraded, Run(backbone, lambda: None, guidance, settings, generators(5))) - 0.5) / 0.1


def assert_moments(latents, mean, variance):
    """Three standard errors, plus 2 % for 500 steps and a start that is not quite pure noise."""
    count = latents.numel()
    assert abs(float(latents.mean()) - mean) < 3 * (variance / count) ** 0.5 + 0.02
    assert abs(float(latents.var()) - variance) < 3 * variance * (2 / count) ** 0.5 + 0.02 * variance


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.6, 0.5), (-0.5, 1.5)])
def test_without_guidance_the_moments_of_the_prior_come_out(mean, variance):
    # Latents of about unit size, as real ones are; a tenth of them around mid-grey stays inside [0, 1].
    assert_moments(draw_without_guidance(GaussianBackbone(mean, variance, image_scale=0.1)), mean, variance)


@pytest.mark.parametrize("strength", [0.05, 0.1])
def test_a_start_from_the_image_stays_nearer_to_it_than_one_from_noise(pictures, strength):
    degraded = pictures[:1].double()
    distances = []
    for start in ({"start_from": "degraded", "start_strength": strength}, {"start_from": "noise"}):
        settings = SamplingSettings(num_inference_steps=20, num_refinements=0, **start)
        sample = run_sampler(degraded, Identity(), settings, 0.0, [3])
        distances.append(float((sample - degraded).pow(2).mean()))
    assert distances[0] < 0.8 * distances[1]


def test_free_chains_do_not_change_an_identity_run(pictures):
    degraded = pictures[:1].double()
    results = []
    for num_free_chains in (0, 1):
        settings = SamplingSettings(num_inference_steps=10, num_refinements=0, num_free_chains=num_free_chains)
        drawn = run_sampler(degraded, Identity(), settings, 0.05, [3])
        results.append(drawn)
    torch.testing.assert_close(results[0], results[1])
