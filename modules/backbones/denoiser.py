"""What predicts the noise, the clean latents or the velocity, given what is known of the content."""

from abc import ABC, abstractmethod

from torch import Tensor

from modules.backbones.base import Conditioning
from modules.backbones.noise_path import Level
from modules.priors.base import Semantics


class Denoiser(ABC):
    """A conditioned network on latents."""

    latent_multiple: int
    """Width and height of the latents must be multiples of this."""

    @abstractmethod
    def condition(self, semantics: Semantics, batch_size: int, num_chains: int, guidance_scale: float) -> Conditioning:
        """Prepare what the network is told about ``num_chains`` chains of B images; see `Backbone.condition`."""

    @abstractmethod
    def __call__(self, latents: Tensor, level: Level, conditioning: Conditioning) -> Tensor:
        """Model output, shape (N, C, h, w); one network call for all chains and both guidance halves."""


def merge_halves(output: Tensor, guided_rows: Tensor, guidance_scale: float) -> Tensor:
    """Apply classifier-free guidance to the output of one call.

    Args:
        output: N plain rows, then the M guided ones, shape (N + M, C, h, w).
        guided_rows: Which of the plain rows the guided ones belong to, shape (M,).
        guidance_scale: Weight of the difference between the halves.

    Returns:
        Shape (N, C, h, w).

    References:
        Ho and Salimans 2022, Classifier-Free Diffusion Guidance, Eq. 6.
    """
    if not len(guided_rows):
        return output
    plain, guided = output[: -len(guided_rows)], output[-len(guided_rows) :]
    return plain.index_add(0, guided_rows, guidance_scale * (guided - plain[guided_rows]))
