"""File formats that restored photos are written in: the photo's own where it can hold them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

FormatName = Literal["png", "jpeg", "jpg", "tiff", "tif", "webp", "avif", "heic"]
"""Two go by the ending of their files' names as well."""


@dataclass(frozen=True)
class PhotoFormat:
    """A file format.

    Attributes:
        pillow_name: What Pillow calls it.
        suffixes: File name endings; the first is the usual one.
        has_alpha: Whether it holds transparency.
        max_bits: Bits a channel that it holds.
        max_side: Largest width and height in pixels.
        max_metadata_bytes: Largest EXIF or XMP data; None for no limit.
        options: What it is saved with.
    """

    pillow_name: str
    suffixes: tuple[str, ...]
    has_alpha: bool = True
    max_bits: int = 8
    max_side: int = 65_535
    max_metadata_bytes: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


# Full colour resolution: half of it is what people see as softened edges of red.
_JPEG = PhotoFormat(
    "JPEG",
    (".jpg", ".jpeg", ".jpe", ".jfif"),
    has_alpha=False,
    max_side=65_500,
    max_metadata_bytes=65_000,
    options={"quality": 95, "subsampling": "4:4:4"},
)
_TIFF = PhotoFormat("TIFF", (".tif", ".tiff"), max_bits=16, max_side=2**31 - 1)

FORMATS: dict[FormatName, PhotoFormat] = {
    "png": PhotoFormat("PNG", (".png",), max_bits=16, max_side=2**31 - 1),
    "jpeg": _JPEG,
    "jpg": _JPEG,
    "tiff": _TIFF,
    "tif": _TIFF,
    # With loss, WebP keeps half of the colour resolution only.
    "webp": PhotoFormat("WEBP", (".webp",), max_side=16_383, options={"lossless": True, "exact": True}),
    "avif": PhotoFormat("AVIF", (".avif",), options={"quality": 95, "subsampling": "4:4:4"}),
    "heic": PhotoFormat("HEIF", (".heic", ".heif"), options={"quality": 95, "chroma": 444}),
}


def suffix_for(source: Path, wanted: FormatName | None) -> str:
    """File name ending of a restored photo.

    Args:
        source: The photo's file.
        wanted: A format to write in; None takes the photo's own, or PNG where that could not hold the result.

    Example:
        >>> suffix_for(Path("a.JPG"), None), suffix_for(Path("a.gif"), None), suffix_for(Path("a.jpg"), "tiff")
        ('.jpg', '.png', '.tif')
    """
    own = source.suffix.lower()
    if wanted is not None:
        suffixes = FORMATS[wanted].suffixes
        return own if own in suffixes else suffixes[0]
    return own if any(own in format_.suffixes for format_ in FORMATS.values()) else FORMATS["png"].suffixes[0]


def format_of(path: Path) -> PhotoFormat:
    """Format of a file by the ending of its name.

    Raises:
        ValueError: If it is none that restored photos are written in.
    """
    for format_ in FORMATS.values():
        if path.suffix.lower() in format_.suffixes:
            return format_
    raise ValueError(f"{path} ends in no known format: choose one of {', '.join(get_args(FormatName))}")
