"""How near to the truth a photo is, once some damage has been undone."""

import torch
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor, nn

TYPICAL_DB, TYPICAL_SPREAD_DB = 25.0, 10.0
"""PSNR that an answer of zero stands for, and what an answer of one adds."""


class Judge(ModelMixin, ConfigMixin):
    """Compares what the first guess sees in a photo with what it sees once somebody undid the damage.

    It has no eyes of its own: features that were learnt from many photos, to tell what light and haze did, also tell
    whether they are gone. Weights belong to those of the `FirstGuess` they were trained with.

    Args:
        num_features: Features of one photo, `FirstGuess.num_features`.
        hidden_dim: Width of the first hidden layer; the second has half of it.
        dropout: Share of the hidden numbers that training leaves out.
    """

    @register_to_config
    def __init__(self, num_features: int = 264, hidden_dim: int = 96, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(3 * num_features),
            nn.Linear(3 * num_features, hidden_dim),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, hidden_dim // 2),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim // 2, 1),
        )

    def forward(self, undone: Tensor, degraded: Tensor) -> Tensor:
        """Expected PSNR in dB of the photos with the damage undone, shape (...).

        Args:
            undone: Features of the photos with some damage undone, shape (..., num_features).
            degraded: Features of the same photos as they were seen, same shape.
        """
        answer: Tensor = self.layers(torch.cat([undone, degraded, undone - degraded], dim=-1))[..., 0]
        return TYPICAL_DB + TYPICAL_SPREAD_DB * answer
