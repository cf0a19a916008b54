"""Plain frames around pictures, such as a scan's."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

Box = tuple[int, int, int, int]
"""Top, bottom, left and right of a part of a picture, in pixels."""

FRAME_CONTRAST = 3 / 255
"""Lines at the border of a picture that differ by no more than this are a frame."""

SMALLEST_CONTENT = 0.25
"""Share of a side that must be left inside a frame; a picture that is plain nearly everywhere has none."""


def content(image: Tensor) -> Box:
    """Where the picture lies inside a plain frame, such as a scan's: top, bottom, left, right.

    Args:
        image: Shape (3, H, W), range [0, 1].

    Example:
        >>> scan = torch.ones(3, 20, 20)
        >>> scan[:, 4:15, 2:18] = torch.rand(3, 11, 16)
        >>> content(scan)
        (4, 15, 2, 18)
    """
    edges = []
    for along in (2, 1):
        contrast = (image.amax(dim=along) - image.amin(dim=along)).amax(dim=0)
        inside = (contrast > FRAME_CONTRAST).nonzero().flatten().tolist() or [0]
        first, end = inside[0], inside[-1] + 1
        edges += [first, end] if end - first >= SMALLEST_CONTENT * len(contrast) else [0, len(contrast)]
    return edges[0], edges[1], edges[2], edges[3]


def is_plain(images: Tensor) -> Tensor:
    """Which pictures show nothing, shape (B,): they have no more contrast than a frame.

    Example:
        >>> is_plain(torch.stack([torch.full((3, 2, 2), 0.5), torch.linspace(0, 1, 12).view(3, 2, 2)]))
        tensor([ True, False])
    """
    return images.amax(dim=(1, 2, 3)) - images.amin(dim=(1, 2, 3)) <= FRAME_CONTRAST


def by_frame(images: Tensor) -> dict[Box, list[int]]:
    """Numbers of the pictures with the same frame, nearly always none: they can be looked at together.

    Args:
        images: Shape (B, 3, H, W), range [0, 1].
    """
    frames: dict[Box, list[int]] = {}
    for number, image in enumerate(images):
        frames.setdefault(content(image), []).append(number)
    return frames


def contents(images: Tensor, frames: dict[Box, list[int]]) -> Iterator[Tensor]:
    """The pictures of each frame, without it, shape (n, 3, h, w); see `in_order` for what is made of them."""
    for (top, bottom, left, right), rows in frames.items():
        yield images[rows, :, top:bottom, left:right]


def in_order(parts: Sequence[Tensor], frames: dict[Box, list[int]]) -> Tensor:
    """Put together what belongs to the pictures of each frame, shape (B, ...), in the pictures' order.

    Example:
        >>> in_order([torch.tensor([0, 2]), torch.tensor([1])], {(0, 9, 0, 9): [0, 2], (1, 8, 1, 8): [1]})
        tensor([0, 1, 2])
    """
    order = torch.tensor([number for rows in frames.values() for number in rows]).argsort()
    return torch.cat(list(parts))[order.to(parts[0].device)]
