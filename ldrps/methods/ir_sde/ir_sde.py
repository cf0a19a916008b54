"""IR-SDE as a restorer: a network trained on synthetic damage, sampled with the mean-reverting SDE."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ldrps.data.image_generator import image_generator
from ldrps.methods.economies import Economy
from ldrps.methods.hash_weights import hash_weights
from ldrps.methods.less_memory import less_memory
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step
from modules.sde.mean_reverting import StepRule
from modules.sde.restoration import Restoration
from modules.windows import WindowSettings


class IRSDE(Restorer):
    """Restores images by leading them back along the mean-reverting SDE.

    Args:
        weights: Folder that ``ldrps fit --config train/ir_sde`` or ``ldrps convert`` made; ``package:`` paths lie in an
            installed package.
        num_inference_steps: Steps, at most as many as were trained; one is plain restoration.
        step_rule: ``posterior`` (no noise in the last step), ``euler`` (of the SDE) or ``ode`` (probability flow).
        da_clip: DA-CLIP folder; None takes ``da_clip`` in the weights' folder or beside it.
        has_embeddings: Whether a network that takes DA-CLIP's embeddings is told them.
        num_views: Over how many of the eight flips and turns of the photo the network's predictions are averaged; the
            first four are flips. Each costs as much as a step without it.
        aligns_blocks: Whether a photo that was cut after it was coded as JPEG is moved, for the network's eyes, to
            where its blocks lie as they did in training.
        windows: How pictures are cut that are too large for the network to see at once.
        seed: Seed of the run.

    Raises:
        ValueError: If num_inference_steps is below 1, or num_views outside 1 to 8.

    References:
        Luo et al. 2024, Photo-Realistic Image Restoration in the Wild with Controlled Vision-Language Models.
    """

    def __init__(
        self,
        weights: str = "package:ldrps/pretrained/mini/ir_sde",
        num_inference_steps: int = 5,
        step_rule: StepRule = "posterior",
        da_clip: str | None = None,
        has_embeddings: bool = True,
        num_views: int = 1,
        aligns_blocks: bool = True,
        windows: WindowSettings = WindowSettings(),
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.restoration = Restoration(
            weights, num_inference_steps, step_rule, da_clip, has_embeddings, num_views, aligns_blocks
        )
        self.windows = windows

    def load(self) -> None:
        """See `Restorer.load`."""
        self.restoration.load()

    def weights_sha256(self) -> str:
        """See `Restorer.weights_sha256`."""
        self.load()
        return hash_weights(self)

    def economies(self, degraded: Tensor) -> Iterable[Economy]:
        """See `Restorer.economies`."""
        height, width = degraded.shape[-2:]
        return less_memory(self, (height, width), degraded.device)

    @torch.no_grad()
    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """See `Restorer.restore`."""
        count = self.restoration.num_inference_steps
        index = iter(range(count))

        def observe_step(timestep: float, x0_prediction: Tensor) -> None:
            observe(Step(next(index), count, timestep, lambda: x0_prediction.clamp(0, 1)))

        generators = [image_generator(image, self.seed) for image in degraded]
        restored: Tensor = self.restoration(degraded, generators, self.windows, observe_step)
        return restored
