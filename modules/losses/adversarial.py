"""A patch discriminator per image that tells re-degraded from degraded patches."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.losses.base import Features, Loss, State
from modules.networks.per_image_conv import PerImageConv2d


class Adversarial(Loss):
    """Binary cross-entropy of taking re-degraded patches for degraded ones.

    Args:
        width: Channels of the first layer, 64 in the released code (371,073 parameters an image).
        learning_rate: Adam's learning rate of the discriminator.

    References:
        Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks, Sec. 3.2 (patches).
    """

    reach_px = 8
    grid_px = 8

    def __init__(self, width: int = 64, learning_rate: float = 4e-5) -> None:
        super().__init__()
        self.width = width
        self.learning_rate = learning_rate

    def begin(self, degraded: Tensor, features: Features, generators: Sequence[torch.Generator]) -> None:
        """Draw a new discriminator for each image."""
        width = self.width
        self._batch_size = len(generators)
        self.discriminator = nn.Sequential(
            PerImageConv2d(3, width, 3, generators, stride=2),
            nn.LeakyReLU(0.01),
            PerImageConv2d(width, 2 * width, 3, generators, stride=2),
            nn.LeakyReLU(0.01),
            PerImageConv2d(2 * width, 4 * width, 3, generators, stride=2),
            nn.LeakyReLU(0.01),
            PerImageConv2d(4 * width, 1, 1, generators),
        ).to(degraded)

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        logits = self.discriminator(self._fake(state))
        return state.mean(F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits), reduction="none"))

    def training_loss(self, state: State) -> Tensor:
        """Cross-entropy of telling the two kinds of patches apart, shape (B,)."""
        batch_size = self._batch_size
        fake, real = self.discriminator(self._fake(state).detach()), self.discriminator(self._real(state).detach())
        on_fake = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake), reduction="none")
        on_real = F.binary_cross_entropy_with_logits(real, torch.ones_like(real), reduction="none")
        # Chains of one image train the same discriminator.
        on_fake, on_real = (state.mean(each).view(-1, batch_size).mean(dim=0) for each in (on_fake, on_real))
        return (on_fake + on_real) / 2

    def _fake(self, state: State) -> Tensor:
        return state.redegraded

    def _real(self, state: State) -> Tensor:
        return state.degraded
