"""What a photo's file holds besides the picture, so that the restored photo can keep it."""

import re
import struct
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags, Image, ImageOps

from ldrps.data.own_colours import OwnColours

LAYOUT_TAGS = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 269, 273, 277, 278, 279, 284, 285, 297, 301, 317, 318, 319, 320}
    | {322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 347, 513, 514, 529, 530, 531, 532}
    | {700, 33723, 34377, 34675, 37724}
)
"""Tags of a TIFF's first directory that say how its own pixels lie there, or that are kept apart (XMP, profile)."""

DAMAGED = (OSError, SyntaxError, EOFError, struct.error, TypeError, ValueError, KeyError, AttributeError, IndexError)
"""What Pillow raises where data about a picture are wrong."""

DAMAGED_EXIF = "its EXIF data is damaged and was left out"

ORIENTATION_IN_XMP = re.compile(rb"""tiff:Orientation(="|='|>)[0-9]""")


@dataclass(frozen=True)
class Original:
    """What a photo's file holds besides the picture.

    Attributes:
        bits: Bits a channel, 8 or 16.
        is_grey: Whether it has one channel, beside opacity.
        colours: Its colour profile; None if it has none that can be written again.
        exif: EXIF data of an upright photo without thumbnail; empty for none.
        xmp: XMP packet; empty for none.
        dpi: Horizontal and vertical resolution; None if the file says none.
        notes: What a user should know of how it was read, each one sentence.
    """

    bits: int = 8
    is_grey: bool = False
    colours: OwnColours | None = None
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def noting(self, note: str, **known: Any) -> "Original":
        """The same with what is known now, and with a note unless it is empty."""
        return replace(self, notes=(*self.notes, note) if note else self.notes, **known)


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation of an opened picture, 1 (upright) to 8."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DAMAGED:
        return 1
    return orientation if orientation in range(1, 9) else 1


def upright(image: Image.Image) -> Image.Image:
    """A picture, whose pixels have been read, turned as its EXIF orientation says; where that is damaged, as it is."""
    try:
        return ImageOps.exif_transpose(image)
    except DAMAGED:
        return image.copy()


def upright_exif(image: Image.Image, width: int, height: int) -> tuple[bytes, str]:
    """EXIF data for an upright picture: orientation reset, thumbnail left out.

    Args:
        image: The picture as it was opened; its own data are changed.
        width: Width of the upright picture in pixels.
        height: Its height.

    Returns:
        The data, empty for none, and one sentence if it cannot be kept, else "".
    """
    try:
        exif = image.getexif()
        if image.info.get("exif") and not exif:
            return b"", f"{DAMAGED_EXIF} (no tags can be read)"
        for tag in LAYOUT_TAGS & exif.keys():
            del exif[tag]
        if ExifTags.Base.Orientation in exif:
            exif[ExifTags.Base.Orientation] = 1
        details = exif.get_ifd(ExifTags.IFD.Exif)
        for tag, length in ((ExifTags.Base.ExifImageWidth, width), (ExifTags.Base.ExifImageHeight, height)):
            if tag in details:
                details[tag] = length
        return (exif.tobytes() if len(exif) else b""), ""
    except DAMAGED as error:
        return b"", f"{DAMAGED_EXIF} ({' '.join(str(error).split())})"


def upright_xmp(image: Image.Image) -> bytes:
    """XMP packet of an opened picture for the same picture upright; empty for none."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else bytes(packet)
    return ORIENTATION_IN_XMP.sub(rb"tiff:Orientation\g<1>1", packet)


def resolution_of(image: Image.Image, orientation: int) -> tuple[float, float] | None:
    """Resolution of an opened picture once it is upright, in dots per inch; None if it says none."""
    dpi = image.info.get("dpi")
    if not dpi or not all(0 < float(value) < 1e6 for value in dpi):
        return None
    across, down = (float(value) for value in dpi)
    return (down, across) if orientation >= 5 else (across, down)


def number_of_pictures(image: Image.Image) -> int:
    """Frames of an animation or pages of a file."""
    # Phones put previews and gain maps behind the photo; nobody takes them for further photos.
    try:
        return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    except DAMAGED:
        # The first one has been read; what is wrong lies behind it.
        return 1
