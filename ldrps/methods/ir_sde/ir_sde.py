"""IR-SDE as a restorer: a network trained on synthetic damage, sampled with the mean-reverting SDE."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ldrps.data.image_generator import image_generator
from ldrps.methods.economies import Economy
from ldrps.methods.less_memory import less_memory
from ldrps.methods.restorer import Restorer, Step, hash_weights
from modules.backbones.loading import source
from modules.networks.da_clip import DACLIPModel, load_da_clip
from modules.networks.restoration_network import RestorationNetwork
from modules.sde.folder import load_sde
from modules.sde.mean_reverting import MeanReverting, StepRule
from modules.sde.sampling import Embeddings, sample
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
        windows: How pictures are cut that are too large for the network to see at once.
        seed: Seed of the run.

    Raises:
        ValueError: If num_inference_steps is below 1.

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
        windows: WindowSettings = WindowSettings(),
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if num_inference_steps < 1:
            raise ValueError(f"num_inference_steps={num_inference_steps} must be at least 1")
        self.weights = weights
        self.num_inference_steps = num_inference_steps
        self.step_rule = step_rule
        self.da_clip_folder = da_clip
        self.has_embeddings = has_embeddings
        self.windows = windows
        self.network: RestorationNetwork
        self.da_clip: DACLIPModel | None = None

    def load(self) -> None:
        """See `Restorer.load`."""
        if hasattr(self, "network"):
            return
        folder = Path(source(self.weights))
        network, scheduler = load_sde(folder)
        self.scheduler: MeanReverting = MeanReverting.from_config(scheduler.config, step_rule=self.step_rule)
        self.scheduler.set_timesteps(self.num_inference_steps)
        if network.embedding_dim is not None and self.has_embeddings:
            self.da_clip = self._load_da_clip(folder, network.embedding_dim)
        self.network = network

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
        index = iter(range(self.num_inference_steps))

        def observe_step(timestep: float, x0_prediction: Tensor) -> None:
            observe(Step(next(index), self.num_inference_steps, timestep, lambda: x0_prediction.clamp(0, 1)))

        generators = [image_generator(image, self.seed) for image in degraded]
        told = self._embed(degraded)
        restored = sample(self.network, self.scheduler, degraded, told, generators, observe_step, self.windows)
        return restored.clamp(0, 1)

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
                "--model.da_clip, or set --model.has_embeddings false"
            )
        folder = found[0] if self.da_clip_folder is None else Path(source(self.da_clip_folder))
        da_clip = load_da_clip(folder)
        if (width := da_clip.config.clip_config["projection_dim"]) != embedding_dim:
            raise ValueError(
                f"DA-CLIP {str(folder)!r} gives embeddings of {width} numbers, but the network takes {embedding_dim}: "
                "give the DA-CLIP that it was trained with"
            )
        return da_clip
