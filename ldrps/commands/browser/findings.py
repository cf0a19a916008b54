"""What was found in a photo and changed, in plain words, measured on the two pictures."""

from collections.abc import Sequence
from math import log2

import numpy as np
from kornia.color import rgb_to_grayscale
from torch import Tensor

from modules.noise_level import noise_level

LITTLE_NOISE, MUCH_NOISE = 3, 15
"""Levels of 255 from which noise is seen at a second look, and at once."""

VISIBLE_LIGHT = 0.2
"""Doublings of brightness that people notice."""

VISIBLE_HAZE = 0.06
"""Rise of the darkest parts, as a share of white, that reads as a veil."""

VISIBLE_CHANGE = 1 / 255
"""Mean change of a pixel below which a photo counts as left alone."""


def findings(
    degraded: Tensor, restored: Tensor, prompt: str = "", words: Sequence[str] = (), remark: str = ""
) -> list[str]:
    """Describe what was found.

    Args:
        degraded: Shape (3, H, W), range [0, 1].
        restored: The same photo restored.
        prompt: What the prior says it shows.
        words: What the prior says is wrong with it.
        remark: What the method has to say of it.
    """
    told = [f"{remark[0].upper()}{remark[1:]}."] if remark else []
    told += [f"Shows, as the prior says: {prompt}."] if prompt else []
    told += [f"Looks, as the prior says, like: {', '.join(words)}."] if words else []
    before, after = degraded[None], restored[None]
    measured = [sentence for sentence in (light(before, after), haze(before, after), noise(before, after)) if sentence]
    if float((degraded - restored).abs().mean()) < VISIBLE_CHANGE:
        measured = ["Nothing wrong was found: the photo is left as it is, or nearly."]
    return told + (measured or ["Changed a little; neither light nor haze nor noise stood out."])


def light(before: Tensor, after: Tensor) -> str:
    """How much brighter or darker it became."""
    means = [float(rgb_to_grayscale(image).mean()) for image in (before, after)]
    doublings = log2((means[1] + 1e-3) / (means[0] + 1e-3))
    if abs(doublings) < VISIBLE_LIGHT:
        return ""
    wrong, done = ("little", "brighter") if doublings > 0 else ("much", "darker")
    return f"Light: too {wrong}; {2 ** abs(doublings):.1f} times {done} now."


def haze(before: Tensor, after: Tensor) -> str:
    """How far the darkest parts went down, which haze had lifted."""
    darkest = [float(np.quantile(image.amin(dim=1).cpu().numpy(), 0.02)) for image in (before, after)]
    if darkest[0] - darkest[1] < VISIBLE_HAZE:
        return ""
    return f"Haze: a veil lay over it; its darkest parts went from {darkest[0]:.0%} of white to {darkest[1]:.0%}."


def noise(before: Tensor, after: Tensor) -> str:
    """How much noise there was, and is."""
    levels = [255 * float(noise_level(rgb_to_grayscale(image))) for image in (before, after)]
    if levels[0] < LITTLE_NOISE:
        return ""
    kind = "much" if levels[0] >= MUCH_NOISE else "some"
    return f"Noise: {kind}, about {levels[0]:.0f} of 255 levels; {levels[1]:.0f} are left."
