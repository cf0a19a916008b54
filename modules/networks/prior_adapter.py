"""From an image embedding to tokens that a denoiser's cross-attention reads."""

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import ImageProjection
from safetensors import SafetensorError
from torch import Tensor, nn


class PriorAdapter(ModelMixin, ConfigMixin):
    """A hidden layer and diffusers' image projection (linear, layer norm), as in IP-Adapter.

    Args:
        embedding_dim: Width D of the embeddings.
        cross_attention_dim: Width of the denoiser's tokens.
        num_tokens: Tokens per embedding, K.
        hidden_dim: Width of the hidden layer.

    References:
        Ye et al. 2023, IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion Models, Sec. 3.2.
    """

    @register_to_config
    def __init__(
        self, embedding_dim: int = 128, cross_attention_dim: int = 128, num_tokens: int = 4, hidden_dim: int = 512
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.hidden = nn.Sequential(nn.Linear(embedding_dim, hidden_dim), nn.GELU())
        self.projection = ImageProjection(hidden_dim, cross_attention_dim, num_tokens)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Tokens, shape (B, K, cross_attention_dim), of embeddings, shape (B, D), of any length."""
        scaled = F.normalize(embeddings, dim=1) * embeddings.shape[1] ** 0.5
        tokens: Tensor = self.projection(self.hidden(scaled))
        return tokens


def load_prior_adapter(folder: Path) -> PriorAdapter:
    """Read an adapter's folder.

    Raises:
        ValueError: If there is none or its weights do not fit.
    """
    if not (folder / "config.json").is_file():
        raise ValueError(
            f"{str(folder)!r} holds no adapter: train one with `ldrps fit --config train/prior_adapter`, or use the "
            "prior da_clip, which needs none"
        )
    try:
        adapter: PriorAdapter = PriorAdapter.from_pretrained(folder, torch_dtype=torch.float32)
    except (OSError, ValueError, RuntimeError, TypeError, SafetensorError) as error:
        raise ValueError(f"adapter {str(folder)!r} cannot be read: {' '.join(str(error).split())[:200]}") from error
    adapter.eval().requires_grad_(False)
    return adapter
