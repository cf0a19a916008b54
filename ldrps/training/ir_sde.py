"""Training of the network of the mean-reverting SDE."""

from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation, eight_bit
from degradations.drawing import Generators, coins, generators_for, integers, normal
from ldrps.training.base import Training
from ldrps.training.first_guess import decibels
from modules.networks.da_clip import load_da_clip
from modules.networks.restoration_network import RestorationNetwork
from modules.sde.folder import load_sde, save_sde
from modules.sde.mean_reverting import MeanReverting
from modules.sde.sampling import Embeddings, sample

Objective = Literal["maximum_likelihood", "noise", "x0", "log_x0"]

SMALLEST_L1 = 4 / 255
"""Distance around which the logarithm sets in; were it smaller, what is nearly clean would hold the network back."""

VALIDATION_STEPS = 5
"""Steps of the samples that validation shows."""


class IRSDETraining(Training):
    """Trains a network to lead degraded photos back to clean ones, on clean photos that our own degradations damage.

    Args:
        network: What is trained; a network that takes embeddings needs `da_clip`.
        degradation: How photos are damaged.
        ordinary: What clean photos may have been through, which is to stay (no colour, say); None is nothing.
        scheduler: The SDE; its step rule is the one whose mean the maximum-likelihood objective corrects.
        objective: ``maximum_likelihood`` is the L1 distance of the step's mean to the optimal reverse mean (the
            papers'), ``noise`` that of the predicted noise, ``x0`` that of the predicted clean photo, which gives all
            timesteps the same weight, ``log_x0`` the logarithm of each photo's distance, so that a tenth less error
            counts the same in faint noise as in thick haze; in a plain mean over many kinds of damage those with
            large errors drown the rest (docs/deviations.md).
        last_share: Share of photos at the last timestep, where the sample knows nothing and a single step starts; the
            timesteps of the others are drawn evenly, as those of all photos are in the papers.
        da_clip: DA-CLIP folder; None tells the network nothing.
        embedding_dropout: Share of photos whose embeddings are left out, so that the network also works without.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Folder that receives ``ir_sde``.
        initial_dir: Folder of an IR-SDE whose weights `network` goes on from; None starts anew.
        seed: See `Training`.

    Raises:
        ValueError: If network and `da_clip` do not go together, or `initial_dir` holds another network.

    References:
        Luo et al. 2023, Image Restoration with Mean-Reverting Stochastic Differential Equations, Eq. 14-16; Luo et al.
        2024, Photo-Realistic Image Restoration in the Wild with Controlled Vision-Language Models, Sec. 3.
    """

    def __init__(
        self,
        network: RestorationNetwork,
        degradation: Degradation,
        ordinary: Degradation | None = None,
        scheduler: MeanReverting | None = None,
        objective: Objective = "maximum_likelihood",
        last_share: float = 0.0,
        da_clip: str | None = None,
        embedding_dropout: float = 0.2,
        learning_rate: float = 2e-4,
        weight_decay: float = 0.0,
        warmup_steps: int = 300,
        export_dir: str | None = None,
        initial_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        if (network.embedding_dim is None) != (da_clip is None):
            raise ValueError(
                f"da_clip={da_clip!r} and the network's embedding_dim={network.embedding_dim} do not go together: "
                "give both or neither"
            )
        if initial_dir is not None:
            go_on_from(network, Path(initial_dir))
        self.network = network.to(memory_format=torch.channels_last)
        self.degradation = degradation
        self.ordinary = ordinary
        self.scheduler = scheduler or MeanReverting()
        self.objective = objective
        self.last_share = last_share
        self.da_clip = da_clip
        self.embedding_dropout = embedding_dropout
        # Frozen, so it is no submodule: checkpoints and averages leave it out.
        self._frozen: list[torch.nn.Module] = []

    def setup(self, stage: str) -> None:
        """Read DA-CLIP.

        Raises:
            ValueError: If its embeddings are not as wide as the network takes them.
        """
        if self.da_clip is None or self._frozen:
            return
        da_clip = load_da_clip(self.da_clip)
        width = da_clip.config.clip_config["projection_dim"]
        if width != self.network.embedding_dim:
            raise ValueError(
                f"network.embedding_dim={self.network.embedding_dim}, but DA-CLIP's embeddings are {width}"
            )
        self._frozen.append(da_clip)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Distance to what the objective asks for."""
        generators = self._generators(len(batch["image"]))
        target, mu, _ = self._damage(batch["image"], generators)
        timesteps = self.draw_timesteps(generators)
        noise = normal(generators, *mu.shape[1:]).to(mu)
        kept = (~coins(self.embedding_dropout, generators)).to(mu)[:, None]
        noisy = self.scheduler.add_noise(target, noise, timesteps, mu)
        output = self.network(noisy, mu, timesteps.to(mu), *self._embed(mu, kept)).float()
        loss = self.loss(output, target, noise, noisy, timesteps, mu)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def loss(
        self, output: Tensor, target: Tensor, noise: Tensor, noisy: Tensor, timesteps: Tensor, mu: Tensor
    ) -> Tensor:
        """The objective, a number.

        Args:
            output: What the network says, shape (B, 3, H, W).
            target: Clean photos, same shape.
            noise: The noise in what the network saw, same shape.
            noisy: What the network saw, same shape.
            timesteps: Shape (B,).
            mu: Degraded photos, shape (B, 3, H, W).
        """
        scheduler = self.scheduler
        if self.objective == "x0":
            return F.l1_loss(scheduler.predict_x0(output, noisy, timesteps, mu), target)
        if self.objective == "log_x0":
            distances = (scheduler.predict_x0(output, noisy, timesteps, mu) - target).abs().mean(dim=(1, 2, 3))
            return (distances / SMALLEST_L1).log1p().mean()
        if self.objective == "noise":
            return F.l1_loss(scheduler.predict_noise(output, noisy, timesteps, mu), noise)
        optimum, _ = scheduler.posterior(target, noisy, timesteps, mu)
        mean, _ = scheduler.reverse_mean(output, noisy, timesteps, mu)
        return F.l1_loss(mean, optimum)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """PSNR of one step on held-out photos, the gain over the input by damage, and pictures of sampling."""
        size = len(batch["image"])
        generators = generators_for(0, range(batch_idx * size, (batch_idx + 1) * size))
        target, mu, words = self._damage(batch["image"], generators)
        restored = self._sample(mu, generators, 1)
        before, after = decibels(mu, target).clamp(max=50), decibels(restored, target).clamp(max=50)
        figures = {"val/psnr_db": after.mean(), "val/input_db": before.mean()}
        self.log_dict(figures, prog_bar=True, batch_size=size, sync_dist=True)
        kinds = [own[0].replace(" ", "_") if len(own) == 1 else "mixed" if own else "clean" for own in words]
        for kind in set(kinds):
            rows = torch.tensor([own == kind for own in kinds], device=mu.device)
            # Each process its own: others may have no such photo, and would be waited for for ever.
            self.log(f"val/gain_{kind}_db", (after - before)[rows].mean(), batch_size=int(rows.sum()))
        if batch_idx == 0:
            sampled = self._sample(mu[:8], generators[:8], VALIDATION_STEPS)
            reached = decibels(sampled, target[:8]).mean()
            self.log(f"val/psnr_{VALIDATION_STEPS}_steps_db", reached, batch_size=8, sync_dist=True)
            self._save_samples(torch.stack([mu[:8], restored[:8], sampled, target[:8]]))

    def export(self, folder: Path) -> None:
        """Write ``ir_sde`` in half precision."""
        save_sde(folder / "ir_sde", self.network.half(), self.scheduler)

    def draw_timesteps(self, generators: Generators) -> Tensor:
        """Draw timesteps, shape (B,)."""
        last = self.scheduler.last_timestep
        drawn = integers((1, last), generators)
        return torch.where(coins(self.last_share, generators), last, drawn)

    def _damage(self, images: Tensor, generators: Generators) -> tuple[Tensor, Tensor, list[tuple[str, ...]]]:
        """Clean photos, their damaged copies with 8-bit values, and the words of the damage."""
        target = images if self.ordinary is None else self._damaged(self.ordinary, images, generators)[0]
        degraded, words = self._damaged(self.degradation, target, generators)
        return target, eight_bit(degraded.clamp(0, 1)), words

    @torch.no_grad()
    def _embed(self, degraded: Tensor, kept: Tensor | float = 1.0) -> Embeddings:
        """What the network is told; the embeddings of photos that are not kept, shape (B, 1), are zero."""
        if not self._frozen:
            return Embeddings()
        content, degradation = self._frozen[0].to(degraded.device)(degraded)
        return Embeddings(content * kept, degradation * kept)

    def _sample(self, mu: Tensor, generators: list[torch.Generator], num_steps: int) -> Tensor:
        """Photos restored by the SDE's own step rule."""
        scheduler: MeanReverting = MeanReverting.from_config(self.scheduler.config)
        scheduler.set_timesteps(num_steps)
        return sample(self.network, scheduler, mu, self._embed(mu), generators).clamp(0, 1)


def go_on_from(network: RestorationNetwork, folder: Path) -> None:
    """Give a network the weights of an IR-SDE on disk.

    Raises:
        ValueError: If there is none, or it is of another shape.
    """
    earlier, _ = load_sde(folder)
    try:
        network.load_state_dict(earlier.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"initial_dir={str(folder)!r} holds a network of another shape ({type(earlier).__name__}, "
            f"{sum(weights.numel() for weights in earlier.parameters()):,} weights): give model.network the settings "
            "of its network/config.json"
        ) from error
