"""Latents of diffusers' AutoencoderKL and AutoencoderTiny."""

from typing import Any

from diffusers import AutoencoderTiny
from torch import Tensor

from modules.backbones.autoencoder_stages import decoding_stages, encoding_stages
from modules.backbones.codec import Codec


class AutoencoderCodec(Codec):
    """An autoencoder of diffusers, in its own precision; shift, scale and sizes are read from its configuration.

    Args:
        autoencoder: AutoencoderKL or AutoencoderTiny, whose images lie in [-1, 1].
        num_feature_levels: Encoder levels that `features` returns, the finest first.
        cheap: See `Codec.cheap`.
    """

    def __init__(self, autoencoder: Any, num_feature_levels: int = 2, cheap: Codec | None = None) -> None:
        self.autoencoder = autoencoder
        self.num_feature_levels = num_feature_levels
        self.cheap = cheap
        self.latent_channels = autoencoder.config.latent_channels
        self.downscale_factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
        self._scale = autoencoder.config.scaling_factor
        self._shift = getattr(autoencoder.config, "shift_factor", None) or 0.0

    def encode_in_windows(self, images: Tensor, side_px: int | None) -> Tensor:
        """See `Codec.encode_in_windows`; stage by stage, with group norms and attention of the whole picture."""
        if side_px is None or max(images.shape[-2:]) <= side_px:
            return self.encode(images)
        hidden = (images * 2 - 1).to(self.autoencoder.dtype)
        for stage in encoding_stages(self.autoencoder, self.downscale_factor):
            hidden = stage.in_windows(hidden, side_px)
        # Of a distribution the mean comes first, then the logarithm of the variance.
        return (hidden[:, : self.latent_channels].to(images.dtype) - self._shift) * self._scale

    def decode_in_windows(self, latents: Tensor, side_px: int | None) -> Tensor:
        """See `Codec.decode_in_windows` and `encode_in_windows`."""
        if side_px is None or max(latents.shape[-2:]) * self.downscale_factor <= side_px:
            return self.decode(latents)
        hidden = (latents / self._scale + self._shift).to(self.autoencoder.dtype)
        for stage in decoding_stages(self.autoencoder, self.downscale_factor):
            hidden = stage.in_windows(hidden, side_px)
        return hidden.to(latents.dtype) / 2 + 0.5

    def encode(self, images: Tensor) -> Tensor:
        """Latents of the images; the mean where the encoder gives a distribution."""
        encoded = self.autoencoder.encode((images * 2 - 1).to(self.autoencoder.dtype))
        latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
        return (latents.to(images.dtype) - self._shift) * self._scale

    def decode(self, latents: Tensor) -> Tensor:
        """See `Codec.decode`."""
        unscaled = latents / self._scale + self._shift
        return self.autoencoder.decode(unscaled.to(self.autoencoder.dtype)).sample.to(latents.dtype) / 2 + 0.5

    def features(self, images: Tensor) -> list[Tensor]:
        """Outputs of the first encoder levels, before each reduction of the resolution."""
        hidden = (images * 2 - 1).to(self.autoencoder.dtype)
        encoder = self.autoencoder.encoder
        features: list[Tensor] = []
        if isinstance(self.autoencoder, AutoencoderTiny):
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
