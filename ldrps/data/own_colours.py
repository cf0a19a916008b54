"""Colour profiles: photos are restored in sRGB, which models know, and written in the colours of their own profile."""

import io
from dataclasses import dataclass
from functools import cache

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

LEFT_OUT = "its colour profile is damaged or does not fit the picture: it was left out, the colours taken as sRGB"


@dataclass(frozen=True)
class OwnColours:
    """A photo's colour profile, and what is needed to go back to its colours.

    Attributes:
        icc: The profile, as the file holds it.
        encoded: Pixels in the encoding of the profile, shape (H, W) or (H, W, 3), 8 or 16 bits; None if the photo was
            not converted to sRGB, so that there is nothing to go back to.
        is_grey: Whether the profile is for one channel.
    """

    icc: bytes
    encoded: np.ndarray | None
    is_grey: bool

    def put_back(self, restored: np.ndarray, read: np.ndarray) -> np.ndarray:
        """Convert a restored picture to the profile.

        What restoration changed is added to the photo's own pixels, so that colours that sRGB cannot hold survive, and
        a pixel that did not change stays exactly as it was.

        Args:
            restored: sRGB, shape (H, W, 3), range [0, 1].
            read: The photo itself as it was read, same shape and range.

        Returns:
            Shape (H, W, 3), or (H, W) for a profile of one channel, range [0, 1].
        """
        if self.encoded is None:
            return restored[..., 0] if self.is_grey else restored
        own = self.encoded / np.float32(np.iinfo(self.encoded.dtype).max)
        return np.clip(own + self._from_srgb(restored) - self._from_srgb(read), 0, 1)

    def _from_srgb(self, pixels: np.ndarray) -> np.ndarray:
        space = "gray" if self.is_grey else "rgb"
        return convert(sixteen_bit(pixels), srgb(), self.icc, space) / np.float32(65535)


def to_srgb(image: Image.Image) -> tuple[Image.Image, OwnColours | None, str]:
    """Convert a picture of any mode to 8-bit sRGB.

    Returns:
        The picture, how to go back to its own colours (None: it has none, or has no way back), and one sentence if its
        profile could not be used, else "".
    """
    icc = image.info.get("icc_profile")
    plain = image.convert("RGB")
    if not icc:
        return plain, None, ""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        is_grey = image.mode in {"1", "L", "LA"}
        if image.mode not in {"RGB", "CMYK", "L"}:
            # Pictures with transparency or a palette are restored in their own encoding, as they always were.
            return plain, own_colours(icc, None, is_grey), ""
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        # A broken profile is common in old files; the plain conversion is what viewers fall back to.
        return plain, None, LEFT_OUT
    assert converted is not None
    # CMYK comes back as RGB: what a press makes of the change is not known.
    own = None if image.mode == "CMYK" else own_colours(icc, np.asarray(image), is_grey)
    return converted, own, ""


def deep_to_srgb(pixels: np.ndarray, icc: bytes) -> tuple[np.ndarray, OwnColours | None, str]:
    """Convert 16-bit RGB, shape (H, W, 3), to sRGB of the same shape and depth; see `to_srgb`."""
    try:
        converted = convert(pixels, icc, srgb(), "rgb")
    except imagecodecs.CmsError:
        return pixels, None, LEFT_OUT
    return converted, own_colours(icc, pixels, is_grey=False), ""


def own_colours(icc: bytes, encoded: np.ndarray | None, is_grey: bool) -> OwnColours | None:
    """The way back to a profile; None where it has none, as profiles of scanners may."""
    own = OwnColours(icc, encoded, is_grey)
    try:
        own._from_srgb(np.zeros((1, 1, 3), np.float32))
    except imagecodecs.CmsError:
        return None
    return own


def convert(pixels: np.ndarray, source: bytes, target: bytes, target_space: str) -> np.ndarray:
    """Convert 16-bit RGB, shape (H, W, 3), from one profile to another.

    Raises:
        imagecodecs.CmsError: If a profile is damaged or does not fit.
    """
    # The default samples the conversion on a grid, which costs several of 255 levels in the shadows.
    exact = imagecodecs.CMS.FLAGS.NOOPTIMIZE
    converted: np.ndarray = imagecodecs.cms_transform(
        pixels, source, target, colorspace="rgb", outcolorspace=target_space, flags=exact
    )
    return converted


def sixteen_bit(pixels: np.ndarray) -> np.ndarray:
    """Round values in [0, 1] to 16 bits."""
    return np.rint(pixels * np.float32(65535)).astype(np.uint16)


@cache
def srgb() -> bytes:
    """The profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
