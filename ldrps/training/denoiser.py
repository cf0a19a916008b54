"""Training of the embedded denoiser."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from ldrps.training.base import Training
from ldrps.training.tokenizer import tokenize


class DenoiserTraining(Training):
    """Trains the denoiser of a latent diffusion pipeline (velocity prediction) on top of its frozen parts.

    Args:
        pipeline_dir: Folder with ``vae``, ``text_encoder`` and ``tokenizer``, as the other two trainings export it.
        block_out_channels: Width at each resolution; cross-attention works at the last.
        layers_per_block: Residual blocks at each resolution.
        caption_dropout: Share of captions replaced by the empty one, so that the model is also an unconditional one.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: See `Training`.
        initial_unet_dir: Folder of a denoiser to go on from, which then also gives widths and blocks; None starts anew.

    References:
        Salimans and Ho 2022, Progressive Distillation for Fast Sampling of Diffusion Models, Appendix D (velocity).
    """

    def __init__(
        self,
        pipeline_dir: str,
        block_out_channels: tuple[int, ...] = (64, 128, 160),
        layers_per_block: int = 1,
        caption_dropout: float = 0.2,
        learning_rate: float = 5e-4,
        weight_decay: float = 0.0,
        warmup_steps: int = 200,
        export_dir: str | None = None,
        initial_unet_dir: str | None = None,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir)
        self.pipeline_dir = pipeline_dir
        self.initial_unet_dir = initial_unet_dir
        self.block_out_channels = block_out_channels
        self.layers_per_block = layers_per_block
        self.caption_dropout = caption_dropout
        self.scheduler = stable_diffusion_schedule("v_prediction")

    def configure_model(self) -> None:
        """Load the frozen parts and build the denoiser to fit them."""
        if hasattr(self, "unet"):
            return
        folder = Path(self.pipeline_dir)
        self.vae = AutoencoderTiny.from_pretrained(folder / "vae").float().requires_grad_(False)
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").float().requires_grad_(False)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        if self.initial_unet_dir is None:
            unet = self._new_unet()
        else:
            unet = UNet2DConditionModel.from_pretrained(self.initial_unet_dir).float()
        self.unet = unet.to(memory_format=torch.channels_last).train()

    def _new_unet(self) -> UNet2DConditionModel:
        levels = len(self.block_out_channels)
        return UNet2DConditionModel(
            in_channels=self.vae.config.latent_channels,
            out_channels=self.vae.config.latent_channels,
            sample_size=64,
            block_out_channels=self.block_out_channels,
            layers_per_block=self.layers_per_block,
            down_block_types=("DownBlock2D",) * (levels - 1) + ("CrossAttnDownBlock2D",),
            up_block_types=("CrossAttnUpBlock2D",) + ("UpBlock2D",) * (levels - 1),
            cross_attention_dim=self.text_encoder.config.hidden_size,
            attention_head_dim=4,
        )

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Squared error of the predicted velocity."""
        kept = torch.rand(len(batch["caption"])) >= self.caption_dropout
        captions = [caption if keep else "" for caption, keep in zip(batch["caption"], kept.tolist(), strict=True)]
        loss = self._velocity_loss(batch["image"], captions, torch.rand(len(captions)))
        self.log("train/velocity", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Loss on the held-out photos, at evenly spread noise levels, and samples of their captions."""
        levels = torch.linspace(0, 1, len(batch["caption"]))
        loss = self._velocity_loss(batch["image"], batch["caption"], levels)
        self.log("val/velocity", loss, prog_bar=True, batch_size=len(levels))
        if batch_idx == 0:
            self._save_samples(self._sample(batch["caption"][:8])[None])

    def export(self, folder: Path) -> None:
        """Write denoiser, scheduler and index, and copy the frozen parts if they lie elsewhere."""
        if folder.resolve() != Path(self.pipeline_dir).resolve():
            shutil.copytree(self.pipeline_dir, folder, dirs_exist_ok=True)
        # Shards, so that no file outgrows what code hosts and reviewers like.
        # Where it was read from says nothing to who loads it.
        self.unet.register_to_config(_name_or_path="")
        self.unet.half().save_pretrained(folder / "unet", max_shard_size="10MB")
        self.scheduler.save_pretrained(folder / "scheduler")
        pipeline = StableDiffusionPipeline(
            vae=self.vae,
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            unet=self.unet,
            scheduler=self.scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.save_config(folder)

    def _velocity_loss(self, image: Tensor, captions: Sequence[str], levels: Tensor) -> Tensor:
        with torch.no_grad():
            latents = self.vae.encoder(image.to(memory_format=torch.channels_last) * 2 - 1).float()
            latents = latents * self.vae.config.scaling_factor
            hidden_states = self.text_encoder(tokenize(self.tokenizer, captions, self.device))[0]
        timesteps = (levels * (self.scheduler.config.num_train_timesteps - 1)).long().to(self.device)
        noise = torch.randn(latents.shape).to(latents)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        velocity = self.scheduler.get_velocity(latents, noise, timesteps)
        prediction = self.unet(noisy, timesteps, encoder_hidden_states=hidden_states).sample
        return F.mse_loss(prediction.float(), velocity)

    @torch.no_grad()
    def _sample(self, captions: Sequence[str], num_inference_steps: int = 25, side: int = 32) -> Tensor:
        hidden_states = self.text_encoder(tokenize(self.tokenizer, captions, self.device))[0]
        latents = torch.randn(len(captions), self.vae.config.latent_channels, side, side).to(self.device)
        sampler = DDIMScheduler.from_config(self.scheduler.config)
        sampler.set_timesteps(num_inference_steps)
        for timestep in sampler.timesteps:
            prediction = self.unet(latents, timestep, encoder_hidden_states=hidden_states).sample
            latents = sampler.step(prediction.float(), timestep, latents).prev_sample
        return (self.vae.decoder(latents / self.vae.config.scaling_factor).float() / 2 + 0.5).clamp(0, 1)


def stable_diffusion_schedule(prediction_type: str) -> DDIMScheduler:
    """Stable Diffusion's noise schedule, with the prediction type that the denoiser is trained for."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
    )
