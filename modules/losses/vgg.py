"""Difference of VGG-16 features, as the released LD-RPS code measures it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from modules.losses.base import Features
from modules.losses.feature_distance import FeatureDistance, Target


class VGG(FeatureDistance):
    """Mean squared difference of VGG-16 features up to relu2_2, after ImageNet normalisation.

    Args:
        weights: The ``vgg16-397923af.pth`` file of torchvision's model zoo; only read when the loss is used. None looks
            where torch.hub keeps it.
        target: See `FeatureDistance`.

    References:
        Johnson et al. 2016, Perceptual Losses for Real-Time Style Transfer and Super-Resolution, Eq. 2.
    """

    reach_px = 8
    grid_px = 2

    def __init__(self, weights: str | None = None, target: Target = "degraded") -> None:
        super().__init__(target)
        self.weights = weights
        self._network: nn.Sequential | None = None

    def begin(self, degraded: Tensor, features: Features, generators: Sequence[torch.Generator]) -> None:
        """Load the network at first use.

        Raises:
            ValueError: If the weights file is missing or not VGG-16's.
        """
        super().begin(degraded, features, generators)
        self._network = (self._network or self._load()).to(degraded)

    def extract(self, images: Tensor) -> list[Tensor]:
        """See `FeatureDistance.extract`."""
        mean = images.new_tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        deviation = images.new_tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        assert self._network is not None, "begin() loads the network"
        return [self._network((images - mean) / deviation)]

    def _load(self) -> nn.Sequential:
        path = Path(self.weights or Path(torch.hub.get_dir()) / "checkpoints" / "vgg16-397923af.pth")
        # The names of the layers in torchvision's file count ReLU and pooling layers too: 0, 2, (4 pool), 5, 7.
        network = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(128, 128, 3, padding=1),
            nn.ReLU(),
        )
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            network.load_state_dict({name: state[f"features.{name}"] for name in network.state_dict()})
        except FileNotFoundError as error:
            raise ValueError(
                f"VGG-16 weights {path} are missing: download vgg16-397923af.pth from torchvision's model zoo and name "
                "it in `weights`, or use modules.losses.perceptual.Perceptual, which needs none"
            ) from error
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"{path} does not hold torchvision's VGG-16 weights: give vgg16-397923af.pth") from error
        return network.requires_grad_(False).eval()
