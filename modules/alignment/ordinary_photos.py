"""What ordinary photos look like, to tell a damaged one by: quantiles over 1,600 of the training photos."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Gate = tuple[float, float]
"""Where a statistic begins to be unusual, and where it is damage."""


@dataclass(frozen=True)
class Gates:
    """Statistics of brightness, 0 to 1, at which damage begins and is certain.

    Attributes:
        black: The 0.2 % percentile of the darkest channel; one photo in twenty-five, and one in a hundred.
        white: The 99.8 % percentile of the brightest channel; one in twenty-five, and one in two hundred.
        mean: Mean brightness after a stretch of the whole picture; one in two hundred, and one in five hundred.
        darkness: Mean darkest value of neighbourhoods, weighted by their contrast, after a stretch of the whole
            picture; one in six, and one in twenty. `Haze` asks for more.
    """

    black: Gate
    white: Gate
    mean: Gate
    darkness: Gate


COLOR = Gates(black=(0.13, 0.22), white=(0.80, 0.65), mean=(0.15, 0.10), darkness=(0.17, 0.24))

GREY = Gates(black=(0.26, 0.36), white=(0.62, 0.52), mean=(0.15, 0.10), darkness=(0.24, 0.31))
"""Of the same photos without colour, where no channel is darker or brighter than the others, and brightness says less:
one in fifty and one in two hundred."""


def black_and_white(images: Tensor, percentile: float) -> tuple[Tensor, Tensor]:
    """Brightness that a share of the pixels is below or above, of the darkest and of the brightest channel.

    Args:
        images: Shape (B, 3, H, W), range [0, 1].
        percentile: The share, in (0, 0.5).

    Returns:
        Black and white, each of shape (B,); at least 1/64 apart, so that a flat image can be stretched.
    """
    black = quantile(images.amin(dim=1).flatten(1), percentile)
    white = quantile(images.amax(dim=1).flatten(1), 1 - percentile)
    return black, torch.maximum(white, black + 1 / 64)


def quantile(values: Tensor, share: float) -> Tensor:
    """`torch.quantile` of rows, by selection: four times as fast, and of any number of values.

    Args:
        values: Shape (B, N).
        share: Share of the values that lie below, in [0, 1].

    Example:
        >>> quantile(torch.tensor([[4.0, 1.0, 2.0]]), 0.75)
        tensor([3.])
    """
    place = share * (values.shape[1] - 1)
    below, above = (values.kthvalue(1 + rank, dim=1).values for rank in (int(place), math.ceil(place)))
    return torch.lerp(below, above, place - int(place))


def unusual(statistic: Tensor, gate: tuple[Tensor | float, Tensor | float]) -> Tensor:
    """How far a statistic lies behind its gate, 0 to 1, shapes alike.

    Example:
        >>> unusual(torch.tensor([0.1, 0.3, 0.9]), (0.2, 0.4))
        tensor([0.0000, 0.5000, 1.0000])
    """
    start, end = gate
    return ((statistic - start) / (end - start)).clamp(0, 1)


def damage(statistic: Tensor, greyness: Tensor, color: Gate, grey: Gate) -> Tensor:
    """How certainly a statistic is damage, 0 to 1, with a gate between that of colour photos and that of grey ones."""
    start, end = (color[edge] + greyness * (grey[edge] - color[edge]) for edge in (0, 1))
    return unusual(statistic, (start, end))


def greyness(images: Tensor) -> Tensor:
    """1 for images without colour, 0 for all others, shape (B,).

    Args:
        images: Shape (B, 3, H, W), range [0, 1], without noise.
    """
    saturation = torch.mean(images.amax(dim=1) - images.amin(dim=1), dim=(1, 2))
    return (1 - (saturation - 0.01) / 0.02).clamp(0, 1)
