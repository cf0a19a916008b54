"""Colour for photos that have none: what the diffusion model expects, given the brightness."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from kornia.color import rgb_to_grayscale
from torch import Tensor

from ldrps.methods.ld_rps.sampling import draw_noise
from ldrps.methods.ld_rps.working_size import WorkingSize
from modules.alignment.ordinary_photos import greyness
from modules.backbones.base import NUM_TIMESTEPS, Backbone, Conditioning


@dataclass(frozen=True)
class Colorization:
    """Colours photos without colour by the mean over several samples of the diffusion model.

    From pure noise, every x0 prediction is decoded, given the photo's luma, encoded, and noised to the next timestep:
    the damage "luma of" is known and linear, so that what it leaves is the photo's and only what it takes away is
    drawn. One sample is a guess; their mean is the colour that the model expects, which errs least. Photos with colour
    are returned as they are, those between in part.

    Attributes:
        num_samples: Samples whose colours are averaged.
        strength: Share of that colour which the photo is given, in [0, 1]. Half of it brings most of the gain in
            CIEDE2000, and costs photos that never had colour half as much.
        num_inference_steps: Steps over the whole noise schedule.
        until: Share of the schedule, counted from the clean end, at which the colours are read off, in [0, 1); the rest
            of the schedule would add detail, which the photo has.
        side_px: Photos are coloured at this size (square root of the area), since colour is coarse; near the size of
            the pictures that the diffusion model was trained on.

    Raises:
        ValueError: If a number lies outside its interval.

    References:
        Wang et al. 2023, Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model, Eq. 13.
    """

    num_samples: int = 8
    strength: float = 0.5
    num_inference_steps: int = 16
    until: float = 0.4
    side_px: int = 128

    def __post_init__(self) -> None:
        for name in ("num_samples", "num_inference_steps", "side_px"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name}={getattr(self, name)} must be at least 1; `colorization: null` leaves photos grey"
                )
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength={self.strength} must lie in [0, 1]; 1 gives all of the expected colour")
        if not 0 <= self.until < 1:
            raise ValueError(f"until={self.until} must lie in [0, 1): it is a share of the noise schedule")

    def is_wanted(self, images: Tensor) -> bool:
        """Whether one of the images, shape (B, 3, H, W), range [0, 1], lacks colour."""
        return bool(greyness(images).any())

    def __call__(
        self, images: Tensor, backbone: Backbone, conditioning: Conditioning, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Colour those of the images that have no colour.

        Args:
            images: Shape (B, 3, H, W), range [0, 1], without noise.
            backbone: The pretrained model.
            conditioning: What it was told, for `num_samples` chains of each image.
            generators: One per image.

        Returns:
            Images of the same shape and range; their luma is that of the input as far as the range allows.
        """
        height, width = images.shape[-2:]
        size = WorkingSize(height, width, self.side_px / (height * width) ** 0.5, backbone.size_multiple)
        small = size.enter(images)
        luma = rgb_to_grayscale(small).repeat(self.num_samples, 1, 1, 1)
        latent_shape = backbone.latent_shape(small)
        timesteps = backbone.begin(self.num_inference_steps, 1.0)
        last = self.until * NUM_TIMESTEPS
        timesteps = [timestep for timestep in timesteps if timestep >= last] or timesteps[:1]
        latents = draw_noise(latent_shape, self.num_samples, generators, luma)
        for timestep, following in zip(timesteps, [*timesteps[1:], None], strict=True):
            drawn = backbone.decode(backbone.predict_x0(latents, timestep, conditioning).x0).clamp(0, 1)
            drawn = drawn + luma - rgb_to_grayscale(drawn)
            if following is not None:
                noise = draw_noise(latent_shape, self.num_samples, generators, luma)
                latents = backbone.renoise(backbone.encode(drawn.clamp(0, 1)), noise, following)
        color = (drawn - luma).unflatten(0, (self.num_samples, len(images))).mean(dim=0)
        # From [-1, 1] to [0, 1] and back, where the working size works.
        color = size.leave(color / 2 + 0.5) * 2 - 1
        return (images + self.strength * greyness(images).view(-1, 1, 1, 1) * color).clamp(0, 1)
