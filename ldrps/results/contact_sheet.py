"""Contact sheets: pictures side by side with a line of text above each."""

from collections.abc import Sequence

import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from modules.pictures import to_pil

MARGIN_PX = 6
TEXT_PX = 13


def contact_sheet(tiles: Sequence[tuple[str, Tensor]], columns: int) -> Image.Image:
    """Arrange labelled pictures in rows.

    Args:
        tiles: Label and picture, shape (3, H, W), range [0, 1].
        columns: Pictures in a row.

    Example:
        >>> import torch
        >>> contact_sheet([("one", torch.zeros(3, 20, 30)), ("two", torch.ones(3, 20, 30))], columns=2).size
        (78, 52)
    """
    width = max(picture.shape[2] for _, picture in tiles) + MARGIN_PX
    height = max(picture.shape[1] for _, picture in tiles) + MARGIN_PX + TEXT_PX + 7
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * width + MARGIN_PX, rows * height + MARGIN_PX), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(TEXT_PX)
    for number, (label, picture) in enumerate(tiles):
        left, top = MARGIN_PX + number % columns * width, MARGIN_PX + number // columns * height
        draw.text((left, top), shortened(label, font, width - MARGIN_PX), "black", font)
        sheet.paste(to_pil(picture), (left, top + TEXT_PX + 7))
    return sheet


def shortened(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a label to the width of its picture."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(f"{label}…") > width:
        label = label[:-1]
    return f"{label}…"


def thumbnail(image: Tensor, longest_px: int) -> Tensor:
    """Shrink a picture, shape (3, H, W), so that its longer side is at most `longest_px`; small ones stay."""
    scale = longest_px / max(image.shape[1:])
    if scale >= 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[1:]]
    return F.interpolate(image[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1)
