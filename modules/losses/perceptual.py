"""Difference of the backbone's own encoder features."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from modules.losses.base import Features
from modules.losses.feature_distance import FeatureDistance


class Perceptual(FeatureDistance):
    """Mean squared difference of unit-length encoder features of the re-degraded and the degraded image.

    The features come from the backbone's autoencoder, so no other weights are needed.

    Args:
        target: See `FeatureDistance`.

    References:
        Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, Eq. 1 (without its
        learnt weights).
    """

    reach_px = 16
    grid_px = 2

    def begin(self, degraded: Tensor, features: Features, generators: Sequence[torch.Generator]) -> None:
        """Take the backbone's features."""
        super().begin(degraded, features, generators)
        self._features = features

    def extract(self, images: Tensor) -> list[Tensor]:
        """See `FeatureDistance.extract`; their squared differences are summed over the channels."""
        return [F.normalize(feature, dim=1) * feature.shape[1] ** 0.5 for feature in self._features(images)]
