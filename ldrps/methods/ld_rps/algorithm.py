"""The method: LD-RPS, recurrent posterior sampling in the latents of a pretrained diffusion model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ldrps.methods.ld_rps.guidance import Guidance
from ldrps.methods.ld_rps.sampling import Observer, SamplingSettings, draw_noise
from modules.backbones.base import Backbone, Conditioning


@dataclass(frozen=True)
class Run:
    """What one restoration of B images works with.

    Attributes:
        backbone: The pretrained diffusion model.
        condition: Asks for the semantics and gives what the backbone makes of them, for all chains; not called in vain.
        guidance: Learns the damage and pulls the sample towards what was seen.
        settings: How samples are drawn.
        generators: One per image; everything random about image i comes from generator i.
        observe: Sees every step.
        needs_sample: Whether the result is made of the sample; otherwise it only teaches the alignment net.
        needs_steps: Whether to take steps that no alignment net learns at, of a photo that nothing is wrong with.
    """

    backbone: Backbone
    condition: Callable[[], Conditioning | None]
    guidance: Guidance
    settings: SamplingSettings
    generators: Sequence[torch.Generator]
    observe: Observer = lambda timestep, x0_prediction: None
    needs_sample: bool = True
    needs_steps: bool = True


def restore(degraded: Tensor, run: Run) -> Tensor | None:
    """Restore degraded images, shape (B, 3, H, W), range [0, 1] (LD-RPS: sampling, then recurrent refinement).

    Returns:
        The decoded sample, same shape and range; None if it is not needed.
    """
    backbone, settings = run.backbone, run.settings
    run.guidance.begin(degraded, run.generators)
    if not (run.needs_steps or run.guidance.is_learning):
        return None
    if settings.num_inference_steps == 0:
        return backbone.decode(backbone.encode(run.guidance.undo(degraded))).clamp(0, 1) if run.needs_sample else None

    timesteps = backbone.begin(settings.num_inference_steps, settings.first_strength)
    latents = draw_noise(backbone.latent_shape(degraded), settings.num_chains, run.generators, degraded)
    if settings.start_from == "degraded":
        start = backbone.encode(run.guidance.undo(degraded)).repeat(settings.num_chains, 1, 1, 1)
        latents = backbone.renoise(start, latents, timesteps[0])
    latents = sample_posterior(latents, timesteps, run, is_last=settings.num_refinements == 0)
    for left in reversed(range(settings.num_refinements)):
        timesteps = backbone.begin(settings.num_inference_steps, settings.strength)
        noise = draw_noise(backbone.latent_shape(degraded), settings.num_chains, run.generators, degraded)
        latents = sample_posterior(backbone.renoise(latents, noise, timesteps[0]), timesteps, run, is_last=left == 0)

    return backbone.decode(latents[: len(degraded)]).clamp(0, 1) if run.needs_sample else None


def sample_posterior(latents: Tensor, timesteps: Sequence[float], run: Run, is_last: bool) -> Tensor:
    """Take all chains, rows ``chain * B + image``, to clean latents; the first chain of each image is guided."""
    backbone, num_guided, conditioning = run.backbone, len(run.generators), run.condition()
    for timestep in timesteps:  # T, ..., 1
        x0_prediction, model_output = backbone.predict_x0(latents, timestep, conditioning)
        latents = backbone.step(model_output, timestep, latents, [*run.generators] * run.settings.num_chains)
        if run.settings.use_stepped_x0:
            x0_prediction = backbone.x0_from(model_output, latents, timestep)
        # The very last pull moves a sample that is looked at, or nothing.
        is_moving = run.needs_sample or not is_last or timestep != timesteps[-1]
        if (gradient := run.guidance.update(x0_prediction, timestep, is_moving)) is not None:
            latents = torch.cat([latents[:num_guided] - gradient, latents[num_guided:]])
        run.observe(timestep, x0_prediction[:num_guided])
    return latents
