"""DA-CLIP's content embedding as tokens of the denoiser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modules.networks.prior_adapter import load_prior_adapter
from modules.priors.base import Prior, Semantics
from modules.priors.da_clip import DACLIP, part_folder


class DACLIPAdapter(Prior):
    """A small network, trained with the denoiser frozen, turns the content embedding into K tokens.

    Args:
        path: DA-CLIP folder; None takes ``da_clip`` in the backbone's folder.
        adapter: Adapter folder, trained for the backbone; None takes ``prior_adapter`` in the backbone's folder.
        with_text: Whether the nearest captions stand beside the tokens, as `DACLIP` finds them.
    """

    def __init__(self, path: str | None = None, adapter: str | None = None, with_text: bool = False) -> None:
        super().__init__()
        self.path = path
        self.adapter = adapter
        self.with_text = with_text
        self.da_clip = DACLIP(path)

    def load(self, backbone_folder: Path | None = None) -> None:
        """See `Prior.load`."""
        if hasattr(self, "network"):
            return
        folder = part_folder("prior_adapter", self.adapter, backbone_folder)
        self.da_clip.load(backbone_folder)
        network = load_prior_adapter(folder)
        width = self.da_clip.network.config.clip_config["projection_dim"]
        if network.embedding_dim != width:
            raise ValueError(
                f"the adapter takes embeddings of {network.embedding_dim} numbers, but this DA-CLIP gives "
                f"{width}: use the DA-CLIP that the adapter was trained with"
            )
        self.network: Any = network

    @torch.no_grad()
    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Make the tokens.

        Raises:
            ValueError: If an image is too small for the image tower.
        """
        described = self.da_clip(degraded, paths)
        assert described.image_embeddings is not None
        return Semantics(
            prompts=described.prompts if self.with_text else None,
            negative_prompts=described.negative_prompts if self.with_text else None,
            embeddings=self.network(described.image_embeddings),
            image_embeddings=described.image_embeddings,
            words=described.words,
        )
