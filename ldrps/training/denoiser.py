"""Training of the embedded denoiser."""

import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from degradations.drawing import Generators, coins, integers, normal
from ldrps.training.base import Training, existing_folder
from ldrps.training.tokenizer import tokenize
from modules.backbones.loading import load_earlier
from modules.backbones.packed_codec import packing_of

FOCUS_LOG_SNR, FOCUS_SPREAD = 2.0, 1.5
"""Where restoration works: mean and standard deviation of the natural logarithm of signal to noise."""

BINS = (0, 100, 300, 600, 1000)
"""Timesteps between which validation tells errors apart."""


class DenoiserTraining(Training):
    """Trains the denoiser of a latent diffusion pipeline (velocity prediction) on top of its frozen parts.

    Args:
        pipeline_dir: Folder with ``vae``, ``text_encoder`` and ``tokenizer``, as the other two trainings export it.
        block_out_channels: Width at each resolution; cross-attention works at the last.
        layers_per_block: Residual blocks at each resolution.
        packing: Latents along one side of a square that becomes the channels of one, as `PackedCodec` does it; the
            denoiser then works on fewer places, at 2 in a quarter of the time. 1 packs nothing.
        caption_dropout: Share of captions replaced by the empty one, so that the model is also an unconditional one.
        draws_per_photo: Noise levels at which a step sees each photo; to encode it costs as much as a third to two
            thirds of one.
        focus_share: Share of the levels that are drawn from where restoration works (log SNR 2, spread 1.5); those of
            the others, and of all in the papers, are drawn evenly.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: See `Training`.
        initial_unet_dir: Folder of a denoiser to go on from, which then also gives widths, blocks and
            packing; None starts anew.
        seed: See `Training`.

    References:
        Salimans and Ho 2022, Progressive Distillation for Fast Sampling of Diffusion Models, Appendix D (velocity).
    """

    def __init__(
        self,
        pipeline_dir: str,
        block_out_channels: tuple[int, ...] = (64, 128, 160),
        layers_per_block: int = 1,
        packing: int = 1,
        caption_dropout: float = 0.2,
        draws_per_photo: int = 1,
        focus_share: float = 0.0,
        learning_rate: float = 5e-4,
        weight_decay: float = 0.0,
        warmup_steps: int = 200,
        export_dir: str | None = None,
        initial_unet_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        self.pipeline_dir = pipeline_dir
        self.initial_unet_dir = initial_unet_dir
        self.block_out_channels = block_out_channels
        self.layers_per_block = layers_per_block
        self.packing = packing
        self.caption_dropout = caption_dropout
        self.draws_per_photo = draws_per_photo
        self.focus_share = focus_share
        self.scheduler = stable_diffusion_schedule("v_prediction")

    def configure_model(self) -> None:
        """Load the frozen parts and build the denoiser to fit them."""
        if hasattr(self, "unet"):
            return
        folder = existing_folder("model.pipeline_dir", self.pipeline_dir)
        self.vae = AutoencoderTiny.from_pretrained(folder / "vae").float().requires_grad_(False)
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").float().requires_grad_(False)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        if self.initial_unet_dir is None:
            unet = self._new_unet()
        else:
            unet = load_earlier(UNet2DConditionModel, self.initial_unet_dir, "initial_unet_dir")
            self.packing = packing_of(unet, self.vae.config.latent_channels)
        self.unet = unet.train().to(memory_format=torch.channels_last)

    def _new_unet(self) -> UNet2DConditionModel:
        levels = len(self.block_out_channels)
        channels = self.vae.config.latent_channels * self.packing**2
        return UNet2DConditionModel(
            in_channels=channels,
            out_channels=channels,
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
        generators = self._generators(len(batch["caption"]))
        dropped = coins(self.caption_dropout, generators).tolist()
        captions = ["" if drop else caption for caption, drop in zip(batch["caption"], dropped, strict=True)]
        latents = self._encode(batch["image"]).repeat(self.draws_per_photo, 1, 1, 1)
        hidden_states = self._read(captions).repeat(self.draws_per_photo, 1, 1)
        generators = generators * self.draws_per_photo
        timesteps = draw_timesteps(self.scheduler, generators, self.focus_share).to(self.device)
        noise = normal(generators, *latents.shape[1:])
        prediction, velocity, _ = self._predict(latents, hidden_states, timesteps, noise)
        loss = F.mse_loss(prediction, velocity)
        self.log("train/velocity", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Loss on the held-out photos at evenly spread levels, errors by level, and samples of their captions."""
        latents, hidden_states = self._encode(batch["image"]), self._read(batch["caption"])
        last = self.scheduler.config.num_train_timesteps - 1
        timesteps = (torch.linspace(0, 1, len(latents)) * last).long().to(self.device)
        noise = torch.randn(latents.shape)
        prediction, velocity, noisy = self._predict(latents, hidden_states, timesteps, noise)
        loss = F.mse_loss(prediction, velocity)
        self.log("val/velocity", loss, prog_bar=True, batch_size=len(latents), sync_dist=True)
        alphas = self.scheduler.alphas_cumprod.to(latents)[timesteps].view(-1, 1, 1, 1)
        x0_prediction = alphas.sqrt() * noisy - (1 - alphas).sqrt() * prediction
        answers = {"x0_error": x0_prediction, "linear_error": linear_x0(noisy, alphas, latents)}
        for start, end in pairwise(BINS):
            rows = (timesteps >= start) & (timesteps < end)
            # The size of the batch decides, which all processes share: none waits for a figure that another has not.
            if not rows.any():
                continue
            for name, answer in answers.items():
                error = (answer - latents)[rows].square().sum() / latents[rows].square().sum()
                self.log(f"val/{name}_{start}_to_{end}", error, batch_size=int(rows.sum()), sync_dist=True)
        if batch_idx == 0:
            self._save_samples(self._sample(batch["caption"][:8])[None])

    def export(self, folder: Path) -> None:
        """Write denoiser, scheduler and index, and copy the frozen parts if they lie elsewhere."""
        place = folder if self.export_dir is None else Path(self.export_dir)
        if place.resolve() != Path(self.pipeline_dir).resolve():
            left_out = shutil.ignore_patterns("unet", "*.before*", ".*")
            shutil.copytree(self.pipeline_dir, folder, ignore=left_out, dirs_exist_ok=True)
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

    @torch.no_grad()
    def _encode(self, images: Tensor) -> Tensor:
        """Latents of photos, shape (B, C, h, w)."""
        latents = self.vae.encoder(images.to(memory_format=torch.channels_last) * 2 - 1).float()
        return F.pixel_unshuffle(latents * self.vae.config.scaling_factor, self.packing)

    @torch.no_grad()
    def _read(self, captions: Sequence[str]) -> Tensor:
        """What the text encoder makes of captions, shape (B, L, D)."""
        hidden_states: Tensor = self.text_encoder(tokenize(self.tokenizer, captions, self.device))[0]
        return hidden_states

    def _predict(
        self, latents: Tensor, hidden_states: Tensor, timesteps: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Velocity as the denoiser says it, as it is, and the noisy latents it saw."""
        noise = noise.to(latents)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        prediction = self.unet(noisy, timesteps, encoder_hidden_states=hidden_states).sample
        return prediction.float(), self.scheduler.get_velocity(latents, noise, timesteps), noisy

    @torch.no_grad()
    def _sample(self, captions: Sequence[str], num_inference_steps: int = 25, side: int = 32) -> Tensor:
        hidden_states = self._read(captions)
        noise = torch.randn(len(captions), self.vae.config.latent_channels, side, side).to(self.device)
        latents = F.pixel_unshuffle(noise, self.packing)
        sampler = DDIMScheduler.from_config(self.scheduler.config)
        sampler.set_timesteps(num_inference_steps)
        for timestep in sampler.timesteps:
            prediction = self.unet(latents, timestep, encoder_hidden_states=hidden_states).sample
            latents = sampler.step(prediction.float(), timestep, latents).prev_sample
        latents = F.pixel_shuffle(latents, self.packing) / self.vae.config.scaling_factor
        return (self.vae.decoder(latents).float() / 2 + 0.5).clamp(0, 1)


def draw_timesteps(scheduler: DDIMScheduler, generators: Generators, focus_share: float) -> Tensor:
    """Draw timesteps, shape (B,).

    Args:
        scheduler: The noise schedule.
        generators: One for each.
        focus_share: Share that is drawn around `FOCUS_LOG_SNR`; the others are drawn evenly.
    """
    evenly = integers((0, scheduler.config.num_train_timesteps - 1), generators)
    log_snr = FOCUS_LOG_SNR + FOCUS_SPREAD * normal(generators)
    # Generators draw on the CPU; diffusers moves the schedule to wherever the samples are that it was used for last.
    falling = torch.logit(scheduler.alphas_cumprod.cpu())
    focused = torch.searchsorted(-falling, -log_snr).clamp(max=len(falling) - 1)
    return torch.where(coins(focus_share, generators), focused, evenly)


def linear_x0(noisy: Tensor, alphas: Tensor, latents: Tensor) -> Tensor:
    """The clean latents by the Wiener filter of their own mean spectrum: what knows no more of photos must be beaten.

    Args:
        noisy: Shape (B, C, h, w).
        alphas: Cumulative alphas of their timesteps, shape (B, 1, 1, 1).
        latents: The clean latents, of which spectrum and mean are taken, shape (B, C, h, w).
    """
    mean = latents.mean(dim=(0, 2, 3), keepdim=True)
    power = torch.fft.fft2(latents - mean, norm="ortho").abs().square().mean(dim=0)
    centred = noisy / alphas.sqrt() - mean
    filtered = torch.fft.fft2(centred) * power / (power + (1 - alphas) / alphas)
    return torch.fft.ifft2(filtered).real + mean


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
