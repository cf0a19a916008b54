"""Any model in the StableDiffusionPipeline folder layout: SD 1.x, SD 2.x, the embedded mini."""

from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, SchedulerMixin

from modules.backbones.autoencoder_codec import AutoencoderCodec
from modules.backbones.latent_diffusion import LatentDiffusion
from modules.backbones.loading import load_gradient_codec, load_ip_adapter, load_pipeline, source
from modules.backbones.packed_codec import PackedCodec, packing_of
from modules.backbones.text_conditioning import TextConditioner
from modules.backbones.unet_denoiser import UNetDenoiser
from modules.backbones.variance_preserving import VariancePreserving


class StableDiffusion(LatentDiffusion):
    """Adapter over a diffusers ``StableDiffusionPipeline``; every size and scale is read from its configuration.

    A denoiser with four, nine ... times as many channels as the autoencoder's latents sees squares of 2 x 2, 3 x 3 ...
    of them as one.

    Args:
        path: Folder in the StableDiffusionPipeline layout, hub id, or ``package:NAME/FOLDER`` for a folder inside an
            installed package.
        scheduler: Step rule, a diffusers scheduler class that works on variance-preserving latents.
        timestep_spacing: Which timesteps a pass takes, see diffusers: "leading" ends its last step at the clean end,
            "trailing" starts its first at pure noise; None as the folder says.
        dtype: Precision of the weights. Latents, images and gradients stay in float32 outside the networks.
        num_feature_levels: Encoder levels that `features` returns, the finest first.
        ip_adapter: Weight file of an IP-Adapter (.safetensors or .bin) made for this denoiser, which reads the image
            embeddings of the prior; None uses none.
        ip_adapter_scale: How strongly it is followed; 1 as trained.
        gradient_autoencoder: Folder or hub id of a small autoencoder for the same latents, such as TAESD, through whose
            decoder gradients are taken, in a fraction of the time and memory; losses and the result still see the
            model's own decoder. None takes them through that one.
        compile_networks: Compile the denoiser, and an autoencoder without group norms, with ``torch.compile``: slow
            once, faster afterwards. Needs a C++ compiler on a CPU.
    """

    def __init__(
        self,
        path: str = "package:ldrps/pretrained/mini",
        scheduler: type[SchedulerMixin] = DDIMScheduler,
        timestep_spacing: Literal["leading", "trailing", "linspace"] | None = None,
        dtype: Literal["float32", "float16", "bfloat16", "float64"] = "float32",
        num_feature_levels: int = 2,
        ip_adapter: str | None = None,
        ip_adapter_scale: float = 1.0,
        gradient_autoencoder: str | None = None,
        compile_networks: bool = False,
    ) -> None:
        super().__init__()
        self.path = path
        self.scheduler_class = scheduler
        self.timestep_spacing = timestep_spacing
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.num_feature_levels = num_feature_levels
        self.ip_adapter = ip_adapter
        self.ip_adapter_scale = ip_adapter_scale
        self.gradient_autoencoder = gradient_autoencoder
        self.compile_networks = compile_networks
        self._pipeline: Any = None

    def load(self) -> None:
        """Read the folder with diffusers.

        Raises:
            ValueError: If the folder or hub id cannot be read, or the scheduler does not fit.
        """
        if self._pipeline is not None:
            return
        pipeline = load_pipeline(self.path, self.dtype)
        spacing = {} if self.timestep_spacing is None else {"timestep_spacing": self.timestep_spacing}
        noise_path = VariancePreserving(self.scheduler_class.from_config(pipeline.scheduler.config, **spacing))
        if self.ip_adapter is not None:
            load_ip_adapter(pipeline, Path(self.ip_adapter), self.ip_adapter_scale)
        codec = AutoencoderCodec(pipeline.vae, self.num_feature_levels)
        if self.gradient_autoencoder is not None:
            cheap = load_gradient_codec(self.gradient_autoencoder, codec, self.dtype)
            self.gradient_vae = cheap.autoencoder.requires_grad_(False).eval()
            codec.cheap = cheap
        packing = packing_of(pipeline.unet, codec.latent_channels)
        self._pipeline = pipeline
        # Channels last is a quarter to a half faster on CPUs, and what tensor cores want.
        self.vae = pipeline.vae.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        self.unet = pipeline.unet.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        if self.compile_networks:
            self.unet.compile()
            # Hooks of shared norms would not be seen.
            if isinstance(self.vae, AutoencoderTiny):
                self.vae.encoder.compile()
                self.vae.decoder.compile()
        self.text_encoder = pipeline.text_encoder.requires_grad_(False).eval()
        self.compose(
            codec if packing == 1 else PackedCodec(codec, packing),
            noise_path,
            UNetDenoiser(self.unet, TextConditioner(pipeline, self.path)),
        )

    @property
    def folder(self) -> Path | None:
        """See `Backbone.folder`."""
        folder = Path(source(self.path))
        return folder if folder.is_dir() else None

    @property
    def scheduler(self) -> Any:
        """Scheduler of the noise path, a diffusers object; another one may be assigned."""
        return self.noise_path.scheduler

    @scheduler.setter
    def scheduler(self, scheduler: Any) -> None:
        self.noise_path = VariancePreserving(scheduler)

    @property
    def num_train_timesteps(self) -> int:
        """Timesteps that the denoiser was trained on."""
        return int(self.scheduler.config.num_train_timesteps)
