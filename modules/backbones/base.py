"""What a backbone is: a pretrained latent diffusion model behind the few operations the method needs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from modules.backbones.precision import Precision
from modules.priors.base import Semantics
from modules.windows import WindowSettings

NUM_TIMESTEPS = 1000
"""Timesteps run from this (pure noise) to 0 (clean) for every model, whatever its own count; windows of losses too."""

Conditioning = Any
"""What a backbone made of `Semantics`; only the backbone that made it can read it."""


class Prediction(NamedTuple):
    """What the denoiser says at one timestep.

    Attributes:
        x0: Estimate of the clean latents, shape (N, C, h, w).
        model_output: What the scheduler's step takes, shape (N, C, h, w).
    """

    x0: Tensor
    model_output: Tensor


class Backbone(Precision, ABC):
    """What the method asks of a pretrained model; `LatentDiffusion` answers it for models of three parts.

    Images are RGB in [0, 1]; only a backbone knows the range and scale its networks want. Rows of every batch are
    independent. Chains of the same image lie a whole batch apart: row ``chain * B + image``. Timesteps are numbers in
    [0, `NUM_TIMESTEPS`], not always whole.
    """

    size_multiple: int
    """Width and height of the images must be multiples of this many pixels."""

    windows: WindowSettings = WindowSettings()
    """How larger pictures are cut; a backbone that takes no notice takes them whole."""

    @property
    def folder(self) -> Path | None:
        """Local folder of the weights, in which parts made for them may lie; None if there is none."""
        return None

    @abstractmethod
    def load(self) -> None:
        """Read the weights; does nothing the second time.

        Raises:
            ValueError: If the weights cannot be found or do not fit; one sentence with the remedy.
        """

    @abstractmethod
    def latent_shape(self, images: Tensor) -> tuple[int, int, int]:
        """Shape (C, h, w) of the latents of one of these images, shape (B, 3, H, W)."""

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Latents of unit size, shape (B, C, h, w), of images, shape (B, 3, H, W), range [0, 1]."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Images, shape (B, 3, H, W), nominally in [0, 1] and not clipped, of latents, shape (B, C, h, w)."""

    def decode_for_gradients(self, latents: Tensor) -> Tensor:
        """Images of `decode`, whose gradient may be that of a cheaper decoder.

        Where only float32 was enough they have none; within `in_full` they do.
        """
        return self.decode(latents)

    @abstractmethod
    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps (B, channels, h, w) of the first encoder levels, for perceptual losses."""

    @abstractmethod
    def condition(
        self, semantics: Semantics, batch_size: int, num_chains: int = 1, guidance_scale: float = 1.0
    ) -> Conditioning:
        """Prepare what the denoiser is told about ``num_chains`` chains of each image.

        Args:
            semantics: Content of the B images.
            batch_size: B, which empty semantics do not tell.
            num_chains: Chains per image.
            guidance_scale: Classifier-free guidance; 1 follows the prompt without amplifying it.
        """

    @abstractmethod
    def begin(self, num_inference_steps: int, strength: float) -> Sequence[float]:
        """Start a pass over the last ``strength`` share of the steps and forget the history of earlier passes.

        Returns:
            The pass's timesteps, descending.
        """

    @abstractmethod
    def predict_x0(self, latents: Tensor, timestep: float, conditioning: Conditioning) -> Prediction:
        """Predict the clean latents; one denoiser call for all chains and both guidance halves."""

    @abstractmethod
    def x0_from(self, model_output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        """Clean latents that a model output means for these latents."""

    @abstractmethod
    def step(
        self, model_output: Tensor, timestep: float, latents: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Latents at the next lower timestep; random steps draw row i from generator i."""

    @abstractmethod
    def renoise(self, latents: Tensor, noise: Tensor, timestep: float) -> Tensor:
        """Clean latents with noise of a timestep added."""

    def noise_to_signal(self, timestep: float) -> float:
        """How many times the clean latents the noise is in what `renoise` gives at a timestep."""
        one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
        return float(self.renoise(zero, one, timestep) / self.renoise(one, zero, timestep))
