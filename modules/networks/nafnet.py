"""A small network of gated convolutions for the mean-reverting SDE."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor, nn

from modules.networks.restoration_network import RestorationNetwork


class NAFNet(RestorationNetwork):
    """A U-Net of nonlinear-activation-free blocks on patches of pixels, told the timestep and DA-CLIP's embeddings.

    It predicts the clean image, as a difference from the degraded one: that is a plain restoration network at the last
    timestep, where the sample knows nothing, so that even one step is a good answer. (The noise would be a bad thing to
    predict there: an error in it is 1 / delta times as large in the clean image.)

    Args:
        widths: Channels at the resolution of the patches, at half of it, and so on; multiples of 8 are fastest.
        encoder_blocks: Blocks on the way down, at all but the last resolution.
        middle_blocks: Blocks at the last resolution.
        decoder_blocks: Blocks on the way up, listed from the highest resolution.
        patch_size: Side in pixels of the patches that become channels.
        time_dim: Width of what is said of timestep and embeddings.
        embedding_dim: Width of DA-CLIP's embeddings; None takes none.

    References:
        Chen et al. 2022, Simple Baselines for Image Restoration, Fig. 3 and Sec. 3 (blocks); Luo et al. 2023, Refusion,
        Sec. 3.2 (told the timestep).
    """

    @register_to_config
    def __init__(
        self,
        widths: tuple[int, ...] = (48, 96, 192),
        encoder_blocks: tuple[int, ...] = (1, 2),
        middle_blocks: int = 6,
        decoder_blocks: tuple[int, ...] = (2, 2),
        patch_size: int = 2,
        time_dim: int = 64,
        embedding_dim: int | None = None,
    ) -> None:
        super().__init__()
        if not len(widths) - 1 == len(encoder_blocks) == len(decoder_blocks):
            raise ValueError(
                f"encoder_blocks={list(encoder_blocks)} and decoder_blocks={list(decoder_blocks)} must have one number "
                f"for each of widths={list(widths)} but the last"
            )
        self.embedding_dim = embedding_dim
        self.patch_size = patch_size
        self.time_dim = time_dim
        self.size_multiple = patch_size * 2 ** len(encoder_blocks)
        self.time = nn.Sequential(nn.Linear(time_dim, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim))
        self.embed = None if embedding_dim is None else nn.Linear(2 * embedding_dim, time_dim, bias=False)
        self.enter = nn.Conv2d(6 * patch_size**2, widths[0], 3, padding=1)
        self.encoder, self.shrink, self.enlarge, self.decoder = (nn.ModuleList() for _ in range(4))
        for (width, wider), down, up in zip(pairwise(widths), encoder_blocks, decoder_blocks, strict=True):
            self.encoder.append(_blocks(width, time_dim, down))
            self.shrink.append(nn.Conv2d(width, wider, 2, stride=2))
            self.enlarge.append(nn.Sequential(nn.Conv2d(wider, 4 * width, 1, bias=False), nn.PixelShuffle(2)))
            self.decoder.append(_blocks(width, time_dim, up))
        self.middle = _blocks(widths[-1], time_dim, middle_blocks)
        self.leave = nn.Conv2d(widths[0], 3 * patch_size**2, 3, padding=1)
        # A new network says that the degraded image is the clean one.
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        sample: Tensor,
        degraded: Tensor,
        timesteps: Tensor,
        content: Tensor | None = None,
        degradation: Tensor | None = None,
    ) -> Tensor:
        """See `RestorationNetwork.forward`; the prediction is the clean image."""
        height, width = sample.shape[-2:]
        pixels = torch.cat([sample - degraded, degraded], dim=1)
        edge = (0, -width % self.size_multiple, 0, -height % self.size_multiple)
        patches = F.pixel_unshuffle(F.pad(pixels, edge, mode="replicate"), self.patch_size)
        told = self._told(timesteps.expand(len(sample)), content, degradation)

        hidden = self.enter(patches.contiguous(memory_format=torch.channels_last))
        kept = []
        for blocks, shrink in zip(self.encoder, self.shrink, strict=True):
            hidden = _through(blocks, hidden, told)
            kept.append(hidden)
            hidden = shrink(hidden)
        hidden = _through(self.middle, hidden, told)
        for blocks, enlarge in zip(reversed(self.decoder), reversed(self.enlarge), strict=True):
            hidden = _through(blocks, enlarge(hidden) + kept.pop(), told)
        difference = F.pixel_shuffle(self.leave(hidden), self.patch_size)[..., :height, :width]
        return degraded + difference.to(degraded.dtype)

    def _told(self, timesteps: Tensor, content: Tensor | None, degradation: Tensor | None) -> Tensor:
        """What the blocks are told, shape (B, time_dim); embeddings that are absent, or zero, add nothing."""
        told = self.time(get_timestep_embedding(timesteps, self.time_dim, downscale_freq_shift=1).to(self.dtype))
        if self.embed is not None and content is not None and degradation is not None:
            # Directions matter; at this length an entry is of the order of 1, as a timestep's are.
            both = torch.cat([F.normalize(content, dim=1), F.normalize(degradation, dim=1)], dim=1)
            told = told + self.embed(both.to(told) * content.shape[1] ** 0.5)
        return F.silu(told)


class GatedBlock(nn.Module):
    """Two residual halves: a gated depth-wise convolution with channel attention, and a gated linear layer.

    Args:
        width: Channels.
        time_dim: Width of what the block is told.
    """

    def __init__(self, width: int, time_dim: int) -> None:
        super().__init__()
        self.tell = nn.Linear(time_dim, 3 * width)
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.look = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.attend = nn.Conv2d(width, width, 1)
        self.narrow = nn.Conv2d(width, width, 1)
        self.mix = nn.Conv2d(width, 2 * width, 1)
        self.last = nn.Conv2d(width, width, 1)
        # A new block changes nothing, and its attention lets everything through.
        nn.init.ones_(self.attend.get_parameter("bias"))
        for layer in (self.tell, self.narrow, self.last):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, hidden: Tensor, told: Tensor) -> Tensor:
        """Same shape as `hidden`, (B, width, H, W); `told` has shape (B, time_dim)."""
        attention_scale, scale, shift = self.tell(told)[:, :, None, None].chunk(3, dim=1)
        gated = _gate(self.look(self.widen(_over_channels(self.first_norm, hidden))))
        # The timestep scales what is one number a channel anyway, which costs nothing per pixel.
        attention = self.attend(gated.mean(dim=(2, 3), keepdim=True)) * (1 + attention_scale)
        hidden = hidden + self.narrow(gated * attention)
        normed = torch.addcmul(shift, _over_channels(self.second_norm, hidden), 1 + scale)
        return hidden + self.last(_gate(self.mix(normed)))


def _gate(hidden: Tensor) -> Tensor:
    """The only nonlinearity: one half of the channels times the other."""
    first, second = hidden.chunk(2, dim=1)
    return first * second


def _over_channels(norm: nn.Module, hidden: Tensor) -> Tensor:
    """Normalise over the channels of each pixel; free of copies in the channels-last layout."""
    normed: Tensor = norm(hidden.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return normed


def _blocks(width: int, time_dim: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(GatedBlock(width, time_dim) for _ in range(count))


def _through(blocks: nn.Module, hidden: Tensor, told: Tensor) -> Tensor:
    for block in blocks.children():
        hidden = block(hidden, told)
    return hidden
