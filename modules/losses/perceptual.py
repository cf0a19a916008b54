"""Difference of the backbone's own encoder features."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from modules.losses.base import Features, Loss, State, per_row


class Perceptual(Loss):
    """Mean squared difference of unit-length encoder features of the re-degraded and the degraded image.

    The features come from the backbone's autoencoder, so no other weights are needed.

    References:
        Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, Eq. 1 (without its
        learnt weights).
    """

    def begin(self, degraded: Tensor, features: Features, generators: Sequence[torch.Generator]) -> None:
        """Compute the features of the degraded images once."""
        self._features = features
        with torch.no_grad():
            self._degraded_features = [F.normalize(feature, dim=1) for feature in features(degraded)]

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        differences = []
        for feature, target in zip(self._features(state.redegraded), self._degraded_features, strict=True):
            target = target.repeat(len(feature) // len(target), 1, 1, 1)
            differences.append(per_row((F.normalize(feature, dim=1) - target) ** 2) * feature.shape[1])
        return torch.stack(differences).mean(dim=0)
