"""Latents whose neighbours become channels, as Flux wants them."""

import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from modules.backbones.codec import Codec


class PackedCodec(Codec):
    """Packs squares of another codec's latents into the channels.

    Args:
        codec: Gives the latents, shape (B, C, h, w); packed they have the shape (B, C * side ** 2, h / side, w / side).
        side: Latents along one side of a square.
    """

    def __init__(self, codec: Codec, side: int = 2) -> None:
        self.codec = codec
        self.side = side
        self.latent_channels = codec.latent_channels * side**2
        self.downscale_factor = codec.downscale_factor * side
        self.cheap = None if codec.cheap is None else PackedCodec(codec.cheap, side)

    def encode_in_windows(self, images: Tensor, side_px: int | None) -> Tensor:
        """See `Codec.encode_in_windows`."""
        return F.pixel_unshuffle(self.codec.encode_in_windows(images, side_px), self.side)

    def decode_in_windows(self, latents: Tensor, side_px: int | None) -> Tensor:
        """See `Codec.decode_in_windows`."""
        return self.codec.decode_in_windows(F.pixel_shuffle(latents, self.side), side_px)

    def encode(self, images: Tensor) -> Tensor:
        """See `Codec.encode`."""
        return F.pixel_unshuffle(self.codec.encode(images), self.side)

    def decode(self, latents: Tensor) -> Tensor:
        """See `Codec.decode`."""
        return self.codec.decode(F.pixel_shuffle(latents, self.side))

    def features(self, images: Tensor) -> list[Tensor]:
        """See `Codec.features`."""
        return self.codec.features(images)


def packing_of(denoiser: Any, latent_channels: int) -> int:
    """Latents along one side of a square that a diffusers denoiser sees as one; 1 where it sees them as they are.

    Args:
        denoiser: Has ``config.in_channels``.
        latent_channels: Channels of the autoencoder's latents.
    """
    return max(1, math.isqrt(denoiser.config.in_channels // latent_channels))
