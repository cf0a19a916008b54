"""How a model goes from clean latents to noise and back: levels, mixing, what a model output means, one step."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Level(NamedTuple):
    """A point of a noise path, where ``latents = signal * x0 + noise * n``.

    Attributes:
        signal: Factor of the clean latents, in [0, 1].
        noise: Factor of the standard normal noise, in [0, 1].
        model_timestep: What the denoiser was trained to call this point.
    """

    signal: float
    noise: float
    model_timestep: float


class NoisePath(ABC):
    """The noise path of a diffusion or flow model, and the rule that steps along it.

    Timesteps are names of levels: numbers in [0, `NUM_TIMESTEPS`], not always whole, 0 the clean end.
    """

    @abstractmethod
    def at(self, timestep: float) -> Level:
        """Level at a timestep."""

    @abstractmethod
    def begin(self, num_inference_steps: int, strength: float) -> list[float]:
        """Start a pass over the last ``strength`` share of the steps, in (0, 1], and forget earlier passes.

        Returns:
            The pass's timesteps, descending.
        """

    @abstractmethod
    def x0_from(self, model_output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        """Clean latents that a model output, shape (N, C, h, w), means for these latents of the same shape."""

    @abstractmethod
    def noise_from(self, model_output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        """Noise that a model output, shape (N, C, h, w), means for these latents of the same shape."""

    @abstractmethod
    def target(self, x0: Tensor, noise: Tensor, timestep: float) -> Tensor:
        """What the denoiser should say about the mixture of x0 and noise, all of shape (N, C, h, w)."""

    @abstractmethod
    def step(
        self, model_output: Tensor, timestep: float, latents: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Latents at the pass's next lower timestep; random steps draw row i from generator i."""

    def mix(self, x0: Tensor, noise: Tensor, timestep: float) -> Tensor:
        """Clean latents with the noise of a timestep, shape (N, C, h, w)."""
        level = self.at(timestep)
        return level.signal * x0 + level.noise * noise


def num_skipped(num_inference_steps: int, strength: float) -> int:
    """First steps that a pass of some strength leaves out, as diffusers' image-to-image pipelines count them.

    Example:
        >>> num_skipped(50, strength=0.3), num_skipped(5, strength=0.01)
        (35, 4)
    """
    return num_inference_steps - max(1, min(num_inference_steps, int(num_inference_steps * strength)))
