"""Guidance without a backward pass: the sample meets the photo, its damage undone, in pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ldrps.methods.ld_rps.guidance import Guidance
from modules.noise_level import noise_level

SMALLEST_NOISE = 1 / 255
"""Standard deviation of the noise that any photo of 8 bits has."""


@dataclass
class ProximalGuidance(Guidance):
    """Moves the x0 prediction to the minimum of ``|x - y'|^2 / s^2 + |x - D(z0)|^2 / r^2``, found in closed form.

    y' is the photo with its damage undone by the alignment net's inverse, s its noise, estimated in it, and r how far
    the prediction is expected to be off: the share of noise at this timestep, as much of the photo's own deviation. The
    result is encoded, and the latents, with the noise that is left in them, move by the difference. Where the alignment
    net has no inverse, y' is the photo as it was seen; what it leaves open (`Masked`, `DownSampled`), y' takes of x.

    ``strength`` is a factor of r^2, and useful at about 3; ``scale`` has no effect, and of the losses only from when
    until when they are active, which says when the sample is guided. The alignment net learns as in `Guidance`.

    References:
        Zhu et al. 2023, Denoising Diffusion Models for Plug-and-Play Image Restoration (DiffPIR), Eq. 12 and 13; Zhang
        et al. 2024, Improving Diffusion Inverse Problem Solving with Decoupled Noise Annealing (through an encoder).
    """

    def decoded(self, latents: Tensor) -> Tensor:
        """See `Guidance.decoded`; without graph."""
        return self.backbone.decode(latents)

    @torch.no_grad()
    def gradient(self, latents: Tensor, restored: Tensor, samples: Tensor, timestep: float) -> Tensor:
        """What the latents have to lose; see `Guidance.gradient`."""
        undone = self.undo(self.degraded)
        noise = noise_level(undone).mean(dim=1, keepdim=True).clamp(min=SMALLEST_NOISE)
        # No prediction is worse than the mean.
        share = min(1.0, self.backbone.noise_to_signal(timestep))
        error = share * undone.std(dim=(1, 2, 3), keepdim=True)
        weight = self.settings.strength * error**2 / (self.settings.strength * error**2 + noise**2)
        if self.alignment.leaves_open:
            undone = self.undo(self.degraded, restored)
        nearer = torch.lerp(restored, undone, weight)
        # The latents that are stepped hold the prediction as faintly as their noise is strong.
        return self.backbone.renoise(latents - self.backbone.encode(nearer), torch.zeros_like(latents), timestep)
