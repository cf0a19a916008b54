"""Training of the adapter between DA-CLIP and a denoiser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation
from degradations.drawing import Generators, coins, generators_for, normal, uniform
from ldrps.training.base import Training
from modules.backbones.stable_diffusion import StableDiffusion
from modules.networks.da_clip import load_da_clip
from modules.networks.prior_adapter import PriorAdapter
from modules.priors.base import Semantics
from modules.priors.da_clip import part_folder


class PriorAdapterTraining(Training):
    """Trains K tokens of an image embedding for a frozen denoiser, on its own denoising loss.

    The photo that is denoised is clean; the embedding comes from a degraded copy, as it will when photos are restored.

    Args:
        backbone: The frozen model.
        degradation: How the photos that DA-CLIP sees are damaged.
        da_clip: DA-CLIP folder; None takes ``da_clip`` in the backbone's folder.
        num_tokens: Tokens per image.
        hidden_dim: Width of the adapter's hidden layer.
        caption_dropout: Share of captions replaced by the empty one, so that the tokens also work without text.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Folder that receives ``prior_adapter``.
        seed: See `Training`.

    References:
        Ye et al. 2023, IP-Adapter, Sec. 3.2, with the tokens beside those of the text.
    """

    def __init__(
        self,
        backbone: StableDiffusion,
        degradation: Degradation,
        da_clip: str | None = None,
        num_tokens: int = 4,
        hidden_dim: int = 512,
        caption_dropout: float = 0.5,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        warmup_steps: int = 100,
        export_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        # Frozen, so they are no submodules: checkpoints and averages leave them out, and they may be gigabytes.
        self._backbone = [backbone]
        self._da_clip: list[torch.nn.Module] = []
        self.degradation = degradation
        self.da_clip = da_clip
        self.num_tokens = num_tokens
        self.hidden_dim = hidden_dim
        self.caption_dropout = caption_dropout

    def configure_model(self) -> None:
        """Load the frozen parts and build the adapter to fit them."""
        if hasattr(self, "adapter"):
            return
        [backbone] = self._backbone
        backbone.load()
        da_clip = load_da_clip(part_folder("da_clip", self.da_clip, backbone.folder))
        self._da_clip = [da_clip]
        self.adapter = PriorAdapter(
            embedding_dim=da_clip.config.clip_config["projection_dim"],
            cross_attention_dim=backbone.unet.config.cross_attention_dim,
            num_tokens=self.num_tokens,
            hidden_dim=self.hidden_dim,
        )

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Squared error of the denoiser's output."""
        generators = self._generators(len(batch["caption"]))
        dropped = coins(self.caption_dropout, generators).tolist()
        captions = ["" if drop else caption for caption, drop in zip(batch["caption"], dropped, strict=True)]
        tokens = self.adapter(self._embed(batch["image"], generators))
        levels = uniform((0, 1), generators)
        noise = normal(generators, *self._backbone[0].latent_shape(batch["image"]))
        loss = self._loss(batch["image"], captions, tokens, levels, noise)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Loss on the held-out photos without text, with the tokens and without them, on the same noise."""
        size = len(batch["caption"])
        levels = torch.linspace(0, 1, size)
        tokens = self.adapter(
            self._embed(batch["image"], generators_for(0, range(batch_idx * size, (batch_idx + 1) * size)))
        )
        noise = torch.randn(size, *self._backbone[0].latent_shape(batch["image"]))
        for name, own in (("val/loss", tokens), ("val/loss_without_tokens", torch.zeros_like(tokens))):
            loss = self._loss(batch["image"], [""] * size, own, levels, noise)
            self.log(name, loss, prog_bar=True, batch_size=size, sync_dist=True)

    def export(self, folder: Path) -> None:
        """Write ``prior_adapter``."""
        self.adapter.half().save_pretrained(folder / "prior_adapter")

    @torch.no_grad()
    def _embed(self, images: Tensor, generators: Generators) -> Tensor:
        degraded, _ = self._damaged(self.degradation, images, generators)
        content, _ = self._da_clip[0].to(degraded.device)(degraded)
        return content

    def _loss(self, images: Tensor, captions: Sequence[str], tokens: Tensor, levels: Tensor, noise: Tensor) -> Tensor:
        backbone = self._backbone[0].to(images.device)
        with torch.no_grad():
            latents = backbone.encode(images)
            noise = noise.to(latents)
            timesteps = (levels * (backbone.num_train_timesteps - 1)).long().to(latents.device)
            noisy = backbone.scheduler.add_noise(latents, noise, timesteps)
            velocity = backbone.scheduler.get_velocity(latents, noise, timesteps)
            targets = {"epsilon": noise, "v_prediction": velocity, "sample": latents}
            target = targets[backbone.scheduler.config.prediction_type]
            text = backbone.condition(Semantics(prompts=captions), len(captions)).hidden_states
        hidden_states = torch.cat([text, tokens.to(text)], dim=1)
        prediction = backbone.unet(noisy.to(backbone.dtype), timesteps, encoder_hidden_states=hidden_states).sample
        return F.mse_loss(prediction.float(), target)
