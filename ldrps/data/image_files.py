"""Reading and writing picture files: EXIF turn, grey, alpha, palette, CMYK, 16 bit, colour profiles, safe writing."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from modules.safe_files import complete_or_absent

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""File name endings that are taken for pictures when a folder is given."""


@dataclass(frozen=True)
class Picture:
    """A picture as it was read.

    Attributes:
        image: RGB, shape (3, H, W), range [0, 1], sRGB.
        alpha: Opacity, shape (1, H, W), range [0, 1]; None for an opaque picture.
    """

    image: Tensor
    alpha: Tensor | None = None


def read_picture(path: Path, max_pixels: int = 64_000_000) -> Picture:
    """Read a picture file as upright RGB.

    The EXIF orientation is applied, an embedded colour profile converted to sRGB, 16-bit grey scaled by 65535, and
    transparency kept apart.

    Args:
        path: The file.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        ValueError: If the file is not a picture, damaged, empty or too large; the message is one sentence.
        OSError: If the file cannot be opened.
    """
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes): copy it again from its source")
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > max_pixels:
                raise ValueError(
                    f"{path} has {opened.width} x {opened.height} pixels, more than max_pixels={max_pixels}: "
                    "make it smaller or raise max_pixels"
                )
            opened.load()
            upright = ImageOps.exif_transpose(opened)
            return to_picture(upright)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is not a picture that can be read: give PNG, JPEG, WebP, TIFF or BMP") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): copy it again from its source") from error


def to_picture(image: Image.Image) -> Picture:
    """Convert a PIL image of any mode to RGB in [0, 1], with its transparency apart."""
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    alpha = to_tensor(image.convert("RGBA").getchannel("A")) if has_alpha else None
    if image.mode.startswith("I") or image.mode == "F":
        return Picture(_deep_grey(image), alpha)
    return Picture(to_tensor(_to_srgb(image)), alpha)


def to_tensor(image: Image.Image) -> Tensor:
    """Convert an 8-bit PIL image to a tensor of shape (channels, H, W) in [0, 1]."""
    array = np.array(image, dtype=np.uint8)
    channels_last = torch.from_numpy(array.reshape(*array.shape[:2], -1))
    return channels_last.permute(2, 0, 1).float() / 255


def write_picture(image: Image.Image, path: Path) -> None:
    """Write a picture so that the file is either complete or absent.

    Raises:
        OSError: If the folder cannot be written to.
    """
    with complete_or_absent(path) as stream:
        image.save(stream, format=Image.registered_extensions()[path.suffix.lower()])


def _deep_grey(image: Image.Image) -> Tensor:
    # Modes "I;16" and "I" hold 16-bit grey; Pillow's own conversion to 8 bits clips at 255 instead of scaling.
    grey = torch.from_numpy(np.array(image).astype(np.float32))
    full_scale = 1.0 if image.mode == "F" and float(grey.max()) <= 1 else 65535.0
    return (grey / full_scale).clamp(0, 1).expand(3, -1, -1).clone()


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK", "L"}:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            # A broken profile is common in old files; the plain conversion is what viewers fall back to.
            return image.convert("RGB")
        if converted is not None:
            return converted
    return image.convert("RGB")
