"""F-PAM, the feature and pixel alignment module of LD-RPS, in residual form."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.networks.per_image_conv import PerImageConv2d


class FPAM(Alignment):
    """psi(x) = h2(h1(x)) + p * h1(x) with small convolution nets h1, h2 and a learnt factor p per channel.

    Args:
        width: Channels of the first layers, 64 in the released code (373,577 parameters an image).
        use_mean_channel: Feed R, G, B and their mean M, as the paper's figure 3 labels the input; the released code
            feeds R, G, B.
        start_from_identity: Begin as psi(x) = x instead of at random. A random net fitted to the degraded image alone
            explains any x, so nothing constrains the picture.

    Raises:
        ValueError: If width is below 6, which the identity start needs.

    References:
        LD-RPS 2025 (ICCV), F-PAM; the residual net of the released code (``--use_bn``).
    """

    def __init__(self, width: int = 64, use_mean_channel: bool = False, start_from_identity: bool = True) -> None:
        super().__init__()
        if width < 6:
            raise ValueError(
                f"width={width} must be at least 6: the identity start needs a positive and a negative "
                "channel for each colour"
            )
        self.width = width
        self.use_mean_channel = use_mean_channel
        self.start_from_identity = start_from_identity

    @property
    def reach_px(self) -> int:
        """See `Alignment.reach_px`; one convolution of 3 x 3 in h1, three in h2."""
        return 4

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        in_channels = 4 if self.use_mean_channel else 3
        first = PerImageConv2d(in_channels, self.width, 3, generators)
        last = PerImageConv2d(self.width, 3, 1, generators)
        self.h1 = nn.Sequential(first, nn.LeakyReLU(0.01), last)
        self.h2 = convolution_stack(3, self.width, generators)
        self.channel_factor = nn.Parameter(torch.ones(len(generators), 3, 1, 1))
        if self.start_from_identity:
            self._become_identity(first, last)
        self.to(degraded)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        chains = len(images) // len(self.channel_factor)
        hidden: Tensor = self.h1(with_mean_channel(images) if self.use_mean_channel else images)
        return self.h2(hidden) + self.channel_factor.repeat(chains, 1, 1, 1) * hidden

    @torch.no_grad()
    def _become_identity(self, first: PerImageConv2d, last: PerImageConv2d) -> None:
        last.weight.zero_()
        next(self.h2[-1].parameters()).zero_()
        for colour in range(3):
            for sign, channel in ((1.0, colour), (-1.0, colour + 3)):
                first.weight[:, channel].zero_()
                first.weight[:, channel, colour, 1, 1] = sign
                # leaky(x) - leaky(-x) = 1.01 x for either sign of x.
                last.weight[:, colour, channel] = sign / 1.01


def convolution_stack(in_channels: int, width: int, generators: Sequence[torch.Generator]) -> nn.Sequential:
    """Three 3x3 convolutions of growing width with LeakyReLU, and a 1x1 back to three channels."""
    return nn.Sequential(
        PerImageConv2d(in_channels, width, 3, generators),
        nn.LeakyReLU(0.01),
        PerImageConv2d(width, 2 * width, 3, generators),
        nn.LeakyReLU(0.01),
        PerImageConv2d(2 * width, 4 * width, 3, generators),
        nn.LeakyReLU(0.01),
        PerImageConv2d(4 * width, 3, 1, generators),
    )


def with_mean_channel(images: Tensor) -> Tensor:
    """Append the mean of the colours: (N, 3, H, W) -> (N, 4, H, W)."""
    return torch.cat([images, images.mean(dim=1, keepdim=True)], dim=1)
