"""The plainest use of a diffusion model: the noisy photo's latents are its state at some level, so ask it once."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ldrps.data.image_generator import image_generator
from ldrps.methods.hash_weights import hash_weights
from ldrps.methods.ld_rps.working_size import WorkingSize
from ldrps.methods.mixed_precision import networks_only
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step
from modules.backbones.base import NUM_TIMESTEPS, Backbone, Conditioning
from modules.noise_level import noise_level
from modules.priors.base import Prior, asked
from modules.priors.null import Null


class Matched(Restorer):
    """D(x0(sqrt(abar_t) E(y), t)), with the level t whose share of noise is that of the photo's latents.

    No noise is added, nothing is sampled, learnt or guided, and no damage but noise is known: a baseline that every
    sampler must beat on noise. How noisy the photo is is estimated in its pixels (`noise_level`), and how noisy that
    makes its latents by encoding the photo once more with as much noise again.

    Args:
        backbone: The pretrained model.
        prior: What is known about the content of each image.
        guidance_scale: Classifier-free guidance towards the prompt; without a prompt it has no effect.
        seed: Seed of the noise that the encoder is tried with.
    """

    def __init__(
        self, backbone: Backbone, prior: Prior | None = None, guidance_scale: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__(seed)
        self.backbone = backbone
        self.prior = Null() if prior is None else prior
        self.guidance_scale = guidance_scale

    def load(self) -> None:
        """See `Restorer.load`."""
        self.backbone.load()
        self.prior.load(self.backbone.folder)

    def weights_sha256(self) -> str:
        """See `Restorer.weights_sha256`."""
        self.load()
        return hash_weights(torch.nn.ModuleList([self.backbone, self.prior]))

    @torch.no_grad()
    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """See `Restorer.restore`."""
        with networks_only(self, degraded.device):
            return self._restore(degraded, paths)

    def _restore(self, degraded: Tensor, paths: Sequence[Path | None]) -> Tensor:
        height, width = degraded.shape[-2:]
        size = WorkingSize(height, width, 1.0, self.backbone.size_multiple)
        restored = []
        # The level, and so the denoiser's call, is each image's own.
        for image, path in zip(degraded, paths, strict=True):
            conditioning = self.backbone.condition(asked(self.prior, image[None], [path]), 1, 1, self.guidance_scale)
            restored.append(size.leave(self._restore_one(size.enter(image[None]), conditioning)))
        return torch.cat(restored)

    def _restore_one(self, image: Tensor, conditioning: Conditioning) -> Tensor:
        latents = self.backbone.encode(image)
        noise = torch.randn(image.shape, generator=image_generator(image[0], self.seed)).to(image)
        noisier = self.backbone.encode(image + noise_level(image).mean(dim=1, keepdim=True) * noise)
        timestep = matching_timestep(self.backbone, float((noisier - latents).std()))
        state = self.backbone.renoise(latents, torch.zeros_like(latents), timestep)
        return self.backbone.decode(self.backbone.predict_x0(state, timestep, conditioning).x0).clamp(0, 1)


def matching_timestep(backbone: Backbone, noise: float) -> int:
    """The timestep at which the noise is so many times the signal; the nearest where there is none.

    Example:
        >>> from modules.backbones.stable_diffusion import StableDiffusion
        >>> backbone = StableDiffusion()
        >>> backbone.load()
        >>> [matching_timestep(backbone, noise) for noise in (0.0, 0.3, 1.0)]
        [1, 81, 354]
    """
    return 1 + bisect_left(range(1, NUM_TIMESTEPS - 1), noise, key=backbone.noise_to_signal)
