"""What a loss is: one number per image from the restored, re-degraded and degraded images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from modules.windows import Window

Features = Callable[[Tensor], list[Tensor]]
"""Feature maps of images, the finest first."""


@dataclass(frozen=True)
class State:
    """What a loss may look at. Rows of all images are ``chain * B + image``.

    Attributes:
        restored: Decoded x0 prediction, shape (N, 3, H, W), nominally in [0, 1]; N is B, or K * B with free chains.
        redegraded: Alignment net applied to ``restored``, same shape.
        degraded: The input, repeated for the chains, same shape.
        samples: Decoded x0 prediction of all chains without graph, shape (K * B, 3, H, W).
        redegraded_samples: Alignment net applied to ``samples``.
        window: Part of the pictures that all of these show; None if it is all of them.
        mean_color: Mean of ``restored`` over the whole pictures, shape (N, 3); None if they are whole.
    """

    restored: Tensor
    redegraded: Tensor
    degraded: Tensor
    samples: Tensor
    redegraded_samples: Tensor
    window: Window | None = None
    mean_color: Tensor | None = None

    def of(self, window: Window, restored: Tensor) -> "State":
        """The state as that of a window of pictures whose restored images are given whole."""
        return self if window.is_whole else replace(self, window=window, mean_color=restored.mean(dim=(2, 3)))

    def mean(self, values: Tensor, stride: int | None = None) -> Tensor:
        """Mean of each row of values, shape (N, C, h, w), over the whole picture, shape (N,).

        Of a window it is the part whose sum over all windows is that mean; for `stride` see `Window.mean`.
        """
        return values.flatten(1).mean(dim=1) if self.window is None else self.window.mean(values, stride)

    def restored_color(self) -> Tensor:
        """Mean colour of the whole restored pictures, shape (N, 3); the pixels of the window have gradients."""
        if self.window is None or self.mean_color is None:
            return self.restored.mean(dim=(2, 3))
        height, width = self.window.size
        own = self.window.core(self.restored).sum(dim=(2, 3)) / (height * width)
        return self.mean_color + own - own.detach()


class Loss(nn.Module, ABC):
    """Computes one number per row; steps nothing, moves nothing.

    Large pictures come in windows, and the gradients of all windows are summed: a loss that is a mean takes it by
    `State.mean`, and what it needs to know of the whole picture from `begin`.

    A loss with parameters (a discriminator) also says what it learns from, in `training_loss`; the guidance steps it.
    """

    reach_px: int = 0
    """Pixels around a place that its value depends on."""

    grid_px: int = 1
    """Pixels between the places that have a value."""

    learning_rate: float = 0.0
    """Adam's learning rate for the loss's own parameters, if it has any."""

    def begin(self, degraded: Tensor, features: Features, generators: Sequence[torch.Generator]) -> None:
        """Forget the last images and prepare what is constant for new ones.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].
            features: The backbone's own encoder features.
            generators: One per image.
        """

    @abstractmethod
    def forward(self, state: State) -> Tensor:
        """Return the loss of each row, shape (N,)."""

    def training_loss(self, state: State) -> Tensor | None:
        """Return what the loss's own parameters minimise, one number per image, shape (B,); None without parameters."""
        return None

    def learnable(self) -> list[nn.Parameter]:
        """Parameters that learn with each image; a frozen feature extractor has none."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


@dataclass(frozen=True)
class LossTerm:
    """A loss, its weight, and the timesteps at which it counts.

    Attributes:
        loss: The loss.
        weight: Factor; 0 switches the term off.
        min_timestep: Lowest timestep at which the term counts.
        max_timestep: The term counts below this timestep.
    """

    loss: Loss
    weight: float = 1.0
    min_timestep: int = 0
    max_timestep: int = 1000

    def is_active(self, timestep: float) -> bool:
        """Whether the term counts at this timestep."""
        return self.weight != 0 and self.min_timestep <= timestep < self.max_timestep
