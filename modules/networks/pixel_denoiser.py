"""A convolutional denoiser in pixels that is told how noisy each place is."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor, nn

from modules.networks.residual_block import ResidualBlock


class PixelDenoiser(ModelMixin, ConfigMixin):
    """A small U-Net without any bias, so that brighter noise on a brighter photo gives a brighter result.

    Works on 2 x 2 blocks of pixels as channels, and on half and a quarter of that resolution.

    Args:
        widths: Channels at a half, a quarter and an eighth of the photo's resolution.
        num_blocks: Residual blocks at each of these on the way down, and again on the way up.

    References:
        Zhang et al. 2018, FFDNet, Sec. 3 (noise map, sub-images); Zhang et al. 2022, Plug-and-Play Image Restoration
        with Deep Denoiser Prior, Sec. 3.2 (U-Net with residual blocks); Mohan et al. 2020, Robust and Interpretable
        Blind Image Denoising via Bias-Free Convolutional Neural Networks.
    """

    @register_to_config
    def __init__(self, widths: tuple[int, ...] = (64, 96, 96), num_blocks: int = 2) -> None:
        super().__init__()
        self.size_multiple = 2 ** len(widths)
        self.enter = nn.Conv2d(24, widths[0], 3, padding=1, bias=False)
        self.down, self.shrink, self.enlarge, self.up = (nn.ModuleList() for _ in range(4))
        for width, wider in pairwise(widths):
            self.down.append(blocks(width, num_blocks))
            self.shrink.append(nn.Conv2d(width, wider, 2, stride=2, bias=False))
            self.enlarge.append(nn.ConvTranspose2d(wider, width, 2, stride=2, bias=False))
            self.up.append(blocks(width, num_blocks))
        self.middle = blocks(widths[-1], num_blocks)
        self.leave = nn.Conv2d(widths[0], 12, 3, padding=1, bias=False)
        # A new network leaves photos as they are.
        nn.init.zeros_(self.leave.weight)

    def forward(self, images: Tensor, noise_std: Tensor) -> Tensor:
        """Denoise images.

        Args:
            images: Noisy images, shape (B, 3, H, W), nominally in [0, 1], any H and W.
            noise_std: Standard deviation of the noise in the same units, shape (B, 3, H, W) or broadcastable to it.

        Returns:
            Same shape as `images`, not clipped.
        """
        height, width = images.shape[-2:]
        both = torch.cat([images, noise_std.expand_as(images)], dim=1)
        edge = (0, -width % self.size_multiple, 0, -height % self.size_multiple)
        hidden = self.enter(F.pixel_unshuffle(F.pad(both, edge, mode="replicate"), 2))
        kept = []
        for level, shrink in zip(self.down, self.shrink, strict=True):
            hidden = level(hidden)
            kept.append(hidden)
            hidden = shrink(hidden)
        hidden = self.middle(hidden)
        for level, enlarge in zip(reversed(self.up), reversed(self.enlarge), strict=True):
            hidden = level(enlarge(hidden) + kept.pop())
        noise = F.pixel_shuffle(self.leave(hidden), 2)[..., :height, :width]
        return images - noise.to(images.dtype)


def blocks(width: int, count: int) -> nn.Sequential:
    """Residual blocks without bias."""
    return nn.Sequential(*(ResidualBlock(width, nn.ReLU(), bias=False) for _ in range(count)))
