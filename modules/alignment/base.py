"""What an alignment net is: the unknown damage, learnt for each image while it is restored."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor, nn

from modules.windows import Window, whole


class Alignment(nn.Module, ABC):
    """B independent models of the damage, one per image, evaluated in one call.

    The parameters of all images are stacked tensors, so that one element-wise optimiser (Adam, SGD) on the sum of the
    per-image losses trains every image as if it were alone.
    """

    window: Window | None = None
    """What part of the pictures `forward` and `invert` are given; None if it is all of them. Set by `at`."""

    @property
    def leaves_open(self) -> bool:
        """Whether what was seen leaves something open that only a sample can say: pixels or detail that are gone."""
        return False

    @property
    def reach_px(self) -> int:
        """Pixels around a place that `forward` looks at."""
        return 0

    @contextmanager
    def at(self, window: Window) -> Iterator[Self]:
        """Within it, `forward` and `invert` are given this window of the pictures that `begin` saw."""
        parts = [module for module in self.modules() if isinstance(module, Alignment)]
        for part in parts:
            part.window = None if window.is_whole else window
        try:
            yield self
        finally:
            for part in parts:
                part.window = None

    def load(self) -> None:
        """Read weights, if the net has any; does nothing the second time.

        Raises:
            ValueError: If they are missing or do not fit; one sentence with the remedy.
        """

    @property
    def pretrained(self) -> nn.ModuleList:
        """Networks that came with weights, which no image changes."""
        return nn.ModuleList()

    def learnt_parameters(self) -> list[nn.Parameter]:
        """The stacked parameters of the images' models, first dimension B; what came with weights is not among them."""
        fixed = {id(parameter) for parameter in self.pretrained.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in fixed]

    def invert_in(self, windows: Sequence[Window], degraded: Tensor) -> Tensor:
        """`invert` of whole pictures, shape (B, 3, H, W), window by window."""
        inverted = torch.empty_like(degraded)
        for window in windows:
            with self.at(window):
                window.outer(inverted).copy_(self.invert(window.outer(degraded)))
        return inverted

    def place(self, grid: Tensor, images: Tensor) -> Tensor:
        """A map over the whole picture, shape (B, C, g, g), at every pixel of the images, shape (N, 3, H, W)."""
        return (self.window or whole(images.shape[-2:])).enlarged(grid)

    @abstractmethod
    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """Forget the last images and start on new ones.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].
            generators: One per image; image i's parameters depend on row i and generator i only.
        """

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Damage images.

        Args:
            images: Rows ``chain * B + image``, shape (K * B, 3, H, W), nominally in [0, 1].

        Returns:
            The re-degraded images, same shape.
        """

    def invert(self, degraded: Tensor) -> Tensor:
        """Undo the damage as far as the model can, to start sampling near the image.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].

        Returns:
            Same shape, range [0, 1]; the images themselves where the model has no inverse.
        """
        return degraded

    def fill(self, degraded: Tensor, sample: Tensor | None = None) -> Tensor:
        """What would have been seen had nothing been lost: what `invert` needs, where the damage leaves something open.

        Args:
            degraded: Whole images, shape (B, 3, H, W), range [0, 1].
            sample: Undamaged images that say what is open, same shape; None fills it in the simplest way.

        Returns:
            Same shape; the images themselves where the damage leaves nothing open.
        """
        return degraded
