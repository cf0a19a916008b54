"""Restorers and backbones that tests put together."""

from collections.abc import Sequence

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from ldrps.methods.ld_rps.guidance import Guidance, GuidanceSettings
from ldrps.methods.ld_rps.ld_rps import LDRPS
from ldrps.methods.ld_rps.sampling import SamplingSettings
from ldrps.methods.restorer import Restorer
from modules.alignment.identity import Identity
from modules.backbones.base import Backbone, Prediction
from modules.backbones.stable_diffusion import StableDiffusion
from modules.losses.base import LossTerm
from modules.losses.l2 import L2
from modules.outputs.decoded import Decoded
from modules.priors.base import Semantics
from modules.priors.null import Null


def make_restorer(folder, dtype="float32", sampling=None, guidance=None, **settings) -> LDRPS:
    """LD-RPS on a micro pipeline; every part can be replaced."""
    defaults = {
        "prior": Null(),
        "alignment": Identity(),
        "losses": {"l2": LossTerm(L2())},
        "alignment_losses": {"l2": LossTerm(L2())},
        "output": Decoded(),
        "alignment_optimizer": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
    }
    sampling = SamplingSettings(num_inference_steps=4, num_refinements=1) if sampling is None else sampling
    guidance = GuidanceSettings(strength=0.5, alignment_until=1000) if guidance is None else guidance
    backbone = StableDiffusion(str(folder), dtype=dtype)
    restorer = LDRPS(backbone=backbone, sampling=sampling, guidance=guidance, **(defaults | settings))
    restorer.load()
    return restorer


class GaussianBackbone(Backbone):
    """A "diffusion model" whose data is normal with a given mean and variance in every pixel.

    Images are their own latents, or ``0.5 + image_scale * latents``. The x0 prediction is
    the exact posterior mean E[x0 | x_t], an affine function, so whatever the sampler does with linear damage and L2 can
    be recomputed by hand.
    """

    def __init__(self, mean: float, variance: float, image_scale: float | None = None) -> None:
        super().__init__()
        self.mean, self.variance, self.image_scale = mean, variance, image_scale
        self.num_train_timesteps, self.size_multiple = 1000, 1
        self.scheduler = DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=True
        )

    def load(self) -> None:
        pass

    def latent_shape(self, images):
        return tuple(images.shape[1:])

    def encode(self, images):
        return images

    def decode(self, latents):
        return latents if self.image_scale is None else 0.5 + self.image_scale * latents

    def features(self, images):
        return [images]

    def condition(self, semantics: Semantics, batch_size, num_chains=1, guidance_scale=1.0):
        return None

    def begin(self, num_inference_steps, strength):
        self.scheduler.set_timesteps(num_inference_steps)
        kept = max(1, int(num_inference_steps * strength))
        return [int(timestep) for timestep in self.scheduler.timesteps[-kept:]]

    def _alpha(self, timestep) -> float:
        return float(self.scheduler.alphas_cumprod[timestep])

    def predict_x0(self, latents, timestep, conditioning) -> Prediction:
        alpha = self._alpha(timestep)
        gain = self.variance * alpha**0.5 / (alpha * self.variance + 1 - alpha)
        x0 = self.mean + gain * (latents - alpha**0.5 * self.mean)
        return Prediction(x0, (latents - alpha**0.5 * x0) / (1 - alpha) ** 0.5)

    def x0_from(self, model_output, latents, timestep):
        alpha = self._alpha(timestep)
        return (latents - (1 - alpha) ** 0.5 * model_output) / alpha**0.5

    def step(self, model_output, timestep, latents, generators: Sequence[torch.Generator]) -> Tensor:
        return self.scheduler.step(model_output, timestep, latents).prev_sample

    def renoise(self, latents, noise, timestep):
        alpha = self._alpha(timestep)
        return alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise


def make_guidance(backbone, alignment, losses, settings=None, alignment_losses=None) -> Guidance:
    """Guidance with an L2 fit of the alignment net unless told otherwise."""
    return Guidance(
        backbone,
        alignment,
        losses,
        alignment_losses or {"l2": LossTerm(L2())},
        lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
        settings or GuidanceSettings(alignment_until=1000),
    )


def generators(*seeds: int) -> list[torch.Generator]:
    """One generator per seed."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


class Stubborn(Restorer):
    """Returns its input, but refuses square images."""

    def load(self):
        pass

    def restore(self, degraded, paths, observe=lambda step: None):
        if degraded.shape[2] == degraded.shape[3]:
            raise KeyError("squares are beneath me")
        return degraded
