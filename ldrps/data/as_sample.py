"""Whatever a user has in hand, as a sample."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ldrps.data.image_files import read_picture, to_picture
from ldrps.data.original import upright
from ldrps.data.samples import Sample


def as_sample(picture: Image.Image | Tensor | np.ndarray | str | Path) -> Sample:
    """Make a sample of whatever a user has in hand, turned upright where it says how it was taken.

    Raises:
        ValueError: If a tensor has not the shape (3, H, W) and range [0, 1], an array not (H, W, 3) and 8 bits, it is
            something else, or a file cannot be read.
    """
    if isinstance(picture, Tensor):
        if picture.ndim != 3 or picture.shape[0] != 3:
            raise ValueError(f"picture has shape {tuple(picture.shape)}: give an RGB tensor of shape (3, H, W)")
        if not (float(picture.min()) >= 0 and float(picture.max()) <= 1):
            raise ValueError(
                f"picture has values in [{float(picture.min()):.3g}, {float(picture.max()):.3g}]: scale them to [0, 1]"
            )
        return Sample("picture", None, picture.float())
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"picture is an array of shape {picture.shape} and type {picture.dtype}: give RGB of shape (H, W, 3) "
                "in uint8, of OpenCV's order picture[..., ::-1]"
            )
        return Sample("picture", None, torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255)
    if isinstance(picture, Image.Image):
        read = to_picture(upright(picture), file_image=picture)
        return Sample("picture", None, read.image, read.alpha)
    if not isinstance(picture, str | Path):
        raise ValueError(f"picture is a {type(picture).__name__}: give a PIL image, a tensor, an array or a file name")
    path = Path(picture)
    read = read_picture(path)
    return Sample(path.stem, path, read.image, read.alpha)
