"""What lies under full transparency is no part of a photo, and yet comes back as it was."""

import torch
from torch import Tensor

from ldrps.data.samples import Sample
from modules.alignment.filling import filled


def without_hidden(sample: Sample) -> Tensor:
    """The image of a sample; where nothing of it can be seen, colours from around instead of those hidden there.

    Cut-outs are mostly black there, which would count as a dark photo with something missing.

    Returns:
        Shape (3, H, W), range [0, 1].
    """
    visible = _visible(sample)
    return sample.image if visible is None else filled(sample.image[None], visible[None])[0]


def with_hidden(restored: Tensor, sample: Sample) -> Tensor:
    """A result, shape (3, H, W), with the colours back that are hidden in its sample."""
    visible = _visible(sample)
    return restored if visible is None else torch.where(visible, restored, sample.image)


def _visible(sample: Sample) -> Tensor | None:
    """Where something can be seen, shape (1, H, W); None for everywhere, and for nowhere."""
    if sample.alpha is None:
        return None
    visible = sample.alpha > 0
    return visible if bool(visible.any()) and not bool(visible.all()) else None
