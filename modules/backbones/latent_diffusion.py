"""A backbone of three parts: codec, noise path, denoiser."""

from collections.abc import Sequence

import torch
from torch import Tensor

from modules.backbones.base import Backbone, Conditioning, Prediction
from modules.backbones.codec import Codec
from modules.backbones.denoiser import Denoiser
from modules.backbones.noise_path import NoisePath
from modules.fused_windows import fused
from modules.priors.base import Semantics


class LatentDiffusion(Backbone):
    """What all latent models share; a subclass only writes `load`, which registers its networks and calls `compose`.

    The parts are plain objects that refer to the networks, so that weights keep the names the subclass gives them.
    """

    codec: Codec
    """Images to latents and back."""

    noise_path: NoisePath
    """Levels of noise, and steps between them."""

    denoiser: Denoiser
    """Conditioning, and the network's opinion of noisy latents."""

    def compose(self, codec: Codec, noise_path: NoisePath, denoiser: Denoiser) -> None:
        """Take the three parts."""
        self.codec, self.noise_path, self.denoiser = codec, noise_path, denoiser
        self.size_multiple = codec.downscale_factor * denoiser.latent_multiple

    def latent_shape(self, images: Tensor) -> tuple[int, int, int]:
        """See `Backbone.latent_shape`."""
        return self.codec.latent_shape(images)

    def encode(self, images: Tensor) -> Tensor:
        """See `Backbone.encode`."""
        return self.precisely(lambda values: self.codec.encode_in_windows(values, self.windows.side_px), images)

    def decode(self, latents: Tensor) -> Tensor:
        """See `Backbone.decode`."""
        return self.precisely(lambda values: self.codec.decode_in_windows(values, self.windows.side_px), latents)

    def decode_for_gradients(self, latents: Tensor) -> Tensor:
        """See `Backbone.decode_for_gradients`."""
        if self.codec.cheap is None:
            return self.decode(latents)
        with torch.no_grad():
            images = self.decode(latents)
        # Losses see what will come out in the end; only the way back to the latents is approximate.
        codec = self.codec.cheap
        cheap = self.precisely(lambda values: codec.decode_in_windows(values, self.windows.side_px), latents)
        return images + (cheap - cheap.detach())

    def features(self, images: Tensor) -> list[Tensor]:
        """See `Backbone.features`."""
        with self.computing(images.device):
            return self.codec.features(images)

    def condition(
        self, semantics: Semantics, batch_size: int, num_chains: int = 1, guidance_scale: float = 1.0
    ) -> Conditioning:
        """See `Backbone.condition`.

        Raises:
            ValueError: If the semantics hold what the denoiser cannot read.
        """
        return self.denoiser.condition(semantics, batch_size, num_chains, guidance_scale)

    def begin(self, num_inference_steps: int, strength: float) -> list[float]:
        """See `Backbone.begin`; ``strength`` picks the steps as diffusers' image-to-image pipelines do."""
        return self.noise_path.begin(num_inference_steps, strength)

    @torch.no_grad()
    def predict_x0(self, latents: Tensor, timestep: float, conditioning: Conditioning) -> Prediction:
        """See `Backbone.predict_x0`."""

        def denoise(part: Tensor) -> Tensor:
            return self.denoiser(part, self.noise_path.at(timestep), conditioning)

        windows, factor = self.windows, self.codec.downscale_factor
        side = max(latents.shape[-2:]) if windows.side_px is None else windows.side_px // factor
        overlap, multiple = windows.overlap_px // factor, self.denoiser.latent_multiple
        model_output = self.precisely(lambda values: fused(denoise, values, side, overlap, multiple), latents)
        return Prediction(self.noise_path.x0_from(model_output, latents, timestep), model_output)

    def x0_from(self, model_output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        """See `Backbone.x0_from`."""
        return self.noise_path.x0_from(model_output, latents, timestep)

    def step(
        self, model_output: Tensor, timestep: float, latents: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """See `Backbone.step`."""
        return self.noise_path.step(model_output, timestep, latents, generators)

    def renoise(self, latents: Tensor, noise: Tensor, timestep: float) -> Tensor:
        """See `Backbone.renoise`."""
        return self.noise_path.mix(latents, noise, timestep)
