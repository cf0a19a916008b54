"""A trained network of the mean-reverting SDE with its DA-CLIP, ready to restore."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modules.backbones.loading import source
from modules.colourless import without_tint
from modules.networks.da_clip import DACLIPModel, load_da_clip
from modules.sde.folder import load_sde
from modules.sde.mean_reverting import MeanReverting, StepRule
from modules.sde.sampling import Embeddings, sample
from modules.views import check_num_views
from modules.windows import WindowSettings


class Restoration(nn.Module):
    """Leads degraded images back to clean ones along the mean-reverting SDE.

    Args:
        weights: Folder of `save_sde`; ``package:`` paths lie in an installed package.
        num_inference_steps: Steps, at most as many as were trained; one is plain restoration.
        step_rule: ``posterior``, ``euler`` or ``ode``.
        da_clip: DA-CLIP folder; None takes ``da_clip`` in the weights' folder or beside it.
        has_embeddings: Whether a network that takes DA-CLIP's embeddings is told them.
        num_views: Over how many of the eight flips and turns of the image the network's predictions are averaged.
        aligns_blocks: Whether an image that was cut after it was coded as JPEG is moved, for the network's eyes, to
            where its blocks lie as they did in training.

    Raises:
        ValueError: If num_inference_steps is below 1, or num_views outside 1 to 8.
    """

    network: Any
    """The `RestorationNetwork`, there once its weights are read."""

    def __init__(
        self,
        weights: str,
        num_inference_steps: int = 1,
        step_rule: StepRule = "posterior",
        da_clip: str | None = None,
        has_embeddings: bool = True,
        num_views: int = 1,
        aligns_blocks: bool = True,
    ) -> None:
        super().__init__()
        if num_inference_steps < 1:
            raise ValueError(f"num_inference_steps={num_inference_steps} must be at least 1")
        self.weights = weights
        self.num_inference_steps = num_inference_steps
        self.step_rule = step_rule
        self.da_clip_folder = da_clip
        self.has_embeddings = has_embeddings
        self.num_views = check_num_views(num_views)
        self.aligns_blocks = aligns_blocks
        self.da_clip: DACLIPModel | None = None

    def load(self) -> None:
        """Read weights; does nothing the second time.

        Raises:
            ValueError: If they are missing or do not fit; one sentence with the remedy.
        """
        if hasattr(self, "network"):
            return
        folder = Path(source(self.weights))
        network, scheduler = load_sde(folder)
        self.scheduler: MeanReverting = MeanReverting.from_config(scheduler.config, step_rule=self.step_rule)
        self.scheduler.set_timesteps(self.num_inference_steps)
        if network.embedding_dim is not None and self.has_embeddings:
            self.da_clip = self._load_da_clip(folder, network.embedding_dim)
        self.network = network

    @torch.no_grad()
    def forward(
        self,
        degraded: Tensor,
        generators: Sequence[torch.Generator],
        windows: WindowSettings,
        observe: Callable[[float, Tensor], None] = lambda timestep, x0_prediction: None,
    ) -> Tensor:
        """Restore images.

        Args:
            degraded: Shape (B, 3, H, W), range [0, 1], any H and W.
            generators: One an image.
            windows: How images are cut that the network does not see at once.
            observe: Sees timestep and x0 prediction of every step.

        Returns:
            The restored images, same shape and range.
        """
        self.load()
        self.to(degraded)
        told = self._embed(degraded)
        restored = sample(
            self.network,
            self.scheduler,
            degraded,
            told,
            list(generators),
            observe,
            windows,
            self.num_views,
            self.aligns_blocks,
        )
        return without_tint(restored.clamp(0, 1), degraded)

    def _embed(self, degraded: Tensor) -> Embeddings:
        # A picture smaller than a patch says nothing to DA-CLIP, and the networks do without.
        if self.da_clip is None or min(degraded.shape[-2:]) < self.da_clip.patch_size:
            return Embeddings()
        return Embeddings(*self.da_clip(degraded))

    def _load_da_clip(self, weights: Path, embedding_dim: int) -> DACLIPModel:
        beside = (weights / "da_clip", weights.parent / "da_clip")
        found = [folder for folder in beside if (folder / "config.json").is_file()]
        if self.da_clip_folder is None and not found:
            raise ValueError(
                f"no DA-CLIP lies in {str(weights)!r} or beside it, which its network is told by: give its folder with "
                "--model.da_clip (--model.output.da_clip of an output), or set --model.has_embeddings false"
            )
        folder = found[0] if self.da_clip_folder is None else Path(source(self.da_clip_folder))
        da_clip = load_da_clip(folder)
        if (width := da_clip.config.clip_config["projection_dim"]) != embedding_dim:
            raise ValueError(
                f"DA-CLIP {str(folder)!r} gives embeddings of {width} numbers, but the network takes {embedding_dim}: "
                "give the DA-CLIP that it was trained with"
            )
        return da_clip
