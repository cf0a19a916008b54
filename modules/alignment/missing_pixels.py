"""Where a photo has no pixels, from the photo alone."""

import numpy as np
import torch
from torch import Tensor

from modules.noise_level import NORMAL_MEDIAN

STEP = 4 / 255
"""Brightness above black from which on a neighbour says that black was cut out and not photographed."""

SHARE = 0.5
"""Share of a black area's neighbours that must say so. Shadows and silhouettes have a soft rim at most places: of 40
photos none has more than 0.6 % of its pixels taken, and of holes in eight of them, dark ones included, 99 % are found.
"""


def missing_pixels(images: Tensor, noise_factor: float = 0.0) -> Tensor:
    """Areas of exact black with hard edges: what masks and brushes leave, and shadows do not.

    An area is connected by its sides, of any size from one pixel on. One that spans a whole side of the picture is a
    frame, and not missing.

    Args:
        images: Shape (B, 3, H, W), range [0, 1].
        noise_factor: How many times the noise of a picture a neighbour must be above black. In the dark, noise is cut
            off at black: 4 tells it from holes, and finds fewer of the holes in dark places.

    Returns:
        Shape (B, 1, H, W), boolean.
    """
    brightness = images.detach().amax(dim=1).cpu().numpy()
    found = np.stack([_cut_out(each, noise_factor) for each in brightness])
    return torch.from_numpy(found)[:, None].to(images.device)


def _cut_out(brightness: np.ndarray, noise_factor: float) -> np.ndarray:
    """See `missing_pixels`; of the brightest channel, shape (H, W)."""
    from skimage.measure import label

    areas = label(brightness == 0, connectivity=1)
    step = max(STEP, noise_factor * _roughness(brightness))
    padded, values = np.pad(areas, 1, constant_values=-1), np.pad(brightness, 1)
    neighbours, hard = np.zeros((2, areas.max() + 1))
    height, width = areas.shape
    for down, right in ((0, 1), (1, 0), (1, 2), (2, 1)):
        beside = padded[down : down + height, right : right + width]
        is_rim = (areas > 0) & (beside == 0)
        is_hard = is_rim & (values[down : down + height, right : right + width] >= step)
        neighbours += np.bincount(areas[is_rim], minlength=len(neighbours))
        hard += np.bincount(areas[is_hard], minlength=len(hard))
    is_cut_out = (neighbours > 0) & (hard >= SHARE * neighbours)
    for side in (areas[0], areas[-1], areas[:, 0], areas[:, -1]):
        if side[0] == side[-1] and (side == side[0]).all():
            is_cut_out[side[0]] = False
    is_cut_out[0] = False
    return is_cut_out[areas]


def _roughness(brightness: np.ndarray) -> float:
    """Standard deviation of the noise by the median step between neighbours that are both not black."""
    seen = np.where(brightness > 0, brightness, np.nan)
    sizes = np.abs(np.concatenate([np.diff(seen, axis=axis).ravel() for axis in (0, 1)]))
    sizes = sizes[~np.isnan(sizes)]
    return float(np.median(sizes)) / (NORMAL_MEDIAN * 2**0.5) if len(sizes) else 0.0
