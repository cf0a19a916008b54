"""How images become latents and latents become images."""

from abc import ABC, abstractmethod
from fractions import Fraction

from torch import Tensor

from modules.windows import in_windows, split


class Codec(ABC):
    """Range, shift, scale and packing of a model's latents."""

    latent_channels: int
    """C of the latents."""

    downscale_factor: int
    """Pixels along one side of a latent."""

    reach: int = 16
    """Latents around a place that its image, or the features of its image, may depend on, and the other way round."""

    cheap: "Codec | None" = None
    """A codec of the same latents, through whose decoder gradients cost less; None if there is none."""

    def latent_shape(self, images: Tensor) -> tuple[int, int, int]:
        """Shape (C, h, w) of the latents of one of these images, shape (B, 3, H, W)."""
        height, width = images.shape[-2:]
        return self.latent_channels, height // self.downscale_factor, width // self.downscale_factor

    def encode_in_windows(self, images: Tensor, side_px: int | None) -> Tensor:
        """`encode` of images of any size, window by window where a side is longer than this."""
        factor = self.downscale_factor
        windows = split(images.shape[-2:], side_px, self.reach * factor, factor)
        return in_windows(self.encode, images, windows, Fraction(1, factor))

    def decode_in_windows(self, latents: Tensor, side_px: int | None) -> Tensor:
        """`decode` of latents of any size, window by window where a side of the image is longer than this."""
        factor = self.downscale_factor
        windows = split(latents.shape[-2:], None if side_px is None else side_px // factor, self.reach)
        return in_windows(self.decode, latents, windows, Fraction(factor))

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Latents of unit size, shape (B, C, h, w), of images, shape (B, 3, H, W), range [0, 1]."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Images, shape (B, 3, H, W), nominally in [0, 1] and not clipped, of latents, shape (B, C, h, w)."""

    @abstractmethod
    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps (B, channels, h, w) of the first encoder levels, for perceptual losses."""
