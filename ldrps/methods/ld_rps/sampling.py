"""How samples are drawn: settings of the sampler, and random numbers that belong to one image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Observer = Callable[[float, Tensor], None]
"""Called after every step with the timestep and the x0 prediction of the guided chains, shape (B, C, h, w)."""


@dataclass(frozen=True)
class SamplingSettings:
    """How samples are drawn.

    Attributes:
        num_inference_steps: Steps over the whole noise schedule; 0 samples nothing, and what starts from the degraded
            image ends there: with its damage undone as far as the alignment net's first guess goes.
        start_from: "noise" starts from pure noise, as the paper does; "degraded" from the encoded image, as far as the
            alignment net can undo its damage, with noise of ``start_strength`` added.
        start_strength: Share of the steps that a start from the degraded image takes, in (0, 1]: it re-noises to where
            they begin, which with few steps is well below that share of the timesteps (101 of 1,000 for a fifth of 10).
        num_refinements: Recurrences after the first pass.
        strength: Share of the steps that a recurrence takes again, in (0, 1], re-noised likewise (the paper's gamma).
        num_free_chains: Unguided chains per image that give the alignment net more examples.
        num_samples: Samples drawn one after another, whose mean is taken: one is the boldest guess, many err least.
        use_stepped_x0: Take the x0 prediction from the latents after the step, as the released code does.

    Raises:
        ValueError: If a number lies outside its interval.
    """

    num_inference_steps: int = 50
    start_from: Literal["noise", "degraded"] = "noise"
    start_strength: float = 1.0
    num_refinements: int = 1
    strength: float = 0.5
    num_free_chains: int = 0
    num_samples: int = 1
    use_stepped_x0: bool = False

    def __post_init__(self) -> None:
        if self.num_inference_steps < 0:
            raise ValueError(f"num_inference_steps={self.num_inference_steps} must not be negative; 0 samples nothing")
        if self.num_inference_steps == 0 and self.start_from != "degraded":
            raise ValueError(
                "num_inference_steps=0 leaves nothing but noise: set start_from to degraded, or take steps"
            )
        if self.num_samples < 1:
            raise ValueError(f"num_samples={self.num_samples} must be at least 1")
        for name in ("num_refinements", "num_free_chains"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)} must not be negative; 0 switches it off")
        for name in ("start_strength", "strength"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(
                    f"{name}={getattr(self, name)} must lie in (0, 1]: it is a share of the noise schedule"
                )

    @property
    def num_chains(self) -> int:
        """Chains per image, the guided one included."""
        return 1 + self.num_free_chains

    @property
    def first_strength(self) -> float:
        """Share of the schedule that the first pass covers."""
        return self.start_strength if self.start_from == "degraded" else 1.0

    @property
    def num_steps(self) -> int:
        """Denoising steps of a whole restoration, all samples together.

        Example:
            >>> SamplingSettings(num_inference_steps=50, num_refinements=2, strength=0.5).num_steps
            100
        """
        if self.num_inference_steps == 0:
            return 0
        first = int(self.num_inference_steps * self.first_strength)
        of_a_sample = max(1, first) + self.num_refinements * max(1, int(self.num_inference_steps * self.strength))
        return of_a_sample * self.num_samples


def draw_noise(
    latent_shape: Sequence[int], num_chains: int, generators: Sequence[torch.Generator], like: Tensor
) -> Tensor:
    """Draw standard normal latents, rows ``chain * B + image``, on the CPU, so that devices get the same numbers.

    Args:
        latent_shape: Shape (C, h, w) of one image's latents.
        num_chains: Chains of each image.
        generators: One per image.
        like: Gives the device and dtype.
    """
    drawn = [torch.randn(num_chains, *latent_shape, generator=generator) for generator in generators]
    return torch.stack(drawn, dim=1).flatten(0, 1).to(like)
