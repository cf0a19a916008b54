"""What crops of a photo at its own resolution say of its damage."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DetailTower(nn.Module):
    """Convolutions on crops of the full resolution, where coding, rain and fine noise are seen.

    They see the crop and, enlarged, how each pixel differs from its neighbours. Nothing is normalised, which would hide
    how strong noise is; mean and log-variance of the features of every resolution over a crop go through two linear
    layers, the last of which is zero before training.

    Args:
        embedding_dim: Width D of what it says.
        widths: Channels at the full, the half and the quarter resolution.
        crop_px: Side of the crops.
        grid: Crops a side of a large photo; they are spread evenly and as many as needed cover a small one.
    """

    def __init__(
        self,
        embedding_dim: int,
        widths: tuple[int, int, int] = (16, 48, 96),
        crop_px: int = 64,
        grid: int = 3,
    ) -> None:
        super().__init__()
        self.crop_px = crop_px
        self.grid = grid
        self.levels = nn.ModuleList()
        before = 6
        for number, width in enumerate(widths):
            convolutions = (nn.Conv2d(before, width, 3, min(2, number + 1), 1), nn.Conv2d(width, width, 3, 1, 1))
            for convolution in convolutions:
                # Torch's own start lets what is seen fade from layer to layer, which norms would make good.
                nn.init.kaiming_normal_(convolution.weight)
            self.levels.append(nn.Sequential(convolutions[0], nn.GELU(), convolutions[1], nn.GELU()))
            before = width
        num_features = 2 * sum(widths)
        self.hidden = nn.Sequential(nn.Linear(num_features, 2 * before), nn.GELU())
        self.projection = nn.Linear(2 * before, embedding_dim)

    def forward(self, images: Tensor) -> Tensor:
        """What the crops say on average, shape (B, D).

        Args:
            images: Shape (B, 3, H, W), range [0, 1].
        """
        crops = evenly_spread(images, self.crop_px, self.grid)
        said = torch.stack([self.look(crop) for crop in crops])
        return said.mean(dim=0)

    def look(self, crops: Tensor) -> Tensor:
        """What single crops say, shape (B, D).

        Args:
            crops: Shape (B, 3, h, w), range [0, 1].
        """
        crops = crops.to(self.projection.weight.dtype)
        fine = crops - F.avg_pool2d(crops, 3, 1, 1, count_include_pad=False)
        # Bright and dark, and faint noise, come to the size of what layers are initialised for.
        hidden = torch.cat([4 * (crops - 0.5), 16 * fine], dim=1)
        facts = []
        for level in self.levels:
            hidden = level(hidden)
            variance = hidden.flatten(2).var(dim=2, unbiased=False)
            facts += [hidden.flatten(2).mean(dim=2), (variance + 1e-4).log() / 2]
        said: Tensor = self.projection(self.hidden(torch.cat(facts, dim=1)))
        return said


def evenly_spread(images: Tensor, side_px: int, grid: int) -> list[Tensor]:
    """Crops, spread evenly from edge to edge, not more of them than are needed to see everything.

    Args:
        images: Shape (B, 3, H, W).
        side_px: Side of a crop; where an image is shorter, so is the crop.
        grid: Most crops a side.

    Example:
        >>> [tuple(crop.shape[-2:]) for crop in evenly_spread(torch.zeros(1, 3, 50, 100), 64, 3)]
        [(50, 64), (50, 64)]
    """
    (tops, height), (lefts, width) = (places(side, side_px, grid) for side in images.shape[-2:])
    return [images[..., top : top + height, left : left + width] for top in tops for left in lefts]


def places(side: int, crop_px: int, most: int) -> tuple[list[int], int]:
    """Where crops of a side begin, and how long they are.

    Example:
        >>> places(200, 64, 3), places(100, 64, 3), places(50, 64, 3)
        (([0, 68, 136], 64), ([0, 36], 64), ([0], 50))
    """
    length = min(side, crop_px)
    count = min(most, -(-side // length))
    return [round(number * (side - length) / max(1, count - 1)) for number in range(count)], length
