"""Reading picture files (EXIF turn, grey, alpha, palette, CMYK, 16 bit, colour profiles), and safe writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor

from ldrps.data.deep_files import PHOTOMETRIC, SAMPLE_FORMAT, grey_levels, is_deep, read_deep
from ldrps.data.original import (
    Original,
    number_of_pictures,
    orientation_of,
    resolution_of,
    upright,
    upright_exif,
    upright_xmp,
)
from ldrps.data.own_colours import OwnColours, deep_to_srgb, own_colours, to_srgb
from ldrps.data.suffixes import DEVELOP, HEIF_SUFFIXES, is_raw
from modules.safe_files import complete_or_absent

KNOWN = "PNG, JPEG, WebP, TIFF, AVIF, GIF or BMP"
"""Formats that are read, for messages."""

MAX_PIXELS = 64_000_000
"""Larger pictures are refused instead of exhausting the memory, unless a setting says otherwise."""


@dataclass(frozen=True)
class Picture:
    """A picture as it was read.

    Attributes:
        image: RGB, shape (3, H, W), range [0, 1], sRGB.
        alpha: Opacity, shape (1, H, W), range [0, 1]; None for an opaque picture.
        original: What else its file holds.
    """

    image: Tensor
    alpha: Tensor | None = None
    original: Original = Original()


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture file as upright RGB.

    The EXIF orientation is applied, an embedded colour profile converted to sRGB, 16 bits scaled by 65535 (12 by 4095),
    floats taken for [0, 1] and cut off there, transparency kept apart; of several pictures in a file the first is read.

    Args:
        path: The file.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        ValueError: If the file is not a picture, damaged, empty or too large, or holds values that are not numbers or
            of which none is known to be white; the message is one sentence.
        OSError: If the file cannot be opened.
    """
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes): copy it again from its source")
    try:
        with opened(path) as image:
            check_size(str(path), image.size, max_pixels)
            return _upright_picture(image, path)
    except UnidentifiedImageError as error:
        if _holds_float_colours(path):
            raise ValueError(f"{path} holds colours as floats, which are not read: save it with 16 bits") from error
        raise ValueError(f"{path} is not a picture that can be read: give {KNOWN}") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): copy it again from its source") from error


def check_size(name: str, size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> None:
    """Make sure that a picture is not too large.

    Args:
        name: What the message calls it.
        size: Width and height.
        max_pixels: Most pixels.

    Raises:
        ValueError: If it is.
    """
    width, height = size
    if width * height > max_pixels:
        raise ValueError(
            f"{name} has {width} x {height} pixels, more than max_pixels={max_pixels}: "
            "make it smaller or raise max_pixels"
        )


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture file without reading its pixels.

    Raises:
        ValueError: If it is HEIC and the extra that reads it is not installed, or camera raw.
        OSError: If it cannot be opened, or is not a picture (UnidentifiedImageError).
    """
    if path.suffix.lower() in HEIF_SUFFIXES:
        learn_heif(f"{path} is HEIC, which")
    if is_raw(path):
        raise ValueError(f"{path} is camera raw: {DEVELOP}")
    # Pillow would refuse large pictures with a word of its own, some as they are opened and TIFFs as they are loaded;
    # callers compare the size with a limit of theirs.
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with _damage_as_os_error():
            image = Image.open(path)
        with image:
            yield image
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def _damage_as_os_error() -> Iterator[None]:
    # Of damaged files, the decoders of AVIF and HEIC tell by errors of other kinds than Pillow's own. Around decoding
    # alone: elsewhere these are errors of the program.
    try:
        yield
    except (RuntimeError, ValueError, EOFError) as error:
        raise OSError(str(error)) from error


def load_pixels(image: Image.Image) -> None:
    """Read the pixels of an opened picture; of a YCbCr TIFF, which Pillow writes but does not read, as of any other.

    Raises:
        OSError: If it is damaged, but for some AVIF and HEIC files, whose decoders raise what they like.
    """
    is_ycbcr = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 6
    if is_ycbcr and image.info["compression"] == "raw":
        # Pillow takes it for RGB with a byte to spare, and ends too early. libtiff, which it leaves compressed files
        # to, knows the colours, and how many pixels share one.
        image.use_load_libtiff = True
        extents = (0, 0, image.tag_v2[256], image.tag_v2[257])
        image.tile = [ImageFile._Tile("libtiff", extents, 0, ("RGBX", "raw", False, image.tag_v2.offset))]
    image.load()


def learn_heif(who: str) -> None:
    """Teach Pillow to read and write HEIC.

    Args:
        who: What needs it, for the message.

    Raises:
        ValueError: If the extra that does it is not installed.
    """
    if find_spec("pillow_heif") is None:
        raise ValueError(f"{who} needs pillow-heif: pip install 'ldrps[heic]'")
    import pillow_heif

    pillow_heif.register_heif_opener()


def to_picture(image: Image.Image, name: str = "the picture", file_image: Image.Image | None = None) -> Picture:
    """Convert an upright PIL image of any mode to RGB in [0, 1], with its transparency apart.

    Args:
        image: The image.
        name: What messages call it.
        file_image: The image as its file was opened, which knows what deep grey means there; None for the image itself.

    Raises:
        ValueError: If it holds values that are not numbers, or of which none is known to be white.
    """
    # A band of LAB is called A too.
    has_alpha = (image.mode != "LAB" and "A" in image.getbands()) or "transparency" in image.info
    alpha = to_tensor(image.convert("RGBA").getchannel("A")) if has_alpha else None
    if image.mode.startswith("I") or image.mode == "F":
        icc = image.info.get("icc_profile")
        colours = own_colours(icc, None, is_grey=True) if icc else None
        return Picture(
            _deep_grey(image, name, file_image or image), alpha, Original(bits=16, is_grey=True, colours=colours)
        )
    srgb, colours, note = to_srgb(image)
    is_grey = image.mode in {"1", "L", "LA"}
    return Picture(to_tensor(srgb), alpha, Original().noting(note, is_grey=is_grey, colours=colours))


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


def _deep_grey(image: Image.Image, name: str, file_image: Image.Image) -> Tensor:
    # Modes "I;16" and "I" hold 16-bit grey; Pillow's own conversion to 8 bits clips at 255 instead of scaling, and
    # leaves it to its users which number is white.
    white, is_negative = grey_levels(file_image, name)
    grey = np.array(image).astype(np.float32)
    if not np.isfinite(grey).all():
        raise ValueError(f"{name} holds values that are not numbers (NaN or infinite): replace them and save it again")
    light = (torch.from_numpy(grey) / (white or _float_scale(grey))).clamp(0, 1)
    return (1 - light if is_negative else light).expand(3, -1, -1).clone()


def _float_scale(grey: np.ndarray) -> float:
    # Values above 1 are highlights, which are cut off as a camera does. But where one pixel in a hundred lies above 16,
    # some tool has left numbers of 8 or 16 bits as they were, a few of the former beyond white: highlights are not as
    # bright, photos not as dark as to be taken for the other.
    brightest = float(np.quantile(grey, 0.99))
    return next(scale for most, scale in ((16, 1.0), (1024, 255.0), (np.inf, 65535.0)) if brightest <= most)


def _holds_float_colours(path: Path) -> bool:
    # Of tags alone, by Pillow: of damaged ones tifffile would log a line each.
    with path.open("rb") as stream:
        try:
            header = stream.read(8)
            directory = TiffImagePlugin.ImageFileDirectory_v2(header + (stream.read(8) if header[2] == 43 else b""))
            stream.seek(directory.next)
            directory.load(stream)
            return set(directory[SAMPLE_FORMAT]) == {3} and directory[277] in (3, 4)
        except Exception:  # Whatever the tags of a damaged file, or the bytes of no TIFF, lead to.
            return False


def _upright_picture(image: Image.Image, path: Path) -> Picture:
    # Asked first: looking for EXIF data at the end of a PNG, Pillow reads it whole.
    deep = is_deep(image)
    orientation = orientation_of(image)
    if deep:
        picture = _deep_picture(read_deep(path, orientation), image.info.get("icc_profile"))
    else:
        with _damage_as_os_error():
            load_pixels(image)
        picture = to_picture(upright(image), str(path), image)
    exif, note = upright_exif(image, picture.image.shape[2], picture.image.shape[1])
    about = {"exif": exif, "xmp": upright_xmp(image), "dpi": resolution_of(image, orientation)}
    original = picture.original.noting(note, **about)
    count = number_of_pictures(image)
    several = f"it holds {count} pictures: only the first is restored" if count > 1 else ""
    return replace(picture, original=original.noting(several))


def _deep_picture(pixels: np.ndarray, icc: bytes | None) -> Picture:
    is_grey, has_alpha = pixels.shape[-1] < 3, pixels.shape[-1] in (2, 4)
    colour = pixels[..., :1].repeat(3, axis=-1) if is_grey else pixels[..., :3]
    alpha = _from_sixteen_bit(pixels[..., -1:]) if has_alpha else None
    colours: OwnColours | None = None
    note = ""
    if icc and has_alpha:
        # In their own encoding, as pictures of 8 bits with transparency.
        colours = own_colours(icc, None, is_grey)
    elif icc:
        colour, colours, note = deep_to_srgb(np.ascontiguousarray(colour), icc)
    original = Original().noting(note, bits=16, is_grey=is_grey, colours=colours)
    return Picture(_from_sixteen_bit(colour), alpha, original)


def _from_sixteen_bit(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1) / 65535
