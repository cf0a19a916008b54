"""What a semantic prior is: from a degraded image and its side information to words or embeddings."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Semantics:
    """What is known about the content of a batch of images; every part may be absent.

    Attributes:
        prompts: What each restored image should show, B texts; "" where nothing is known.
        negative_prompts: What each restored image should not show, B texts.
        embeddings: Tokens for the backbone's cross-attention, beside those of the prompts, shape (B, L, D).
        image_embeddings: One embedding of each image, shape (B, D), for backbones with an IP-Adapter.
        words: Names of the damage found in each image, the likeliest first.
    """

    prompts: Sequence[str] | None = None
    negative_prompts: Sequence[str] | None = None
    embeddings: Tensor | None = None
    image_embeddings: Tensor | None = None
    words: Sequence[Sequence[str]] | None = None


class Prior(nn.Module, ABC):
    """Turns degraded images and their side information into `Semantics`; knows nothing of the sampler."""

    def load(self, backbone_folder: Path | None = None) -> None:
        """Read weights; does nothing the second time.

        Args:
            backbone_folder: Where the backbone's weights are, in which parts made for it may lie; None if unknown.

        Raises:
            ValueError: If weights are missing or do not fit; one sentence with the remedy.
        """

    @abstractmethod
    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Describe each image.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].
            paths: The file each image came from; None for an image that never was a file.

        Raises:
            ValueError: If an image cannot be described; the message names the file and the remedy.
        """


def asked(prior: Prior, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
    """What a prior, perhaps one of somebody's own, says of images; see `Prior.forward`.

    Raises:
        ValueError: If it says something else than it must, or not of each image.
    """
    semantics = prior(degraded, paths)
    name = type(prior).__name__
    if not isinstance(semantics, Semantics):
        raise ValueError(f"prior {name} gave {type(semantics).__name__}: its forward must return Semantics")
    for field in fields(semantics):
        part = getattr(semantics, field.name)
        if part is not None and len(part) != len(degraded):
            raise ValueError(f"prior {name} gave {len(part)} {field.name} for {len(degraded)} image(s): give one each")
    return semantics


def fingerprint(about: Any, image: Tensor) -> str:
    """Hash plain data together with the pixels of an image, shape (3, H, W), range [0, 1]."""
    pixels = (image.detach().float().cpu().clamp(0, 1) * 65535).round().to(torch.int32).numpy()
    text = json.dumps([about, list(pixels.shape)], sort_keys=True)
    return hashlib.sha256(text.encode() + pixels.tobytes()).hexdigest()
