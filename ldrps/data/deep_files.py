"""PNG and TIFF with 16 bits a channel, and TIFF with everything a photo's file says; Pillow cuts colour to 8 bits."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image, TiffImagePlugin

ROWS_PER_STRIP = 64
PNG_SIGNATURE_BYTES = 8
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339

# Pillow knows deep grey with opacity, associated (1) or not (2), in PNG alone. It is only to open such a TIFF for what
# that says of the picture; the pixels are read here.
TiffImagePlugin.OPEN_INFO.update(
    {(order, 1, (1,), 1, (16, 16), (opacity,)): ("RGBA", "LA;16B") for order in (b"II", b"MM") for opacity in (1, 2)}
)


def is_deep(image: Image.Image) -> bool:
    """Whether a file that Pillow opened holds colour, or grey with transparency, of 16 bits a channel."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        is_sixteen = set(image.tag_v2.get(BITS_PER_SAMPLE, ())) == {16}
    else:
        is_sixteen = bool(image.tile) and ";16" in str(image.tile[0].args)
    return is_sixteen and image.mode in {"RGB", "RGBA"} and "transparency" not in image.info


def grey_levels(image: Image.Image, name: str) -> tuple[int | None, bool]:
    """What the numbers of deep grey in a file that Pillow opened mean.

    Args:
        image: The image as it was opened, of mode "I;16", "I" or "F".
        name: What messages call it.

    Returns:
        The largest whole number, None for floats; and whether it is black and 0 white, as some scanners write it.

    Raises:
        ValueError: If it holds whole numbers of which none is known to be white.
    """
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    is_negative = tags.get(PHOTOMETRIC) == 0
    if image.mode == "F":
        return None, is_negative
    bits, is_signed = tags.get(BITS_PER_SAMPLE, (16,))[0], tags.get(SAMPLE_FORMAT, (1,))[0] == 2
    if bits > 16 or is_signed:
        raise ValueError(
            f"{name} holds {'signed ' if is_signed else ''}whole numbers of {bits} bits, of which none is known to be "
            "white: save it with 16 bits without sign, or as floats from 0 to 1"
        )
    return 2**bits - 1, is_negative


def read_deep(path: Path, orientation: int) -> np.ndarray:
    """Read a PNG or TIFF of 16 bits a channel upright.

    Args:
        path: The file.
        orientation: EXIF orientation, 1 to 8.

    Returns:
        Shape (H, W, channels): grey or RGB, with opacity or without, 16 bits.

    Raises:
        OSError: If it is damaged.
    """
    content = path.read_bytes()
    try:
        pixels = imagecodecs.png_decode(content) if content.startswith(b"\x89PNG") else _decode_tiff(content)
        return np.ascontiguousarray(turned(pixels, orientation))
    except Exception as error:  # A TIFF whose tags are damaged ends in whatever their values lead to.
        raise OSError(str(error)) from error


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels, shape (H, W, channels), as an EXIF orientation says."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return pixels[rows, columns]


def encode_png(pixels: np.ndarray, ancillary: bytes) -> bytes:
    """Write a 16-bit PNG.

    Args:
        pixels: Shape (H, W, channels).
        ancillary: A PNG whose chunks about the picture (profile, EXIF, resolution) are taken over.
    """
    kept = b"".join(chunk for name, chunk in _chunks(ancillary) if name not in (b"IHDR", b"PLTE", b"IDAT", b"IEND"))
    encoded = bytes(imagecodecs.png_encode(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels))
    _, header = next(_chunks(encoded))
    start = PNG_SIGNATURE_BYTES + len(header)
    return encoded[:start] + kept + encoded[start:]


def encode_tiff(pixels: np.ndarray, exif: bytes, icc: bytes, xmp: bytes, dpi: tuple[float, float] | None) -> bytes:
    """Write a TIFF of 8 or 16 bits a channel, compressed without loss.

    Pillow writes the directory: with its own writer, a compressed TIFF has no room for the directories of EXIF and GPS,
    and colour only 8 bits.

    Args:
        pixels: Shape (H, W, channels): grey or RGB, with opacity or without.
        exif: EXIF data without tags about the layout of the file.
        icc: Colour profile; empty for none.
        xmp: XMP packet; empty for none.
        dpi: Horizontal and vertical resolution; None if it is not known.
    """
    height, width, channels = pixels.shape
    starts = range(0, height, ROWS_PER_STRIP)
    strips = [
        zlib.compress(imagecodecs.delta_encode(pixels[top : top + ROWS_PER_STRIP], axis=1).tobytes()) for top in starts
    ]
    # Pillow adds the length of header and directory, which come before the strips.
    offsets = np.cumsum([0, *(len(strip) for strip in strips)]).tolist()
    directory = _directory(exif)
    directory.update(
        {
            256: width,
            257: height,
            BITS_PER_SAMPLE: (pixels.itemsize * 8,) * channels,
            259: 8,  # deflate
            PHOTOMETRIC: 2 if channels >= 3 else 1,  # RGB, or black is zero
            273: tuple(offsets[:-1]),
            277: channels,
            278: ROWS_PER_STRIP,
            279: tuple(len(strip) for strip in strips),
            317: 2,  # differences along rows
        }
    )
    if channels in (2, 4):
        directory[338] = 2  # opacity that colours were not multiplied with
    if dpi is not None:
        directory[282], directory[283], directory[296] = dpi[0], dpi[1], 2  # per inch
    for tag, content in ((700, xmp), (34675, icc)):
        if content:
            directory[tag] = content
            directory.tagtype[tag] = 7
    stream = io.BytesIO()
    directory.save(stream)
    return stream.getvalue() + b"".join(strips)


def _directory(exif: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    data = Image.Exif()
    if exif:
        data.load(exif)
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in data:
        directory[tag] = data.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else data[tag]
    return directory


def _decode_tiff(content: bytes) -> np.ndarray:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        pixels: np.ndarray = page.asarray()
        pixels = np.moveaxis(pixels, 0, -1) if page.planarconfig == 2 else pixels
        # A fourth sample is opacity if the file says so (1 and 2), or says nothing, as for pictures of 8 bits.
        has_opacity = tuple(page.extrasamples[:1]) in ((), (1,), (2,))
        pixels = pixels[..., : 4 if has_opacity else 3]
        if pixels.shape[-1] in (2, 4) and 1 in page.extrasamples[:1]:
            opacity = np.maximum(pixels[..., -1:], 1) / 65535
            colour = np.minimum(pixels[..., :-1] / opacity, 65535).round().astype(np.uint16)
            pixels = np.concatenate([colour, pixels[..., -1:]], axis=-1)
    return pixels


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and whole bytes of a PNG's chunks."""
    position = PNG_SIGNATURE_BYTES
    while position < len(png):
        length, name = struct.unpack_from(">I4s", png, position)
        yield name, png[position : position + 12 + length]
        position += 12 + length
