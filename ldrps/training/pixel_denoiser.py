"""Training of the denoiser in pixels."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import eight_bit
from degradations.drawing import Generators, coins, generators_for, normal, uniform
from ldrps.training.base import Training
from ldrps.training.first_guess import decibels
from modules.backbones.loading import load_earlier
from modules.networks.pixel_denoiser import PixelDenoiser
from modules.outputs.clipped_noise import ClippedNoise
from modules.outputs.photo_noise import local_mean

FAR = 100.0
"""Beyond black and white by so much, nothing is cut off."""

VALIDATION_SIGMAS = (15, 25, 50)
"""Standard deviations of the white noise of the held-out figures, in 8-bit levels."""


class PixelDenoiserTraining(Training):
    """Trains the denoiser on clean photos with noise alone, white or correlated, even or varying from place to place.

    The level is told; how the noise of neighbouring pixels and of the channels goes together is not. The loss is each
    photo's PSNR, so that a tenth less error is worth the same behind light noise and behind heavy.

    Args:
        max_sigma: Largest standard deviation, in image units.
        correlated_share: Share of photos whose noise is smoothed over neighbouring pixels, as demosaicing does.
        varying_share: Share of photos whose noise varies smoothly over the picture.
        grey_share: Share of photos whose noise is the same in all channels.
        clipped_share: Share of photos whose noise is cut off at black and white and rounded to 8 bits, as in files; of
            the others the network sees what lies beyond, as where damage was undone.
        level_exponent: Levels are ``max_sigma * u ** level_exponent`` with u drawn evenly from [0, 1]: at 1 they are
            drawn evenly, above it photos are the more often only a little noisy.
        widths: See `PixelDenoiser`.
        num_blocks: See `PixelDenoiser`.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Folder that receives ``pixel_denoiser``.
        initial_dir: Folder of a `PixelDenoiser` to go on from, which then also gives widths and blocks; None starts
            anew.
        seed: See `Training`.

    Raises:
        ValueError: If `initial_dir` holds none.

    References:
        Chen et al. 2021, HINet: Half Instance Normalization Network for Image Restoration (PSNR as the loss).
    """

    def __init__(
        self,
        max_sigma: float = 75 / 255,
        correlated_share: float = 0.35,
        varying_share: float = 0.35,
        grey_share: float = 0.1,
        clipped_share: float = 0.6,
        level_exponent: float = 1.0,
        widths: tuple[int, ...] = (64, 96, 96),
        num_blocks: int = 2,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        warmup_steps: int = 300,
        export_dir: str | None = None,
        initial_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        self.max_sigma = max_sigma
        self.correlated_share = correlated_share
        self.varying_share = varying_share
        self.grey_share = grey_share
        self.clipped_share = clipped_share
        self.level_exponent = level_exponent
        if initial_dir is None:
            network = PixelDenoiser(widths=tuple(widths), num_blocks=num_blocks)
        else:
            network = load_earlier(PixelDenoiser, initial_dir, "initial_dir")
        self.network = network.to(memory_format=torch.channels_last)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Negative PSNR of the denoised photos, in bel."""
        image = batch["image"]
        generators = self._generators(len(image))
        level, noise = self.draw(image, generators)
        is_clipped = coins(self.clipped_share, generators).to(image.device)
        psnr = decibels(self.denoised(image + level * noise, level, is_clipped), image).mean()
        self.log("train/psnr_db", psnr, prog_bar=True)
        return -psnr / 10

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """PSNR on held-out photos behind white noise of three levels, and behind what is trained on."""
        image = batch["image"]
        size = len(image)
        generators = generators_for(0, range(batch_idx * size, (batch_idx + 1) * size))
        white = normal(generators, *image.shape[1:]).to(image)
        everyone = torch.ones(size, dtype=torch.bool, device=image.device)
        nobody = ~everyone
        cases = {}
        for sigma in VALIDATION_SIGMAS:
            level = image.new_full((size, 3, 1, 1), sigma / 255)
            cases[f"white_{sigma}"], cases[f"clipped_{sigma}"] = (level, white, nobody), (level, white, everyone)
        cases["mixed"] = (*self.draw(image, generators), nobody)
        for name, (level, noise, is_clipped) in cases.items():
            denoised = self.denoised(image + level * noise, level, is_clipped).clamp(0, 1)
            psnr = decibels(denoised, image).mean()
            self.log(f"val/{name}_db", psnr, prog_bar=True, batch_size=size, sync_dist=True)
            if batch_idx == 0 and name == "clipped_50":
                self._save_samples(torch.stack([(image + level * noise).clamp(0, 1)[:8], denoised[:8], image[:8]]))

    def denoised(self, noisy: Tensor, level: Tensor, is_clipped: Tensor) -> Tensor:
        """Denoise photos as `modules.outputs.denoised.Denoised` does where it knows the noise.

        Args:
            noisy: Photos and noise, shape (B, 3, H, W).
            level: Standard deviation of the noise, shape (B, 3, H, W) or broadcastable to it.
            is_clipped: Whose noise is cut off at black and white, truth values of shape (B,).
        """
        is_clipped = is_clipped[:, None, None, None]
        seen = torch.where(is_clipped, eight_bit(noisy.clamp(0, 1)), noisy)
        # Of which nothing is cut off, black and white lie too far away to count.
        far = torch.where(is_clipped, 0.0, FAR)
        noise = ClippedNoise(level, -far, 1 + far)
        return noise.undone(self.network(seen, noise.left_at(local_mean(seen))).float())

    def export(self, folder: Path) -> None:
        """Write ``pixel_denoiser`` in half precision."""
        # Where it was read from says nothing to who loads it.
        self.network.register_to_config(_name_or_path="")
        self.network.half().save_pretrained(folder / "pixel_denoiser")

    def draw(self, images: Tensor, generators: Generators) -> tuple[Tensor, Tensor]:
        """Draw levels, shape (B, 3, H, W), and noise of unit variance, shape (B, 3, H, W), for images."""
        # Correlated by a convolution, which half precision would round.
        with torch.autocast("cpu", enabled=False):
            drawn = [self._draw_one(images.shape[1:], generator) for generator in generators]
        level, noise = (torch.stack(rows).to(images) for rows in zip(*drawn, strict=True))
        return level, noise

    def _draw_one(self, shape: torch.Size, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        correlated, varying, grey, width, strength = uniform((0, 1), [generator], 5)[0].tolist()
        level = torch.full((1, 3, 1, 1), self.max_sigma * strength**self.level_exponent).expand(1, *shape)
        if varying < self.varying_share:
            grid = uniform((0, 1), [generator], 1, 3, 3).expand(1, 3, 3, 3)
            level = level * F.interpolate(grid, size=shape[1:], mode="bicubic", align_corners=True).clamp(0.05, 1)
        noise = torch.randn(shape, generator=generator)
        if grey < self.grey_share:
            noise = noise[:1].expand(shape)
        if correlated < self.correlated_share:
            noise = smoothed(noise, 0.35 + 0.65 * width)
        return level[0], noise


def smoothed(noise: Tensor, sigma_px: float) -> Tensor:
    """Correlate white noise, shape (C, H, W), over neighbouring pixels by a Gaussian; its variance stays 1."""
    places = torch.arange(-3, 4).to(noise)
    kernel = torch.exp(-(places**2) / (2 * sigma_px**2))
    kernel = kernel / kernel.square().sum().sqrt()
    padded = F.pad(noise[:, None], (3, 3, 3, 3), mode="circular")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, 7)), kernel.view(1, 1, 7, 1))[:, 0]
