"""Training of the embedded models: autoencoder, text-image model and denoiser."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from pytorch_lightning import LightningModule
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from ldrps.data.image_files import to_pil, write_picture
from ldrps.tokenizer import train_tokenizer


class Training(LightningModule):
    """What the three trainings share: AdamW, a cosine over steps or wall-clock time, sample pictures, export.

    Args:
        learning_rate: Peak learning rate.
        weight_decay: AdamW's weight decay.
        warmup_steps: Steps of linear warm-up.
        export_dir: Pipeline folder that receives the trained part in half precision; None exports nothing.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        warmup_steps: int = 100,
        export_dir: str | None = None,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup_steps = warmup_steps
        self.export_dir = export_dir

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with warm-up and a cosine that ends with ``max_steps`` or ``max_time``, whichever comes first."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate_factor(self, step: int) -> float:
        warmup = min(1.0, (step + 1) / self.warmup_steps)
        return warmup * (0.02 + 0.98 * float(torch.cos(torch.tensor(self._share_done(step) * torch.pi / 2)) ** 2))

    def _share_done(self, step: int) -> float:
        shares = [step / self.trainer.max_steps] if self.trainer.max_steps > 0 else [0.0]
        timers = [callback for callback in self.trainer.callbacks if isinstance(callback, Timer)]
        shares += [timer.time_elapsed() / (timer.time_elapsed() + (timer.time_remaining() or 0)) for timer in timers]
        return min(1.0, max(shares))

    def _save_samples(self, images: Tensor) -> None:
        """Write a grid of pictures, shape (rows, columns, 3, H, W), beside the logs."""
        if self.trainer.log_dir is None or not self.trainer.is_global_zero:
            return
        grid = torch.cat([torch.cat(list(row), dim=2) for row in images], dim=1)
        name = f"{type(self).__name__.lower()}-{self.global_step:06d}.png"
        write_picture(to_pil(grid), Path(self.trainer.log_dir) / "samples" / name)


class AutoencoderTraining(Training):
    """Trains an autoencoder to reproduce photos from few latents (L1 on the picture).

    Latents are kept near unit size and the decoder is trained on slightly noisy latents, so that small errors of the
    denoiser stay small in the picture.

    Args:
        channels: Width of every layer.
        latent_channels: Channels of the latents.
        num_encoder_blocks: Residual blocks at full, half and quarter resolution; three entries give factor 4.
        latent_noise: Standard deviation of the noise added to the latents in training.
        latent_penalty: Weight of the mean squared latents.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: See `Training`.
    """

    def __init__(
        self,
        channels: int = 48,
        latent_channels: int = 8,
        num_encoder_blocks: tuple[int, ...] = (0, 2, 3),
        num_decoder_blocks: tuple[int, ...] = (3, 2, 1),
        latent_noise: float = 0.03,
        latent_penalty: float = 1e-3,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        warmup_steps: int = 200,
        export_dir: str | None = None,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir)
        self.latent_noise = latent_noise
        self.latent_penalty = latent_penalty
        self.autoencoder = AutoencoderTiny(
            encoder_block_out_channels=(channels,) * len(num_encoder_blocks),
            decoder_block_out_channels=(channels,) * len(num_decoder_blocks),
            num_encoder_blocks=num_encoder_blocks,
            num_decoder_blocks=num_decoder_blocks,
            latent_channels=latent_channels,
        ).to(memory_format=torch.channels_last)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Reconstruction loss of one batch."""
        image = batch["image"].to(memory_format=torch.channels_last)
        latents = self.autoencoder.encoder(image * 2 - 1)
        noisy = latents + self.latent_noise * torch.randn_like(latents)
        decoded = self.autoencoder.decoder(noisy).float() / 2 + 0.5
        reconstruction = F.l1_loss(decoded, image)
        self.log("train/l1", reconstruction, prog_bar=True)
        return reconstruction + self.latent_penalty * latents.float().pow(2).mean()

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """PSNR of the held-out photos, and a picture of the first eight."""
        decoded, latents = self._reconstruct(batch["image"])
        squared_error = (decoded - batch["image"]).pow(2).flatten(1).mean(1)
        self.log("val/psnr_db", -10 * squared_error.log10().mean(), prog_bar=True, batch_size=len(decoded))
        self.log("val/latent_std", latents.std(), batch_size=len(decoded))
        if batch_idx == 0:
            self._save_samples(torch.stack([batch["image"][:8], decoded[:8]]))

    def on_train_end(self) -> None:
        """Write the autoencoder in half precision, with the scaling factor that makes its latents unit size."""
        if self.export_dir is None or not self.trainer.is_global_zero:
            return
        with torch.no_grad():
            deviations = [
                self._reconstruct(batch["image"].to(self.device))[1].std()
                for batch in self.trainer.datamodule.val_dataloader()
            ]
        self.autoencoder.register_to_config(scaling_factor=round(1 / float(torch.stack(deviations).mean()), 4))
        self.autoencoder.half().save_pretrained(Path(self.export_dir) / "vae")

    def _reconstruct(self, image: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.autoencoder.encoder(image * 2 - 1).float()
        return (self.autoencoder.decoder(latents).float() / 2 + 0.5).clamp(0, 1), latents


class TextImageTraining(Training):
    """Trains a small CLIP on captioned photos (symmetric contrastive loss).

    Captions that occur twice in a batch ("a photo of a dog") are no negatives of each other: the target of a row is
    spread evenly over the equal captions.

    Args:
        hidden_size: Width of both towers.
        num_layers: Transformer layers of each tower.
        image_size: Side in pixels of the photos as the vision tower sees them.
        patch_size: Side in pixels of one patch.
        vocab_size: Tokens of the vocabulary that is learnt from the captions.
        max_length: Longest caption in tokens.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: See `Training`.
    """

    def __init__(
        self,
        hidden_size: int = 128,
        num_layers: int = 4,
        image_size: int = 64,
        patch_size: int = 8,
        vocab_size: int = 2048,
        max_length: int = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.1,
        warmup_steps: int = 200,
        export_dir: str | None = None,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir)
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.image_size = image_size
        self.patch_size = patch_size
        self.vocab_size = vocab_size
        self.max_length = max_length

    def configure_model(self) -> None:
        """Learn the vocabulary from the training captions, then build the towers for it."""
        if hasattr(self, "clip"):
            return
        self.tokenizer = train_tokenizer(self.trainer.datamodule.captions, self.vocab_size, self.max_length)
        tower = {
            "hidden_size": self.hidden_size,
            "intermediate_size": 4 * self.hidden_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": 4,
            "projection_dim": self.hidden_size,
            "hidden_act": "gelu",
        }
        text = {
            "vocab_size": len(self.tokenizer),
            "max_position_embeddings": self.max_length,
            "bos_token_id": self.tokenizer.bos_token_id,
            "eos_token_id": self.tokenizer.eos_token_id,
            "pad_token_id": self.tokenizer.pad_token_id,
        }
        vision = {"image_size": self.image_size, "patch_size": self.patch_size}
        self.clip = CLIPModel(
            CLIPConfig(text_config=tower | text, vision_config=tower | vision, projection_dim=self.hidden_size)
        )

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Contrastive loss of one batch."""
        loss = self._contrastive_loss(self._similarity(batch), batch["caption"])
        self.log("train/contrastive", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Share of held-out photos whose own caption ranks first in their batch, equal captions counted as hits."""
        similarity = self._similarity(batch)
        captions = batch["caption"]
        best = similarity.argmax(dim=1).tolist()
        hits = [captions[row] == captions[column] for row, column in enumerate(best)]
        self.log("val/retrieval", sum(hits) / len(hits), prog_bar=True, batch_size=len(hits))
        self.log("val/chance", 1 / len(set(captions)), batch_size=len(hits))

    def on_train_end(self) -> None:
        """Write both towers with their projections, and the tokenizer, where pipelines look for them."""
        if self.export_dir is None or not self.trainer.is_global_zero:
            return
        export_towers(self.clip, Path(self.export_dir))
        self.tokenizer.save_pretrained(Path(self.export_dir) / "tokenizer")

    def _similarity(self, batch: dict[str, Any]) -> Tensor:
        tokens = tokenize(self.tokenizer, batch["caption"], self.device)
        pixels = F.interpolate(batch["image"], size=self.image_size, mode="area") * 2 - 1
        return self.clip(input_ids=tokens, pixel_values=pixels).logits_per_image.float()

    def _contrastive_loss(self, similarity: Tensor, captions: Sequence[str]) -> Tensor:
        index = {caption: number for number, caption in enumerate(dict.fromkeys(captions))}
        labels = torch.tensor([index[caption] for caption in captions], device=similarity.device)
        same = (labels[:, None] == labels[None, :]).float()
        target = same / same.sum(dim=1, keepdim=True)
        return (F.cross_entropy(similarity, target) + F.cross_entropy(similarity.T, target)) / 2


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
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir)
        self.pipeline_dir = pipeline_dir
        self.block_out_channels = block_out_channels
        self.layers_per_block = layers_per_block
        self.caption_dropout = caption_dropout
        self.scheduler = DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type="v_prediction",
        )

    def configure_model(self) -> None:
        """Load the frozen parts and build the denoiser to fit them."""
        if hasattr(self, "unet"):
            return
        folder = Path(self.pipeline_dir)
        self.vae = AutoencoderTiny.from_pretrained(folder / "vae").float().requires_grad_(False)
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").float().requires_grad_(False)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        levels = len(self.block_out_channels)
        self.unet = UNet2DConditionModel(
            in_channels=self.vae.config.latent_channels,
            out_channels=self.vae.config.latent_channels,
            sample_size=64,
            block_out_channels=self.block_out_channels,
            layers_per_block=self.layers_per_block,
            down_block_types=("DownBlock2D",) * (levels - 1) + ("CrossAttnDownBlock2D",),
            up_block_types=("CrossAttnUpBlock2D",) + ("UpBlock2D",) * (levels - 1),
            cross_attention_dim=self.text_encoder.config.hidden_size,
            attention_head_dim=4,
        ).to(memory_format=torch.channels_last)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Squared error of the predicted velocity."""
        kept = torch.rand(len(batch["caption"])) >= self.caption_dropout
        captions = [caption if keep else "" for caption, keep in zip(batch["caption"], kept.tolist(), strict=True)]
        loss = self._velocity_loss(batch["image"], captions, torch.rand(len(captions)))
        self.log("train/velocity", loss, prog_bar=True)
        return loss

    def on_validation_start(self) -> None:
        """Every validation sees the same noise, so that its figures can be compared."""
        self._random_state = torch.get_rng_state()
        torch.manual_seed(0)

    def on_validation_end(self) -> None:
        """Training goes on with its own random numbers."""
        torch.set_rng_state(self._random_state)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Loss on the held-out photos, at evenly spread noise levels, and samples of their captions."""
        levels = torch.linspace(0, 1, len(batch["caption"]))
        loss = self._velocity_loss(batch["image"], batch["caption"], levels)
        self.log("val/velocity", loss, prog_bar=True, batch_size=len(levels))
        if batch_idx == 0:
            self._save_samples(self._sample(batch["caption"][:8])[None])

    def on_train_end(self) -> None:
        """Write denoiser, scheduler and index, and copy the frozen parts if they lie elsewhere."""
        if self.export_dir is None or not self.trainer.is_global_zero:
            return
        folder = Path(self.export_dir)
        if folder.resolve() != Path(self.pipeline_dir).resolve():
            shutil.copytree(self.pipeline_dir, folder, dirs_exist_ok=True)
        # Shards, so that no file outgrows what code hosts and reviewers like.
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
        noise = torch.randn_like(latents)
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


def export_towers(clip: CLIPModel, folder: Path) -> None:
    """Write a CLIP's towers to ``text_encoder`` and ``image_encoder``, in half precision, each with its projection.

    A pipeline reads the first as a plain ``CLIPTextModel`` and ignores the projection.
    """
    with tempfile.TemporaryDirectory() as temporary:
        clip.half().save_pretrained(temporary)
        for name, tower in (
            ("text_encoder", CLIPTextModelWithProjection),
            ("image_encoder", CLIPVisionModelWithProjection),
        ):
            tower.from_pretrained(temporary, dtype=torch.float16).save_pretrained(folder / name)


def tokenize(tokenizer: CLIPTokenizer, captions: Sequence[str], device: torch.device) -> Tensor:
    """Return token ids of shape (B, max_length), padded and truncated as Stable Diffusion pipelines do."""
    tokens = tokenizer(
        list(captions),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return tokens.input_ids.to(device)
