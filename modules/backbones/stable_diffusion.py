"""Any model in the StableDiffusionPipeline folder layout: SD 1.x, SD 2.x, the embedded mini."""

import inspect
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, SchedulerMixin, StableDiffusionPipeline
from torch import Tensor

from modules.backbones.base import Backbone, Prediction
from modules.backbones.text_conditioning import TextConditioner, TextConditioning
from modules.priors.base import Semantics

PACKAGE_PREFIX = "package:"


class StableDiffusion(Backbone):
    """Adapter over a diffusers ``StableDiffusionPipeline``; every size and scale is read from its configuration.

    Args:
        path: Folder in the StableDiffusionPipeline layout, hub id, or ``package:NAME/FOLDER`` for a folder inside an
            installed package.
        scheduler: Step rule, a diffusers scheduler class that works on variance-preserving latents.
        dtype: Precision of the weights. Latents, images and gradients stay in float32 outside the networks.
        num_feature_levels: Encoder levels that `features` returns, the finest first.
        ip_adapter: Weight file of an IP-Adapter (.safetensors or .bin) made for this denoiser, which reads the image
            embeddings of the prior; None uses none.
        ip_adapter_scale: How strongly it is followed; 1 as trained.
    """

    def __init__(
        self,
        path: str = "package:ldrps/pretrained/mini",
        scheduler: type[SchedulerMixin] = DDIMScheduler,
        dtype: Literal["float32", "float16", "bfloat16", "float64"] = "float32",
        num_feature_levels: int = 2,
        ip_adapter: str | None = None,
        ip_adapter_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.path = path
        self.scheduler_class = scheduler
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.num_feature_levels = num_feature_levels
        self.ip_adapter = ip_adapter
        self.ip_adapter_scale = ip_adapter_scale
        self._pipeline: Any = None

    def load(self) -> None:
        """Read the folder with diffusers.

        Raises:
            ValueError: If the folder or hub id cannot be read, or the scheduler does not fit.
        """
        if self._pipeline is not None:
            return
        pipeline = load_pipeline(self.path, self.dtype)
        scheduler = self.scheduler_class.from_config(pipeline.scheduler.config)
        if not hasattr(scheduler, "alphas_cumprod") or hasattr(scheduler, "is_scale_input_called"):
            raise ValueError(
                f"scheduler {self.scheduler_class.__name__} does not work on variance-preserving latents: "
                "use DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler or UniPCMultistepScheduler"
            )
        if self.ip_adapter is not None:
            load_ip_adapter(pipeline, Path(self.ip_adapter), self.ip_adapter_scale)
        self._pipeline = pipeline
        self._conditioner = TextConditioner(pipeline, self.path)
        self.scheduler = scheduler
        # Channels last is a quarter to a half faster on CPUs, and what tensor cores want.
        self.vae = pipeline.vae.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        self.unet = pipeline.unet.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        self.text_encoder = pipeline.text_encoder.requires_grad_(False).eval()
        self.num_train_timesteps = int(scheduler.config.num_train_timesteps)
        self.downscale_factor = 2 ** (len(self.vae.config.block_out_channels) - 1)
        unet_factor = 2 ** (len(self.unet.config.block_out_channels) - 1)
        self.size_multiple = self.downscale_factor * unet_factor
        self._takes_generator = "generator" in inspect.signature(scheduler.step).parameters

    @property
    def folder(self) -> Path | None:
        """See `Backbone.folder`."""
        folder = Path(package_folder(self.path) if self.path.startswith(PACKAGE_PREFIX) else self.path)
        return folder if folder.is_dir() else None

    def latent_shape(self, images: Tensor) -> tuple[int, int, int]:
        """See `Backbone.latent_shape`."""
        height, width = images.shape[-2:]
        return self.unet.config.in_channels, height // self.downscale_factor, width // self.downscale_factor

    def encode(self, images: Tensor) -> Tensor:
        """Latents of the images; the mean where the encoder gives a distribution."""
        encoded = self.vae.encode((images * 2 - 1).to(self.dtype))
        latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
        return (latents.to(images.dtype) - self._shift) * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """See `Backbone.decode`."""
        unscaled = latents / self.vae.config.scaling_factor + self._shift
        return self.vae.decode(unscaled.to(self.dtype)).sample.to(latents.dtype) / 2 + 0.5

    def features(self, images: Tensor) -> list[Tensor]:
        """Outputs of the first encoder levels, before each reduction of the resolution."""
        hidden = (images * 2 - 1).to(self.dtype)
        encoder = self.vae.encoder
        features: list[Tensor] = []
        if isinstance(self.vae, AutoencoderTiny):
            hidden = hidden.add(1).div(2)
            for layer in encoder.layers:
                if getattr(layer, "stride", (1, 1)) != (1, 1):
                    features.append(hidden)
                if len(features) == self.num_feature_levels:
                    break
                hidden = layer(hidden)
        else:
            hidden = encoder.conv_in(hidden)
            for block in encoder.down_blocks[: self.num_feature_levels]:
                for resnet in block.resnets:
                    hidden = resnet(hidden, temb=None)
                features.append(hidden)
                for downsampler in block.downsamplers or ():
                    hidden = downsampler(hidden)
        return [feature.to(images.dtype) for feature in features]

    def condition(
        self, semantics: Semantics, batch_size: int, num_chains: int = 1, guidance_scale: float = 1.0
    ) -> TextConditioning:
        """See `Backbone.condition`.

        Raises:
            ValueError: If embeddings do not fit the backbone's cross-attention or IP-Adapter, or are not numbers.
        """
        return self._conditioner(semantics, batch_size, num_chains, guidance_scale)

    def begin(self, num_inference_steps: int, strength: float) -> list[int]:
        """See `Backbone.begin`; ``strength`` picks the steps as diffusers' image-to-image pipelines do."""
        self.scheduler.set_timesteps(num_inference_steps)
        skipped = num_inference_steps - max(1, min(num_inference_steps, int(num_inference_steps * strength)))
        first = skipped * getattr(self.scheduler, "order", 1)
        if first and hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(first)
        return [int(timestep) for timestep in self.scheduler.timesteps[first:]]

    @torch.no_grad()
    def predict_x0(self, latents: Tensor, timestep: int, conditioning: TextConditioning) -> Prediction:
        """See `Backbone.predict_x0`."""
        rows = conditioning.guided_rows
        batch = torch.cat([latents, latents[rows]]) if len(rows) else latents
        hidden_states = torch.cat([conditioning.hidden_states, conditioning.guided_hidden_states])
        added = None
        if conditioning.image_embeddings is not None and conditioning.guided_image_embeddings is not None:
            embeddings = torch.cat([conditioning.image_embeddings, conditioning.guided_image_embeddings])
            added = {"image_embeds": [embeddings[:, None].to(self.dtype)]}
        output = self.unet(
            batch.to(self.dtype), timestep, encoder_hidden_states=hidden_states, added_cond_kwargs=added
        ).sample
        output = output.to(latents.dtype)
        model_output = output[: len(latents)]
        if len(rows):
            difference = output[len(latents) :] - model_output[rows]
            model_output = model_output.index_add(0, rows, conditioning.guidance_scale * difference)
        return Prediction(self.x0_from(model_output, latents, timestep), model_output)

    def x0_from(self, model_output: Tensor, latents: Tensor, timestep: int) -> Tensor:
        """Clean latents, by the prediction type of the scheduler's configuration.

        References:
            Song et al. 2021, Denoising Diffusion Implicit Models, Eq. 9; Salimans and Ho 2022, Appendix D (velocity).
        """
        alpha_cumprod = self._alpha_cumprod(timestep)
        signal, noise = alpha_cumprod**0.5, (1 - alpha_cumprod) ** 0.5
        match self.scheduler.config.prediction_type:
            case "epsilon":
                x0 = (latents - noise * model_output) / signal
            case "v_prediction":
                x0 = signal * latents - noise * model_output
            case _:
                x0 = model_output
        if getattr(self.scheduler.config, "thresholding", False):
            # The guidance must see the same x0 prediction that the scheduler steps with.
            x0 = self.scheduler._threshold_sample(x0)
        return x0

    def step(
        self, model_output: Tensor, timestep: int, latents: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """See `Backbone.step`."""
        random = {"generator": list(generators)} if self._takes_generator else {}
        return self.scheduler.step(model_output, timestep, latents, **random).prev_sample

    def renoise(self, latents: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """See `Backbone.renoise`."""
        alpha_cumprod = self._alpha_cumprod(timestep)
        return alpha_cumprod**0.5 * latents + (1 - alpha_cumprod) ** 0.5 * noise

    @property
    def _shift(self) -> float:
        return getattr(self.vae.config, "shift_factor", None) or 0.0

    def _alpha_cumprod(self, timestep: int) -> float:
        return float(self.scheduler.alphas_cumprod[timestep])


def load_pipeline(path: str, dtype: torch.dtype) -> Any:
    """Read a pipeline from a folder, a package or the hub.

    Raises:
        ValueError: If that fails; the message is one sentence that says what a folder must hold.
    """
    source = package_folder(path) if path.startswith(PACKAGE_PREFIX) else path
    try:
        return StableDiffusionPipeline.from_pretrained(
            source, dtype=dtype, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ValueError(
            f"backbone {path!r} cannot be read ({reason}): give a folder in the StableDiffusionPipeline layout "
            "(model_index.json, scheduler, text_encoder, tokenizer, unet, vae), made with "
            "`hf download MODEL_ID --local-dir FOLDER`, or a hub id while online"
        ) from error


def load_ip_adapter(pipeline: Any, file: Path, scale: float) -> None:
    """Add an IP-Adapter to a pipeline's denoiser.

    Raises:
        ValueError: If the file cannot be read or was made for another denoiser.
    """
    try:
        pipeline.load_ip_adapter(str(file.parent), "", file.name, image_encoder_folder=None)
        pipeline.set_ip_adapter_scale(scale)
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ValueError(
            f"ip_adapter {str(file)!r} cannot be read ({reason}): give a weight file of an IP-Adapter made for this "
            "denoiser"
        ) from error


def package_folder(path: str) -> str:
    """Translate ``package:NAME/FOLDER`` to the folder inside the installed package.

    Example:
        >>> Path(package_folder("package:modules/backbones")).name
        'backbones'
    """
    package, _, folder = path.removeprefix(PACKAGE_PREFIX).partition("/")
    return str(Path(str(resources.files(package))) / folder)
