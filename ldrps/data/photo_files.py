"""Writes restored photos with what their files held: depth, grey, opacity, colours, EXIF, XMP, resolution."""

import io
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, PngImagePlugin
from torch import Tensor

from ldrps.data.deep_files import encode_png, encode_tiff
from ldrps.data.image_files import Picture, learn_heif
from ldrps.data.original import Original
from ldrps.data.photo_formats import FORMATS, FormatName, PhotoFormat, format_of
from ldrps.data.suffixes import HEIF_SUFFIXES
from modules.safe_files import complete_or_absent


def write_photo(restored: Tensor, photo: Picture, path: Path) -> list[str]:
    """Write a restored photo so that the file is either complete or absent.

    Args:
        restored: sRGB, shape (3, H, W), range [0, 1].
        photo: The photo it was made of, as it was read.
        path: The file; its ending says the format.

    Returns:
        What of the photo the format could not hold, each one sentence.

    Raises:
        ValueError: If the format cannot hold a photo of this size.
        OSError: If the folder cannot be written to.
    """
    format_ = format_of(path)
    if max(restored.shape[1:]) > format_.max_side:
        raise ValueError(
            f"{format_.pillow_name} holds {format_.max_side} pixels a side at most, the photo has "
            f"{restored.shape[2]} x {restored.shape[1]}: use --format png"
        )
    original, losses = fitted(photo.original, format_)
    pixels, icc = in_own_colours(restored, photo)
    if photo.alpha is not None and format_.has_alpha:
        pixels = np.concatenate([pixels, channels_last(photo.alpha)], axis=-1)
    elif photo.alpha is not None:
        losses.append(f"{format_.pillow_name} holds no transparency, which was left out: use --format png")
    depth = np.uint16 if original.bits == 16 else np.uint8
    rounded = np.rint(pixels * np.float32(np.iinfo(depth).max)).astype(depth, order="C")
    if path.suffix.lower() in HEIF_SUFFIXES:
        learn_heif("HEIC")
    with complete_or_absent(path) as stream:
        _save(rounded, stream, format_, original, icc)
    return losses


def check_format(name: FormatName) -> None:
    """Make sure that a format can be written here.

    Raises:
        ValueError: If what writes it is not installed.
    """
    if name == "heic":
        learn_heif("format heic")
    Image.init()
    if FORMATS[name].pillow_name not in Image.SAVE:
        raise ValueError(f"format {name} cannot be written by the Pillow that is installed: choose png")


def fitted(original: Original, format_: PhotoFormat) -> tuple[Original, list[str]]:
    """What a format can hold of what a photo's file held, and one sentence for each thing that it cannot."""
    losses = []
    name, limit = format_.pillow_name, format_.max_metadata_bytes
    if original.bits > format_.max_bits:
        losses.append(f"{name} holds {format_.max_bits} of its {original.bits} bits: use --format png")
        original = replace(original, bits=format_.max_bits)
    if limit is not None and max(len(original.exif), len(original.xmp)) > limit:
        losses.append(f"its EXIF and XMP data are too long for {name} and were left out: use --format png")
        original = replace(original, exif=b"", xmp=b"")
    return original, losses


def in_own_colours(restored: Tensor, photo: Picture) -> tuple[np.ndarray, bytes]:
    """Pixels of a restored photo as its file is to hold them.

    Returns:
        Pixels, shape (H, W, 1) for a grey photo that stayed grey, else (H, W, 3), range [0, 1]; and the colour profile,
        empty for sRGB.
    """
    colours = photo.original.colours
    pixels = channels_last(restored.detach().float().clamp(0, 1).cpu())
    is_grey = photo.original.is_grey and bool(np.ptp(pixels, axis=-1).max() < 0.5 / 65535)
    if colours is None or (colours.is_grey and not is_grey):
        return pixels[..., :1] if is_grey else pixels, b""
    own = colours.put_back(pixels, channels_last(photo.image))
    return own.reshape(*pixels.shape[:2], -1), colours.icc


def channels_last(image: Tensor) -> np.ndarray:
    """Shape (C, H, W) to (H, W, C)."""
    array: np.ndarray = image.permute(1, 2, 0).numpy()
    return array


def _save(pixels: np.ndarray, stream: IO[bytes], format_: PhotoFormat, original: Original, icc: bytes) -> None:
    if format_.pillow_name == "TIFF":
        stream.write(encode_tiff(pixels, original.exif, icc, original.xmp, original.dpi))
        return
    about: dict[str, Any] = {"exif": original.exif, "icc_profile": icc, "dpi": original.dpi}
    if format_.pillow_name == "PNG":
        about["pnginfo"] = PngImagePlugin.PngInfo()
        if original.xmp:
            about["pnginfo"].add_itxt("XML:com.adobe.xmp", original.xmp.decode("utf-8", "replace"))
    else:
        about["xmp"] = original.xmp
    about = {name: value for name, value in about.items() if value}
    if pixels.dtype == np.uint8:
        to_image(pixels).save(stream, format=format_.pillow_name, **format_.options, **about)
        return
    small = io.BytesIO()
    to_image(pixels[:1, :1].astype(np.uint8)).save(small, format="PNG", **about)
    stream.write(encode_png(pixels, small.getvalue()))


def to_image(pixels: np.ndarray) -> Image.Image:
    """PIL image of 8-bit pixels, shape (H, W, channels)."""
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
