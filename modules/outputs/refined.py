"""Another output, and what a network trained on synthetic damage makes of it."""

from typing import Any

import torch
from torch import Tensor

from modules.alignment.framing import is_plain
from modules.backbones.precision import Precision
from modules.outputs.base import Output, Undo, UndoAt
from modules.outputs.denoised import Denoised
from modules.sde.restoration import Restoration
from modules.windows import WindowSettings

WINDOWS = WindowSettings(side_px=160, overlap_px=32)
"""What the network sees at once. Its channel attention takes means over all it sees; it was trained on crops of 96
pixels, and works best on windows that are not much larger."""


class Refined(Output, Precision):
    """out = x + w (f(x) - x), with x another output and f the IR-SDE's network, in one step.

    Undoing light and haze and taking noise away is what a posterior can be asked for; rain, blur, coding and low
    resolution, which no alignment net describes, are left for a network that was trained on them. Where it hardly
    changes a photo there was nothing to restore, and w fades to nothing; so it is in a plain picture.

    Args:
        first: The output that is refined.
        weights: Folder of the IR-SDE; ``package:`` paths lie in an installed package.
        da_clip: DA-CLIP folder; None takes the one beside the weights.
        least_change: Root mean square of a photo's change, in image units, up to which it stays as it is; from twice
            as much on all of the change is taken.
        num_views: Over how many of the eight flips and turns of the photo the network's answers are averaged; the first
            four are flips.

    Raises:
        ValueError: If least_change is negative, or num_views outside 1 to 8.

    References:
        Luo et al. 2023, Image Restoration with Mean-Reverting Stochastic Differential Equations (the network). Chu et
        al. 2022, Improving Image Restoration by Revisiting Global Information Aggregation (windows as in training).
    """

    def __init__(
        self,
        first: Output | None = None,
        weights: str = "package:ldrps/pretrained/mini/ir_sde",
        da_clip: str | None = None,
        least_change: float = 0.01,
        num_views: int = 2,
    ) -> None:
        super().__init__()
        if least_change < 0:
            raise ValueError(f"least_change={least_change} must not be negative")
        self.first = Denoised() if first is None else first
        self.uses_sample = self.first.uses_sample
        self.restoration = Restoration(weights, da_clip=da_clip, num_views=num_views)
        self.least_change = least_change

    def load(self) -> None:
        """See `Output.load`."""
        self.first.load()
        self.restoration.load()

    def in_windows(self, decoded: Tensor, degraded: Tensor, undo_at: UndoAt, side_px: int | None) -> Tensor:
        """See `Output.in_windows`; the network always has windows of its own."""
        return self._refine(self.first.in_windows(decoded, degraded, undo_at, side_px))

    def forward(self, decoded: Tensor, degraded: Tensor, undo: Undo, facts: Any = None) -> Tensor:
        """See `Output.forward`."""
        return self._refine(self.first(decoded, degraded, undo, facts))

    def _refine(self, images: Tensor) -> Tensor:
        images = images.clamp(0, 1)
        change = self.precisely(self._restored, images) - images
        size = change.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        share = (size / max(self.least_change, 1e-9) - 1).clamp(0, 1)
        # In a plain picture there is nothing to see, and the network makes a grey one of a black one.
        return images + torch.where(is_plain(images).view(-1, 1, 1, 1), 0, share) * change

    def _restored(self, images: Tensor) -> Tensor:
        # What the network starts from is noise about the image; the same for every image, since nothing is drawn here.
        generators = [torch.Generator().manual_seed(0) for _ in images]
        restored: Tensor = self.restoration(images, generators, WINDOWS)
        return restored
