"""Noise of counting photons."""

from math import ceil, log2

import torch
from kornia.color import rgb_to_grayscale
from torch import Tensor

from degradations.base import Degradation, eight_bit, per_image
from degradations.checks import Interval, check_interval, check_probability
from degradations.drawing import Generators, coins, from_seed, seeds, uniform
from degradations.parameters import Parameters


class PoissonNoise(Degradation):
    """``degraded = clip(image + scale * (Poisson(image * peak) / peak - image))``.

    Args:
        peak: Interval of the photons counted at white; 30 is strong, 1000 weak noise. None counts the image's distinct
            8-bit levels and takes the next power of two, as BasicSR does.
        scale: Interval of a factor of the noise, no unit; 1 is physical.
        grey_probability: How often the noise is that of the grey image, the same in all channels.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Wang et al. 2021, Real-ESRGAN, Sec. 3.1 (the form with `scale`).
    """

    word = "noise"
    is_differentiable = False

    def __init__(
        self, peak: Interval | None = (60.0, 60.0), scale: Interval = (1.0, 1.0), grey_probability: float = 0.0
    ) -> None:
        self.peak = peak if peak is None else check_interval("peak", peak, 1, 1e6)
        self.scale = check_interval("scale", scale, 0, 10)
        self.grey_probability = check_probability("grey_probability", grey_probability)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; peak 0 means: count the levels."""
        return {
            "peak": uniform(self.peak or (0.0, 0.0), generators),
            "scale": uniform(self.scale, generators),
            "is_grey": coins(self.grey_probability, generators),
            "seed": seeds(generators),
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        noises = []
        for row, peak, is_grey, seed in zip(
            image.detach(),
            *(parameters[name].tolist() for name in ("peak", "is_grey")),
            parameters["seed"],
            strict=True,
        ):
            clean = rgb_to_grayscale(row) if is_grey else row
            if peak == 0:
                clean = eight_bit(clean)
                peak = 2 ** ceil(log2(count_levels(clean)))
            # Counted on the CPU, so that a device changes nothing.
            count = torch.poisson((clean * peak).cpu(), generator=from_seed(seed)).to(row)
            noises.append((count / peak - clean).expand_as(row))
        return torch.addcmul(image, per_image(parameters["scale"], image), torch.stack(noises)).clamp_(0, 1)


def count_levels(image: Tensor) -> int:
    """Count the distinct values of an image that holds multiples of 1 / 255."""
    levels = (image * 255).round().flatten().to(torch.int64)
    return int(torch.bincount(levels, minlength=256).count_nonzero())
