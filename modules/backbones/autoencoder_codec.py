"""Latents of diffusers' AutoencoderKL and AutoencoderTiny."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from modules.backbones.codec import Codec, Make
from modules.backbones.shared_norms import SharedNorms
from modules.windows import Window


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
        self.reach = self._reach()
        self._scale = autoencoder.config.scaling_factor
        self._shift = getattr(autoencoder.config, "shift_factor", None) or 0.0

    def _reach(self) -> int:
        """See `Codec.reach`; attention, which reaches everywhere, is not counted."""
        encoder, decoder = self.autoencoder.encoder, self.autoencoder.decoder
        if isinstance(self.autoencoder, AutoencoderTiny):
            stages = [encoder.layers], [decoder.layers]
        else:
            stages = (
                [encoder.conv_in, *encoder.down_blocks, encoder.mid_block, encoder.conv_out],
                [decoder.conv_in, decoder.mid_block, *decoder.up_blocks, decoder.conv_out],
            )
        return math.ceil(max(receptive_radius(stages[0]) / self.downscale_factor, receptive_radius(stages[1])))

    def aware(self, make: Make, values: Tensor, windows: Sequence[Window]) -> Make:
        """See `Codec.aware`: group norms take the mean and variance of a copy as large as a window."""
        norms = SharedNorms(self.autoencoder)
        if len(windows) == 1 or not norms.norms:
            return make
        scale = (windows[0].area / (values.shape[-2] * values.shape[-1])) ** 0.5
        sides = [
            max(1, round(side * scale / self.downscale_factor)) * self.downscale_factor for side in values.shape[-2:]
        ]
        # Pixels are left out rather than averaged, so that grain stays what it is.
        small = F.interpolate(values, size=sides, mode="nearest-exact")
        with torch.no_grad(), norms.measured():
            make(small)

        def make_shared(part: Tensor) -> Tensor:
            with norms.shared():
                return make(part)

        return make_shared

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


def receptive_radius(stages: Iterable[nn.Module]) -> float:
    """Places around an input that the output of convolutions depends on, at the input's resolution.

    Args:
        stages: What the input goes through, in order; branches of a stage count as if they followed one another.

    Example:
        >>> receptive_radius([nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, stride=2), nn.Conv2d(1, 1, 3), nn.Upsample(2)])
        4.0
    """
    radius, size = 0.0, 1.0
    for layer in (layer for stage in stages for layer in stage.modules()):
        if isinstance(layer, nn.Conv2d):
            radius += size * layer.dilation[0] * (layer.kernel_size[0] - 1) / 2
            size *= layer.stride[0]
        elif isinstance(layer, nn.Upsample | Upsample2D):
            size /= 2
    return radius
