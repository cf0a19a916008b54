"""The noise path of DDPM and Stable Diffusion 1 and 2: ``signal ** 2 + noise ** 2 = 1``."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from modules.backbones.base import NUM_TIMESTEPS
from modules.backbones.noise_path import Level, NoisePath, num_skipped

FITTING = "DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler or UniPCMultistepScheduler"
"""What is told to somebody whose scheduler is none."""

PROBE_STEPS = 4
"""So many steps are asked for to see whether a scheduler takes as many."""


class VariancePreserving(NoisePath):
    """A diffusers scheduler that works on variance-preserving latents; prediction type and step rule are its own.

    Args:
        scheduler: DDIM, DDPM, DPMSolverMultistep, UniPCMultistep or a subclass of one; None takes DDIM with diffusers'
            defaults, the x0 prediction not clipped.

    Raises:
        ValueError: If the scheduler scales latents in another way, takes more steps than asked, or its prediction
            type is unknown.

    References:
        Song et al. 2021, Denoising Diffusion Implicit Models, Eq. 9; Salimans and Ho 2022, Appendix D (velocity).
    """

    def __init__(self, scheduler: Any = None) -> None:
        scheduler = DDIMScheduler(clip_sample=False) if scheduler is None else scheduler
        if not hasattr(scheduler, "alphas_cumprod") or hasattr(scheduler, "is_scale_input_called"):
            raise ValueError(
                f"scheduler {type(scheduler).__name__} does not work on variance-preserving latents: use {FITTING}"
            )
        count = min(PROBE_STEPS, scheduler.config.num_train_timesteps)
        scheduler.set_timesteps(count)
        if len(scheduler.timesteps) != count:
            raise ValueError(
                f"scheduler {type(scheduler).__name__} takes {len(scheduler.timesteps)} steps where {count} are asked "
                f"for: use {FITTING}"
            )
        if scheduler.config.prediction_type not in ("epsilon", "v_prediction", "sample"):
            raise ValueError(
                f"prediction_type {scheduler.config.prediction_type!r} of the scheduler is no variance-preserving one: "
                "use epsilon, v_prediction or sample"
            )
        self.scheduler = scheduler
        self._takes_generator = "generator" in inspect.signature(scheduler.step).parameters

    def at(self, timestep: float) -> Level:
        """See `NoisePath.at`; the nearest entry of the scheduler's table."""
        count = self.scheduler.config.num_train_timesteps
        index = min(count - 1, round(timestep * count / NUM_TIMESTEPS))
        alpha_cumprod = float(self.scheduler.alphas_cumprod[index])
        return Level(alpha_cumprod**0.5, (1 - alpha_cumprod) ** 0.5, index)

    def begin(self, num_inference_steps: int, strength: float) -> list[float]:
        """See `NoisePath.begin`.

        Raises:
            ValueError: If the scheduler rounds to another number of steps, as `trailing` does with 61 of 1000.
        """
        self.scheduler.set_timesteps(num_inference_steps)
        if (taken := len(self.scheduler.timesteps)) != num_inference_steps:
            raise ValueError(
                f"num_inference_steps={num_inference_steps} becomes {taken} steps of {type(self.scheduler).__name__} "
                f"with timestep_spacing {self.scheduler.config.get('timestep_spacing')}: ask for another number"
            )
        first = num_skipped(num_inference_steps, strength) * getattr(self.scheduler, "order", 1)
        if first and hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(first)
        count = self.scheduler.config.num_train_timesteps
        timesteps = [int(index) * NUM_TIMESTEPS / count for index in self.scheduler.timesteps[first:]]
        # Whole numbers stay whole, so that a scheduler of as many timesteps knows them too.
        return [int(timestep) if timestep.is_integer() else timestep for timestep in timesteps]

    def x0_from(self, model_output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        """See `NoisePath.x0_from`."""
        level = self.at(timestep)
        match self.scheduler.config.prediction_type:
            case "epsilon":
                x0 = (latents - level.noise * model_output) / level.signal
            case "v_prediction":
                x0 = level.signal * latents - level.noise * model_output
            case _:
                x0 = model_output
        if getattr(self.scheduler.config, "thresholding", False):
            # The guidance must see the same x0 prediction that the scheduler steps with.
            x0 = self.scheduler._threshold_sample(x0)
        return x0

    def noise_from(self, model_output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        """See `NoisePath.noise_from`."""
        level = self.at(timestep)
        match self.scheduler.config.prediction_type:
            case "epsilon":
                return model_output
            case "v_prediction":
                return level.noise * latents + level.signal * model_output
            case _:
                return (latents - level.signal * model_output) / level.noise

    def target(self, x0: Tensor, noise: Tensor, timestep: float) -> Tensor:
        """See `NoisePath.target`."""
        level = self.at(timestep)
        match self.scheduler.config.prediction_type:
            case "epsilon":
                return noise
            case "v_prediction":
                return level.signal * noise - level.noise * x0
            case _:
                return x0

    def step(
        self, model_output: Tensor, timestep: float, latents: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """See `NoisePath.step`."""
        random = {"generator": list(generators)} if self._takes_generator else {}
        return self.scheduler.step(model_output, self.at(timestep).model_timestep, latents, **random).prev_sample
