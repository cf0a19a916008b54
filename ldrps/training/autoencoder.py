"""Training of the embedded autoencoder."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor

from degradations.drawing import normal
from ldrps.training.base import Training


class AutoencoderTraining(Training):
    """Trains an autoencoder to reproduce photos from few latents (L1 on the picture).

    Latents are kept near unit size and the decoder is trained on slightly noisy latents, so that small errors of the
    denoiser stay small in the picture.

    Args:
        channels: Width of every layer.
        latent_channels: Channels of the latents.
        num_encoder_blocks: Residual blocks at full, half and quarter resolution; three entries give factor 4.
        num_decoder_blocks: Residual blocks at quarter, half and full resolution.
        latent_noise: Standard deviation of the noise added to the latents in training.
        latent_penalty: Weight of the mean squared latents.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Pipeline folder that receives ``vae``; None exports nothing.
        seed: See `Training`.
    """

    exports_with_photos = True

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
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
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
        noise = normal(self._generators(len(latents)), *latents.shape[1:]).to(latents)
        noisy = latents + self.latent_noise * noise
        decoded = self.autoencoder.decoder(noisy).float() / 2 + 0.5
        reconstruction = F.l1_loss(decoded, image)
        self.log("train/l1", reconstruction, prog_bar=True)
        return reconstruction + self.latent_penalty * latents.float().pow(2).mean()

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """PSNR of the held-out photos, and a picture of the first eight."""
        decoded, latents = self._reconstruct(batch["image"])
        squared_error = (decoded - batch["image"]).pow(2).flatten(1).mean(1)
        psnr = -10 * squared_error.log10().mean()
        self.log("val/psnr_db", psnr, prog_bar=True, batch_size=len(decoded), sync_dist=True)
        self.log("val/latent_std", latents.std(), batch_size=len(decoded), sync_dist=True)
        if batch_idx == 0:
            self._save_samples(torch.stack([batch["image"][:8], decoded[:8]]))

    def export(self, folder: Path) -> None:
        """Write the autoencoder in half precision, with the scaling factor that makes its latents unit size."""
        photos = self.trainer.datamodule
        deviations = self._deviations(photos.val_dataloader())
        # Where no photo is held out, some of those that it learnt from are as good for this.
        deviations = deviations or self._deviations(islice(photos.train_dataloader(), 16))
        self.autoencoder.register_to_config(scaling_factor=round(1 / float(torch.stack(deviations).mean()), 4))
        self.autoencoder.half().save_pretrained(folder / "vae")

    @torch.no_grad()
    def _deviations(self, batches: Iterable[dict[str, Any]]) -> list[Tensor]:
        return [self._reconstruct(batch["image"].to(self.device))[1].std() for batch in batches]

    def _reconstruct(self, image: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.autoencoder.encoder(image * 2 - 1).float()
        return (self.autoencoder.decoder(latents).float() / 2 + 0.5).clamp(0, 1), latents
