"""How much of what seems noise is noise."""

from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor, nn


class NoiseShare(ModelMixin, ConfigMixin):
    """Tells noise from texture by how loud each channel is at three scales, in quiet places and everywhere.

    Texture is louder at coarser scales, in places, and in brightness; noise is so too once a camera has smoothed it or
    a file has coded it. Behind haze all texture is faint, but so is the photo; in the dark it is the noise that is not.
    How these go together is learnt from photos with and without noise.

    Args:
        num_channels: Channels C.
        num_levels: Levels told of each channel, L.
        num_scales: Scales S at which noise is told from texture.
        hidden_dim: Width of the two hidden layers.
    """

    @register_to_config
    def __init__(self, num_channels: int = 3, num_levels: int = 8, num_scales: int = 3, hidden_dim: int = 64) -> None:
        super().__init__()
        self.num_scales = num_scales
        self.layers = nn.Sequential(
            nn.Linear(num_channels * num_levels, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, num_channels * num_scales),
        )

    def forward(self, levels: Tensor) -> Tensor:
        """Logits of the share of noise in what each channel holds at each scale, the finest first, shape (B, C, S).

        Args:
            levels: Standard deviations, shape (B, C, L), of images in [0, 1].
        """
        # One 8-bit level becomes zero; below a twentieth of it nothing is told apart.
        shares: Tensor = self.layers((255 * levels).clamp(min=0.05).log().flatten(1) / 2)
        return shares.unflatten(1, (-1, self.num_scales))
