"""The noise path of Stable Diffusion 3, Flux and Sana: a straight line from the clean latents to noise."""

from collections.abc import Sequence

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from modules.backbones.base import NUM_TIMESTEPS
from modules.backbones.noise_path import Level, NoisePath, num_skipped

UNSUPPORTED = ("use_dynamic_shifting", "invert_sigmas", "stochastic_sampling")


class RectifiedFlow(NoisePath):
    """Rectified flow with Euler steps: ``latents = (1 - sigma) * x0 + sigma * n``, model output ``n - x0``.

    Timesteps are ``1000 * sigma``: where the grid's ``shift`` crowds them towards the noise, a strength
    of 0.5 re-noises to a higher timestep than 500.

    Args:
        scheduler: Gives the grid of sigmas, its static shift included; None takes diffusers' defaults.

    Raises:
        ValueError: If the scheduler's configuration asks for something else than a fixed grid and Euler steps.

    References:
        Liu et al. 2023, Flow Straight and Fast, Eq. 1; Esser et al. 2024, Scaling Rectified Flow Transformers for
        High-Resolution Image Synthesis, Eq. 23 (shift).
    """

    def __init__(self, scheduler: FlowMatchEulerDiscreteScheduler | None = None) -> None:
        self.scheduler = FlowMatchEulerDiscreteScheduler() if scheduler is None else scheduler
        for name in UNSUPPORTED:
            if getattr(self.scheduler.config, name, False):
                raise ValueError(
                    f"{name} of the rectified-flow scheduler is not supported: set it to false; instead of a dynamic "
                    "shift, set `shift` to exp(mu) for the image size that the model works at"
                )
        self._timesteps = [0.0]

    def at(self, timestep: float) -> Level:
        """See `NoisePath.at`."""
        sigma = timestep / NUM_TIMESTEPS
        return Level(1 - sigma, sigma, sigma * self.scheduler.config.num_train_timesteps)

    def begin(self, num_inference_steps: int, strength: float) -> list[float]:
        """See `NoisePath.begin`."""
        self.scheduler.set_timesteps(num_inference_steps)
        self._timesteps = [float(sigma) * NUM_TIMESTEPS for sigma in self.scheduler.sigmas]
        return self._timesteps[num_skipped(num_inference_steps, strength) : -1]

    def x0_from(self, model_output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        """See `NoisePath.x0_from`."""
        return latents - self.at(timestep).noise * model_output

    def noise_from(self, model_output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        """See `NoisePath.noise_from`."""
        return latents + self.at(timestep).signal * model_output

    def target(self, x0: Tensor, noise: Tensor, timestep: float) -> Tensor:
        """See `NoisePath.target`."""
        return noise - x0

    def step(
        self, model_output: Tensor, timestep: float, latents: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """See `NoisePath.step`; the scheduler's own step would cut float64 latents to float32."""
        following = next(other for other in self._timesteps if other < timestep)
        return latents + (self.at(following).noise - self.at(timestep).noise) * model_output
