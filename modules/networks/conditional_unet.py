"""The U-Net of IR-SDE as DA-CLIP and Wild-IR released it, conditioned on their embeddings."""

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import Transformer2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor, nn

from modules.networks.restoration_network import RestorationNetwork

HEAD_WIDTH = 32
"""Channels of one attention head."""

LINEAR_HEADS = 4
"""Heads of the linear attention, whatever the width."""


class ConditionalUNet(RestorationNetwork):
    """Predicts the noise; the defaults are those of ``wild-ir.pth``.

    Args:
        width: Channels of the first convolution.
        multipliers: What `width` is multiplied by after each level.
        context_dim: Width of the embeddings; None for a network without any.
        has_content: Whether the content embedding is attended to, at the deepest level and in the middle.
        has_degradation: Whether the degradation embedding is added to the time's.
        is_half_resolution: Whether all but the first and the last convolutions work at half the resolution.

    Raises:
        ValueError: If an embedding is wanted without `context_dim`.

    References:
        Luo et al. 2024, Controlling Vision-Language Models for Multi-Task Image Restoration, Fig. 3 and released code;
        Luo et al. 2024, Photo-Realistic Image Restoration in the Wild with Controlled Vision-Language Models, released
        code (half resolution).
    """

    @register_to_config
    def __init__(
        self,
        width: int = 64,
        multipliers: tuple[int, ...] = (1, 2, 4, 8),
        context_dim: int | None = 768,
        has_content: bool = True,
        has_degradation: bool = False,
        is_half_resolution: bool = True,
    ) -> None:
        super().__init__()
        if context_dim is None and (has_content or has_degradation):
            raise ValueError(
                "context_dim=null, but has_content or has_degradation asks for embeddings: say their width"
            )
        self.embedding_dim = context_dim if has_content or has_degradation else None
        self.width = width
        self.size_multiple = 2 ** len(multipliers)
        time_dim = 4 * width
        self.time = nn.Sequential(nn.Linear(width, time_dim), nn.GELU(), nn.Linear(time_dim, time_dim))
        self.prompt = PromptMixture(context_dim, time_dim) if has_degradation and context_dim is not None else None
        self.has_content = has_content

        self.enter = nn.Conv2d(6, width, 7, padding=3, bias=False)
        self.shrink = nn.Conv2d(width, width, 4, stride=2, padding=1) if is_half_resolution else nn.Identity()
        self.enlarge = enlarging(width, width) if is_half_resolution else nn.Identity()
        widths = [width, *(width * factor for factor in multipliers)]
        levels = list(pairwise(widths))
        context = [None] * (len(levels) - 1) + [context_dim if has_content else None]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for (narrow, wide), own in zip(levels, context, strict=True):
            shrink = nn.Conv2d(narrow, wide, 4, stride=2, padding=1)
            self.down.append(DownLevel(narrow, time_dim, own, shrink))
            self.up.append(UpLevel(narrow, wide, time_dim, own, enlarging(wide, narrow)))
        # The last level on either way keeps its resolution.
        self.down[-1].resample = nn.Conv2d(levels[-1][0], levels[-1][1], 3, padding=1, bias=False)
        self.up[0].resample = nn.Conv2d(levels[0][1], width, 3, padding=1, bias=False)
        deepest = widths[-1]
        self.middle = nn.ModuleList([Block(deepest, deepest, time_dim), Block(deepest, deepest, time_dim)])
        self.middle_attention = Attention(deepest, context_dim if has_content else None)
        self.final = Block(2 * width, width, time_dim)
        self.leave = nn.Conv2d(width, 3, 3, padding=1)

    def forward(
        self,
        sample: Tensor,
        degraded: Tensor,
        timesteps: Tensor,
        content: Tensor | None = None,
        degradation: Tensor | None = None,
    ) -> Tensor:
        """See `RestorationNetwork.forward`; the prediction is the noise."""
        height, width = sample.shape[-2:]
        pixels = reflected(torch.cat([sample - degraded, degraded], dim=1), self.size_multiple)
        told = self.time(get_timestep_embedding(timesteps, self.width, downscale_freq_shift=1).to(self.dtype))
        if self.prompt is not None and degradation is not None:
            told = told + self.prompt(degradation)
        tokens = self._tokens(sample, content)

        stem = self.enter(pixels)
        hidden = self.shrink(stem)
        kept: list[list[Tensor]] = []
        for level in self.down:
            hidden, *both = level(hidden, told, tokens)
            kept.append(both)
        hidden = self.middle_attention(self.middle[0](hidden, told), tokens)
        hidden = self.middle[1](hidden, told)
        for level in list(self.up)[::-1]:
            hidden = level(hidden, told, tokens, *kept.pop())
        hidden = self.final(torch.cat([self.enlarge(hidden), stem], dim=1), told)
        return self.leave(hidden)[..., :height, :width]

    def _tokens(self, sample: Tensor, content: Tensor | None) -> Tensor | None:
        """The content embedding as one token, shape (B, 1, D); zeros stand for an embedding that is absent."""
        if not self.has_content:
            return None
        if content is None:
            content = sample.new_zeros(len(sample), int(self.embedding_dim or 0))
        return content[:, None].to(self.dtype)


class PromptMixture(nn.Module):
    """A learnt vector, weighted by what the degradation embedding says."""

    def __init__(self, context_dim: int, time_dim: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(nn.Linear(context_dim, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim))
        self.prompt = nn.Parameter(torch.rand(1, time_dim))
        self.project = nn.Linear(time_dim, time_dim)

    def forward(self, degradation: Tensor) -> Tensor:
        """Shape (B, time_dim) from (B, context_dim)."""
        projected: Tensor = self.project(self.weigh(degradation.to(self.prompt)).softmax(dim=1) * self.prompt)
        return projected


class DownLevel(nn.Module):
    """Two blocks and attention, whose outputs are kept for the way up, and a change of resolution."""

    def __init__(self, width: int, time_dim: int, context_dim: int | None, resample: nn.Module) -> None:
        super().__init__()
        self.first = Block(width, width, time_dim)
        self.second = Block(width, width, time_dim)
        self.attention = Attention(width, context_dim)
        self.resample = resample

    def forward(self, hidden: Tensor, told: Tensor, tokens: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """What goes down, and the two that are kept."""
        first = self.first(hidden, told)
        second = self.attention(self.second(first, told), tokens)
        return self.resample(second), first, second


class UpLevel(nn.Module):
    """Two blocks, each beside what was kept on the way down, attention, and a change of resolution."""

    def __init__(self, narrow: int, wide: int, time_dim: int, context_dim: int | None, resample: nn.Module) -> None:
        super().__init__()
        self.first = Block(narrow + wide, wide, time_dim)
        self.second = Block(narrow + wide, wide, time_dim)
        self.attention = Attention(wide, context_dim)
        self.resample = resample

    def forward(self, hidden: Tensor, told: Tensor, tokens: Tensor | None, first: Tensor, second: Tensor) -> Tensor:
        """What goes up; `first` and `second` are what was kept."""
        hidden = self.first(torch.cat([hidden, second], dim=1), told)
        hidden = self.second(torch.cat([hidden, first], dim=1), told)
        resampled: Tensor = self.resample(self.attention(hidden, tokens))
        return resampled


class Block(nn.Module):
    """Two convolutions, the first scaled and shifted by what is told, and a shortcut; no bias, no normalisation."""

    def __init__(self, in_channels: int, out_channels: int, time_dim: int) -> None:
        super().__init__()
        self.tell = nn.Linear(time_dim, 2 * out_channels)
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        is_same = in_channels == out_channels
        self.shortcut = nn.Identity() if is_same else nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, hidden: Tensor, told: Tensor) -> Tensor:
        """Shape (B, out_channels, H, W)."""
        scale, shift = self.tell(F.silu(told))[:, :, None, None].chunk(2, dim=1)
        inner = F.silu(self.first(hidden) * (scale + 1) + shift)
        result: Tensor = F.silu(self.second(inner)) + self.shortcut(hidden)
        return result


class Attention(nn.Module):
    """x + attention(norm(x)): over tokens of the embedding and all pixels where there is one, else linear."""

    def __init__(self, width: int, context_dim: int | None) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.linear = LinearAttention(width) if context_dim is None else None
        self.transformer: Any = None
        if context_dim is not None:
            self.transformer = Transformer2DModel(
                num_attention_heads=width // HEAD_WIDTH,
                attention_head_dim=HEAD_WIDTH,
                in_channels=width,
                cross_attention_dim=context_dim,
            )

    def forward(self, hidden: Tensor, tokens: Tensor | None) -> Tensor:
        """Same shape as `hidden`; `tokens` has shape (B, L, context_dim)."""
        normed = self.norm(hidden)
        if self.linear is not None:
            return hidden + self.linear(normed)
        attended: Tensor = self.transformer(normed, encoder_hidden_states=tokens, return_dict=False)[0]
        return hidden + attended


class LinearAttention(nn.Module):
    """Attention whose cost grows with the pixels, not with their square."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = LINEAR_HEADS * HEAD_WIDTH
        self.to_qkv = nn.Conv2d(width, 3 * inner, 1, bias=False)
        self.to_out = nn.Conv2d(inner, width, 1)
        self.out_norm = ChannelNorm(width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Same shape."""
        batch, _, height, width = hidden.shape
        pixels = height * width
        query, key, value = self.to_qkv(hidden).view(batch, 3, LINEAR_HEADS, HEAD_WIDTH, pixels).unbind(dim=1)
        query = query.softmax(dim=-2) * HEAD_WIDTH**-0.5
        context = key.softmax(dim=-1) @ (value / pixels).transpose(-1, -2)
        out = (context.transpose(-1, -2) @ query).reshape(batch, -1, height, width)
        normed: Tensor = self.out_norm(self.to_out(out))
        return normed


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, with a gain and no bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Same shape."""
        variance, mean = torch.var_mean(hidden, dim=1, unbiased=False, keepdim=True)
        return (hidden - mean) * (variance + 1e-5).rsqrt() * self.gain


def enlarging(in_channels: int, out_channels: int) -> nn.Sequential:
    """Nearest-neighbour enlargement by 2 and a convolution."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(in_channels, out_channels, 3, padding=1)
    )


def reflected(images: Tensor, multiple: int) -> Tensor:
    """Continue images at the right and the bottom as in a mirror, to a multiple; also those smaller than the margin.

    Example:
        >>> reflected(torch.arange(3.0).view(1, 1, 1, 3), 4)[0, 0, 0].tolist()
        [0.0, 1.0, 2.0, 1.0]
    """
    for axis in (-2, -1):
        side = images.shape[axis]
        if side % multiple:
            images = images.index_select(axis, mirror(side, side + -side % multiple).to(images.device))
    return images


def mirror(side: int, wanted: int) -> Tensor:
    """Places 0, 1, ..., side - 1, side - 2, ..., 0, 1, ... of which there are `wanted`."""
    period = max(1, 2 * (side - 1))
    places = torch.arange(wanted) % period
    return torch.minimum(places, period - places) if side > 1 else places
