"""diffusers' autoencoders in stages: what is coarse, where attention is, apart from what is fine."""

from fractions import Fraction
from typing import Any

from diffusers import AutoencoderTiny
from torch import Tensor, nn

from modules.backbones.stages import Layer, Stage, with_steps


def encoding_stages(autoencoder: Any, downscale_factor: int) -> list[Stage]:
    """From pixels in [-1, 1] to latents, or, of AutoencoderKL, to their moments."""
    encoder = autoencoder.encoder
    if isinstance(autoencoder, AutoencoderTiny):
        layers = list(encoder.layers)
        halvings = [number for number, layer in enumerate(layers) if getattr(layer, "stride", (1, 1)) != (1, 1)]
        if not halvings:
            return [Stage([_to_unit, *layers], 1, Fraction(1))]
        fine = Stage([_to_unit, *layers[: halvings[-1]]], 1, Fraction(2, downscale_factor))
        return [fine, Stage(layers[halvings[-1] :], downscale_factor // 2, Fraction(1, 2))]
    resolution = 1
    steps = [Stage([encoder.conv_in], 1, Fraction(1))]
    for block in encoder.down_blocks:
        steps += _residual(block, resolution)
        for sampler in block.downsamplers or ():
            steps.append(Stage([sampler], resolution, Fraction(1, 2)))
            resolution *= 2
    coarse = [encoder.mid_block, encoder.conv_norm_out, encoder.conv_act, encoder.conv_out]
    end = Stage([*coarse, *_given(autoencoder.quant_conv)], resolution, Fraction(1), is_whole=True)
    return [with_steps(steps), end]


def decoding_stages(autoencoder: Any, downscale_factor: int) -> list[Stage]:
    """From latents to pixels in [-1, 1]."""
    decoder = autoencoder.decoder
    if isinstance(autoencoder, AutoencoderTiny):
        layers = list(decoder.layers)
        doublings = [number for number, layer in enumerate(layers) if isinstance(layer, nn.Upsample)]
        first = doublings[0] if doublings else 0
        return [
            Stage([_softly_clamped, *layers[:first]], downscale_factor, Fraction(1)),
            Stage([*layers[first:], _from_unit], downscale_factor, Fraction(downscale_factor)),
        ]
    coarse = [*_given(autoencoder.post_quant_conv), decoder.conv_in, decoder.mid_block]
    start = Stage(coarse, downscale_factor, Fraction(1), is_whole=True)
    resolution = downscale_factor
    steps = []
    for block in decoder.up_blocks:
        steps += _residual(block, resolution)
        for sampler in block.upsamplers or ():
            steps.append(Stage([sampler], resolution, Fraction(2)))
            resolution //= 2
    steps.append(Stage([decoder.conv_norm_out, decoder.conv_act, decoder.conv_out], resolution, Fraction(1)))
    return [start, with_steps(steps)]


def _residual(block: Any, resolution: int) -> list[Stage]:
    """What a block does before it changes the resolution."""
    attentions = getattr(block, "attentions", [None] * len(block.resnets))
    layers: list[list[Layer]] = [
        [Timeless(resnet), *_given(attention)] for resnet, attention in zip(block.resnets, attentions, strict=True)
    ]
    return [Stage(each, resolution, Fraction(1), is_whole=len(each) > 1) for each in layers]


class Timeless(nn.Module):
    """A residual block of diffusers that is told no time."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, hidden: Tensor) -> Tensor:
        """See ``ResnetBlock2D``."""
        result: Tensor = self.block(hidden, temb=None)
        return result


def _given(layer: nn.Module | None) -> list[Layer]:
    return [] if layer is None else [layer]


# What AutoencoderTiny's encoder and decoder do besides their layers.


def _to_unit(images: Tensor) -> Tensor:
    return images.add(1).div(2)


def _from_unit(images: Tensor) -> Tensor:
    return images.mul(2).sub(1)


def _softly_clamped(latents: Tensor) -> Tensor:
    return (latents / 3).tanh() * 3
