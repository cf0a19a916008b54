"""Convolutions with separate weights for every image of a batch, in one call."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PerImageConv2d(nn.Module):
    """B independent convolutions, one per image, run as one grouped convolution.

    Args:
        in_channels: Channels of each image's input.
        out_channels: Channels of each image's output.
        kernel_size: Side of the kernels in pixels; the border is padded with zeros so that sizes are kept.
        generators: One per image; image i's weights are drawn from generator i (Kaiming normal), biases are zero.
        stride: Step of the kernels in pixels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        generators: Sequence[torch.Generator],
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.num_images = len(generators)
        self.stride = stride
        self.padding = kernel_size // 2
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        deviation = math.sqrt(2 / (in_channels * kernel_size**2))
        drawn = [torch.randn(shape, generator=generator) * deviation for generator in generators]
        self.weight = nn.Parameter(torch.stack(drawn))
        self.bias = nn.Parameter(torch.zeros(self.num_images, out_channels))

    def forward(self, images: Tensor) -> Tensor:
        """Convolve rows ``chain * B + image`` with the weights of their image.

        Args:
            images: Shape (K * B, in_channels, H, W).

        Returns:
            Shape (K * B, out_channels, H', W').
        """
        grouped = images.reshape(-1, self.num_images * images.shape[1], *images.shape[2:])
        convolved = F.conv2d(
            grouped,
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            stride=self.stride,
            padding=self.padding,
            groups=self.num_images,
        )
        return convolved.reshape(len(images), -1, *convolved.shape[2:])
