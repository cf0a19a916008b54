"""Missing pixels: where they are is known, what was there is not."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.filling import filled
from modules.alignment.identity import Identity
from modules.alignment.missing_pixels import missing_pixels
from modules.windows import whole

MOST_PADDING_PX = 64
"""Rows or columns by which a mask may be smaller than what is restored, which is padded to what the networks want."""


class Masked(Alignment):
    """psi(x) = y where pixels are missing, inner(x) elsewhere: what is missing neither guides nor teaches.

    Missing are areas of exact black with hard edges (`missing_pixels`), or what a mask says. They are filled by the
    sample, which is moved to what is known: the difference between the photo and the damaged sample, known around a
    hole, goes on into it harmonically, so that no seam is left. Without a sample the photo's own values do.

    Args:
        inner: What else happened to the photo; it sees the photo with its holes filled.
        mask_file: Picture of the photo's size that is white where pixels are missing and black elsewhere, for all
            photos of the run; None looks for black areas.

    References:
        Perez et al. 2003, Poisson Image Editing, Eq. 3 (the seamless fill).
    """

    def __init__(self, inner: Alignment | None = None, mask_file: str | None = None) -> None:
        super().__init__()
        self.inner = Identity() if inner is None else inner
        self.mask_file = mask_file

    @property
    def leaves_open(self) -> bool:
        """See `Alignment.leaves_open`."""
        return True

    @property
    def reach_px(self) -> int:
        """See `Alignment.reach_px`."""
        return self.inner.reach_px

    def load(self) -> None:
        """See `Alignment.load`; also reads the mask.

        Raises:
            ValueError: If the mask cannot be read, and see `Alignment.load`.
        """
        self.inner.load()
        if self.mask_file is not None and not hasattr(self, "mask"):
            self.mask = _Mask(self.mask_file)

    @property
    def pretrained(self) -> nn.ModuleList:
        """See `Alignment.pretrained`; also the mask, since two of them under one name make two runs."""
        masks = [self.mask] if hasattr(self, "mask") else []
        return nn.ModuleList([*self.inner.pretrained, *masks])

    def learnt_parameters(self) -> list[nn.Parameter]:
        """See `Alignment.learnt_parameters`."""
        return self.inner.learnt_parameters()

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`.

        Raises:
            ValueError: If the mask is not of the photos' size.
        """
        self.load()
        self.missing = missing_pixels(degraded) if self.mask_file is None else self._told(degraded)
        self.degraded = degraded
        self.inner.begin(self.fill(degraded), generators)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        redegraded = self.inner(images)
        chains = len(images) // len(self.degraded)
        missing, degraded = (
            self._at(values, images).repeat(chains, 1, 1, 1) for values in (self.missing, self.degraded)
        )
        return torch.where(missing > 0, degraded, redegraded)

    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        return self.inner.invert(degraded)

    def fill(self, degraded: Tensor, sample: Tensor | None = None) -> Tensor:
        """See `Alignment.fill`."""
        known = self._at(self.missing, degraded) == 0
        if sample is None:
            return torch.where(known, degraded, filled(degraded, known))
        seen = self.inner.fill(degraded, sample)
        redegraded = self.inner(sample)
        return torch.where(known, seen, redegraded + filled(seen - redegraded, known)).clamp(0, 1)

    def _at(self, values: Tensor, images: Tensor) -> Tensor:
        """Values of the photos that `begin` saw, at the places and the resolution of images."""
        window = self.window or whole(images.shape[-2:])
        if tuple(values.shape[-2:]) != window.size:
            values = F.interpolate(values.to(images), size=window.size, mode="area")
        return window.outer(values)

    def _told(self, degraded: Tensor) -> Tensor:
        """The mask for each of the photos, shape (B, 1, H, W)."""
        (height, width), own = degraded.shape[-2:], self.mask.missing.shape[-2:]
        down, right = height - own[0], width - own[1]
        if not (0 <= down < MOST_PADDING_PX and 0 <= right < MOST_PADDING_PX):
            raise ValueError(
                f"mask_file={self.mask_file} is {own[1]} x {own[0]} pixels, but what is restored {width} x {height}: "
                "give a mask of the photo's size, and leave working_scale at 1"
            )
        mask = F.pad(self.mask.missing.to(degraded), (0, right, 0, down), mode="replicate") > 0
        return mask.expand(len(degraded), -1, -1, -1)


class _Mask(nn.Module):
    """What a mask says, as a buffer: fingerprints of weights are made of those."""

    missing: Tensor

    def __init__(self, path: str) -> None:
        super().__init__()
        self.register_buffer("missing", _read_mask(path))


def _read_mask(path: str) -> Tensor:
    """A mask, shape (1, 1, H, W), true where the picture is nearer to white than to black."""
    try:
        with Image.open(Path(path)) as picture:
            grey = picture.convert("L")
    except (OSError, UnidentifiedImageError) as error:
        raise ValueError(f"mask_file={path} cannot be read as a picture: {error}") from error
    values = torch.frombuffer(bytearray(grey.tobytes()), dtype=torch.uint8).view(1, 1, grey.height, grey.width)
    return values > 127
