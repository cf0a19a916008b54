"""Any picture size on a network that wants multiples: enlarge, pad, restore, crop, reduce."""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from modules.windows import Window


@dataclass(frozen=True)
class WorkingSize:
    """The size at which a picture is restored.

    Attributes:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        scale: Factor by which it is enlarged; the released code works at 2 for 256-pixel pictures.
        multiple: Both sides are padded to multiples of this.

    Example:
        >>> import torch
        >>> size = WorkingSize(height=5, width=7, scale=1.0, multiple=4)
        >>> image = torch.rand(1, 3, 5, 7)
        >>> size.enter(image).shape, torch.equal(size.leave(size.enter(image)), image)
        (torch.Size([1, 3, 8, 8]), True)
    """

    height: int
    width: int
    scale: float
    multiple: int

    def enter(self, images: Tensor) -> Tensor:
        """Enlarge and pad images, shape (B, 3, H, W), by repeating the border."""
        scaled = _resize(images, self._scaled)
        height, width = self._scaled
        return F.pad(scaled, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")

    def leave(self, images: Tensor) -> Tensor:
        """Crop and reduce what was restored to the picture's own size."""
        height, width = self._scaled
        return _resize(images[..., :height, :width], (self.height, self.width)).clamp(0, 1)

    def window(self, window: Window) -> Window:
        """A window of the picture, at any resolution, as one of what `enter` makes of it, at the same resolution."""
        height, width = (
            round(length * (side + -side % self.multiple) / side)
            for length, side in zip(window.size, self._scaled, strict=True)
        )
        return replace(window, size=(height, width))

    @property
    def _scaled(self) -> tuple[int, int]:
        return max(1, round(self.height * self.scale)), max(1, round(self.width * self.scale))


def reduced(images: Tensor, max_side_px: int | None) -> Tensor:
    """Images, shape (B, 3, H, W), whose longer side is at most so long."""
    longer = max(images.shape[-2:])
    if max_side_px is None or longer <= max_side_px:
        return images
    height, width = (max(1, round(side * max_side_px / longer)) for side in images.shape[-2:])
    return F.interpolate(images, size=(height, width), mode="area")


def _resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(images.shape[-2:]) == size:
        return images
    return F.interpolate(images, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
