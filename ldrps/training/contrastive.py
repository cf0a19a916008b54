"""The contrastive loss of images and captions, over all processes."""

import hashlib
import math
from collections.abc import Sequence

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as differentiable
import torch.nn.functional as F
from torch import Tensor

from ldrps.data.shards import in_process_group

LARGEST_LOGIT_SCALE = math.log(100)
"""Beyond it contrastive trainings become unstable."""

NO_CAPTION = 0
"""Number of a photo without a caption."""


@torch.no_grad()
def keep_in_bounds(logit_scale: Tensor) -> None:
    """Keep the logarithm of the cosines' factor, shape (), within 0 and ln 100 (Radford et al. 2021, Sec. 2.5)."""
    logit_scale.clamp_(0, LARGEST_LOGIT_SCALE)


def caption_numbers(captions: Sequence[str]) -> Tensor:
    """A number for each caption, shape (B,), by which processes see which ones are equal.

    Example:
        >>> numbers = caption_numbers(["a cat", "", "a cat"])
        >>> int(numbers[1]), bool(numbers[0] == numbers[2])
        (0, True)
    """
    digests = [hashlib.sha256(caption.encode()).digest()[:7] if caption else b"" for caption in captions]
    return torch.tensor([int.from_bytes(digest, "big") for digest in digests])


def caption_loss(images: Tensor, texts: Tensor, captions: Tensor, logit_scale: Tensor) -> Tensor:
    """Contrastive loss over the photos of all processes that have a caption.

    Equal captions are no negatives of each other. The gradient, averaged over processes as DDP does, is that of the
    whole batch in one process.

    Args:
        images: Embeddings of this process's photos, shape (B, D); B is the same in every process.
        texts: Embeddings of their captions, same shape.
        captions: What `caption_numbers` says, shape (B,).
        logit_scale: Factor of the cosines, shape ().

    References:
        Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision, Fig. 3.
    """
    numbers = everywhere(captions.to(images.device))
    kept = numbers != NO_CAPTION
    images, texts, numbers = everywhere(images)[kept], everywhere(texts)[kept], numbers[kept]
    if len(numbers) < 2:
        return images.sum() * 0 + logit_scale * 0
    _, own = numbers.unique(return_inverse=True)
    # The first photo of each caption stands for it.
    first = torch.stack([(own == number).nonzero()[0, 0] for number in range(int(own.max()) + 1)])
    similarity = logit_scale * F.normalize(images, dim=1) @ F.normalize(texts[first], dim=1).T
    matches = F.one_hot(own, len(first)).to(similarity).T
    by_text = -(matches / matches.sum(dim=1, keepdim=True) * torch.log_softmax(similarity.T, dim=1)).sum(dim=1)
    return (F.cross_entropy(similarity, own) + by_text.mean()) / 2


def everywhere(rows: Tensor) -> Tensor:
    """The rows of all processes, in their order; gradients go back to where rows came from."""
    if not in_process_group() or dist.get_world_size() == 1:
        return rows
    if rows.requires_grad:
        return torch.cat(differentiable.all_gather(rows))
    gathered = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, rows.contiguous())
    return torch.cat(gathered)
