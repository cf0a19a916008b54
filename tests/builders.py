"""Restorers and backbones that tests put together."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from PIL import Image
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from ldrps.methods.ld_rps.guidance import Guidance, GuidanceSettings
from ldrps.methods.ld_rps.ld_rps import LDRPS
from ldrps.methods.ld_rps.sampling import SamplingSettings
from ldrps.methods.restorer import Restorer
from ldrps.training.tokenizer import train_tokenizer
from modules.alignment.identity import Identity
from modules.backbones.base import Backbone, Prediction
from modules.backbones.codec import Codec
from modules.backbones.denoiser import Denoiser
from modules.backbones.latent_diffusion import LatentDiffusion
from modules.backbones.noise_path import NoisePath
from modules.backbones.stable_diffusion import StableDiffusion
from modules.losses.base import LossTerm
from modules.losses.l2 import L2
from modules.outputs.decoded import Decoded
from modules.priors.base import Semantics
from modules.priors.null import Null


def make_restorer(folder, dtype="float32", sampling=None, guidance=None, **settings) -> LDRPS:
    """LD-RPS on a micro pipeline; every part can be replaced."""
    defaults = {
        "prior": Null(),
        "alignment": Identity(),
        "losses": {"l2": LossTerm(L2())},
        "alignment_losses": {"l2": LossTerm(L2())},
        "output": Decoded(),
        "alignment_optimizer": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
    }
    sampling = SamplingSettings(num_inference_steps=4, num_refinements=1) if sampling is None else sampling
    guidance = GuidanceSettings(strength=0.5, alignment_until=1000) if guidance is None else guidance
    backbone = StableDiffusion(str(folder), dtype=dtype)
    restorer = LDRPS(backbone=backbone, sampling=sampling, guidance=guidance, **(defaults | settings))
    restorer.load()
    return restorer


class GaussianBackbone(Backbone):
    """A "diffusion model" whose data is normal with a given mean and variance in every pixel.

    Images are their own latents, or ``0.5 + image_scale * latents``. The x0 prediction is
    the exact posterior mean E[x0 | x_t], an affine function, so whatever the sampler does with linear damage and L2 can
    be recomputed by hand.
    """

    def __init__(self, mean: float, variance: float, image_scale: float | None = None) -> None:
        super().__init__()
        self.mean, self.variance, self.image_scale = mean, variance, image_scale
        self.num_train_timesteps, self.size_multiple = 1000, 1
        self.scheduler = DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=True
        )

    def load(self) -> None:
        pass

    def latent_shape(self, images):
        return tuple(images.shape[1:])

    def encode(self, images):
        return images

    def decode(self, latents):
        return latents if self.image_scale is None else 0.5 + self.image_scale * latents

    def features(self, images):
        return [images]

    def condition(self, semantics: Semantics, batch_size, num_chains=1, guidance_scale=1.0):
        return None

    def begin(self, num_inference_steps, strength):
        self.scheduler.set_timesteps(num_inference_steps)
        kept = max(1, int(num_inference_steps * strength))
        return [int(timestep) for timestep in self.scheduler.timesteps[-kept:]]

    def _alpha(self, timestep) -> float:
        return float(self.scheduler.alphas_cumprod[timestep])

    def predict_x0(self, latents, timestep, conditioning) -> Prediction:
        alpha = self._alpha(timestep)
        gain = self.variance * alpha**0.5 / (alpha * self.variance + 1 - alpha)
        x0 = self.mean + gain * (latents - alpha**0.5 * self.mean)
        return Prediction(x0, (latents - alpha**0.5 * x0) / (1 - alpha) ** 0.5)

    def x0_from(self, model_output, latents, timestep):
        alpha = self._alpha(timestep)
        return (latents - (1 - alpha) ** 0.5 * model_output) / alpha**0.5

    def step(self, model_output, timestep, latents, generators: Sequence[torch.Generator]) -> Tensor:
        return self.scheduler.step(model_output, timestep, latents).prev_sample

    def renoise(self, latents, noise, timestep):
        alpha = self._alpha(timestep)
        return alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise


class PixelCodec(Codec):
    """Images are their own latents, or ``0.5 + image_scale * latents``."""

    latent_channels, downscale_factor = 3, 1

    def __init__(self, image_scale: float | None = None) -> None:
        self.image_scale = image_scale

    def encode(self, images):
        return images if self.image_scale is None else (images - 0.5) / self.image_scale

    def decode(self, latents):
        return latents if self.image_scale is None else 0.5 + self.image_scale * latents

    def features(self, images):
        return [images]


class GaussianDenoiser(Denoiser):
    """Says what a perfect denoiser says on any noise path if every pixel is normal with this mean and variance."""

    latent_multiple = 1

    def __init__(self, path: NoisePath, mean: float, variance: float) -> None:
        self.path, self.mean, self.variance = path, mean, variance

    def condition(self, semantics, batch_size, num_chains, guidance_scale):
        return None

    def __call__(self, latents, level, conditioning):
        gain = self.variance * level.signal / (level.signal**2 * self.variance + level.noise**2)
        x0 = self.mean + gain * (latents - level.signal * self.mean)
        return self.path.target(x0, (latents - level.signal * x0) / level.noise, level.model_timestep)


class GaussianDiffusion(LatentDiffusion):
    """The three parts of a "latent model" of normal pixels, on any noise path of 1000 training timesteps."""

    def __init__(self, path: NoisePath, mean: float, variance: float, image_scale: float | None = None) -> None:
        super().__init__()
        self.compose(PixelCodec(image_scale), path, GaussianDenoiser(path, mean, variance))

    def load(self) -> None:
        pass


def build_flow_pipeline(folder: Path) -> Path:
    """A micro StableDiffusion3Pipeline of the real classes: rectified flow, shifted autoencoder, two text encoders."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer(["a photo of a cat", "a cup of coffee"], vocab_size=560, max_length=12)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12,
        projection_dim=8,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=1.5,
        shift_factor=0.06,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    transformer = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=16,
        pos_embed_max_size=16,
    )
    StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae,
        text_encoder=CLIPTextModelWithProjection(config),
        tokenizer=tokenizer,
        text_encoder_2=CLIPTextModelWithProjection(config),
        tokenizer_2=tokenizer,
        text_encoder_3=None,
        tokenizer_3=None,
    ).save_pretrained(folder)
    return folder


def make_guidance(backbone, alignment, losses, settings=None, alignment_losses=None) -> Guidance:
    """Guidance with an L2 fit of the alignment net unless told otherwise."""
    return Guidance(
        backbone,
        alignment,
        losses,
        alignment_losses or {"l2": LossTerm(L2())},
        lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
        settings or GuidanceSettings(alignment_until=1000),
    )


def generators(*seeds: int) -> list[torch.Generator]:
    """One generator per seed."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


class Stubborn(Restorer):
    """Returns its input, but refuses square images."""

    def load(self):
        pass

    def restore(self, degraded, paths, observe=lambda step: None):
        if degraded.shape[2] == degraded.shape[3]:
            raise KeyError("squares are beneath me")
        return degraded


def write_header(path: Path, width: int, height: int) -> None:
    """Write the beginning of a PNG that says it is of this size, however large."""
    stream = io.BytesIO()
    Image.new("1", (1, 1)).save(stream, format="PNG")
    content = stream.getvalue()
    header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])


def write_vgg(folder: Path) -> Path:
    """Make a folder for torch.hub with torchvision's layer names and sizes of VGG-16, random values."""
    torch.manual_seed(0)
    state = {"classifier.0.weight": torch.zeros(2, 2)}
    for layer, (inputs, outputs) in {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128)}.items():
        for name, value in torch.nn.Conv2d(inputs, outputs, 3).state_dict().items():
            state[f"features.{layer}.{name}"] = value
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "checkpoints" / "vgg16-397923af.pth")
    return folder
