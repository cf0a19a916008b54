"""The denoiser of Stable Diffusion 1 and 2: a U-Net with cross-attention to text."""

from typing import Any

import torch
from torch import Tensor

from modules.backbones.denoiser import Denoiser, merge_halves
from modules.backbones.noise_path import Level
from modules.backbones.text_conditioning import TextConditioner, TextConditioning
from modules.priors.base import Semantics


class UNetDenoiser(Denoiser):
    """A ``UNet2DConditionModel``, in its own precision, told texts, tokens and the embeddings of an IP-Adapter.

    Args:
        unet: The network.
        conditioner: Makes tokens of semantics.
    """

    def __init__(self, unet: Any, conditioner: TextConditioner) -> None:
        self.unet = unet
        self.conditioner = conditioner
        self.latent_multiple = 2 ** (len(unet.config.block_out_channels) - 1)

    def condition(
        self, semantics: Semantics, batch_size: int, num_chains: int, guidance_scale: float
    ) -> TextConditioning:
        """See `Denoiser.condition`.

        Raises:
            ValueError: If embeddings do not fit the cross-attention or IP-Adapter, or are not numbers.
        """
        return self.conditioner(semantics, batch_size, num_chains, guidance_scale)

    def __call__(self, latents: Tensor, level: Level, conditioning: TextConditioning) -> Tensor:
        """See `Denoiser.__call__`."""
        rows, dtype = conditioning.guided_rows, self.unet.dtype
        batch = torch.cat([latents, latents[rows]]) if len(rows) else latents
        hidden_states = torch.cat([conditioning.hidden_states, conditioning.guided_hidden_states]).to(dtype)
        added = None
        if conditioning.image_embeddings is not None and conditioning.guided_image_embeddings is not None:
            embeddings = torch.cat([conditioning.image_embeddings, conditioning.guided_image_embeddings])
            added = {"image_embeds": [embeddings[:, None].to(dtype)]}
        output = self.unet(
            batch.to(dtype), level.model_timestep, encoder_hidden_states=hidden_states, added_cond_kwargs=added
        ).sample
        return merge_halves(output.to(latents.dtype), rows, conditioning.guidance_scale)
