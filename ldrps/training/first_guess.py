"""Training of the learnt first guess."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation
from degradations.drawing import Generators, generators_for
from ldrps.training.base import Training
from modules.networks.first_guess import FirstGuess, Guess

LIGHT, HAZE = {"low light", "colour cast"}, {"haze", "rain"}
"""Words of the damage that is to be guessed: wrong light, and a veil; dense rain veils as haze does."""


class FirstGuessTraining(Training):
    """Trains the first guess on clean photos that our own degradations damage; no real pairs are used.

    The loss is the error of the restored small copy, so that errors count as they are seen, and the error of the two
    presence logits. What is restored in training is as far believed as the network itself believes it. Photos whose
    light and air are in order count `ordinary_weight` times, since leaving them alone matters most.

    Args:
        degradation: How photos are damaged, what is to be left as it is (noise, coding, blur) included.
        widths: See `FirstGuess`.
        num_blocks: See `FirstGuess`.
        ordinary_weight: Weight of the photos without wrong light or haze.
        presence_weight: Weight of the cross-entropy of the presence.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Folder that receives ``first_guess``.
        seed: See `Training`.
    """

    def __init__(
        self,
        degradation: Degradation,
        widths: tuple[int, ...] = (32, 64, 112),
        num_blocks: int = 2,
        ordinary_weight: float = 3.0,
        presence_weight: float = 0.05,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        warmup_steps: int = 300,
        export_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        self.degradation = degradation
        self.ordinary_weight = ordinary_weight
        self.presence_weight = presence_weight
        network = FirstGuess(widths=tuple(widths), num_blocks=num_blocks)
        self.network = network.to(memory_format=torch.channels_last)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Error of the restored copies and of the presence."""
        target, degraded, present = self._damage(batch["image"], self._generators(len(batch["image"])))
        guess: Guess = self.network(degraded)
        # A small slope beyond white keeps the gradient of what is too bright.
        restored = guess.as_sure().undo(self.network.reduce(degraded))
        error = F.smooth_l1_loss(restored, target, beta=0.05, reduction="none")
        weight = torch.where(present.any(dim=1), 1.0, self.ordinary_weight)
        restoration = (error.mean(dim=(1, 2, 3)) * weight).mean()
        presence = F.binary_cross_entropy_with_logits(guess.presence, present.float())
        self.log("train/restoration", restoration, prog_bar=True)
        self.log("train/presence", presence, prog_bar=True)
        return restoration + self.presence_weight * presence

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Figures on held-out photos: error in decibels by damage, exposure, false alarms, harm to ordinary photos."""
        size = len(batch["image"])
        numbers = range(batch_idx * size, (batch_idx + 1) * size)
        target, degraded, present = self._damage(batch["image"], generators_for(0, numbers))
        guess: Guess = self.network(degraded)
        degraded = self.network.reduce(degraded)
        restored = guess.as_sure().undo(degraded).clamp(0, 1)
        before, after = decibels(degraded, target), decibels(restored, target)
        has_light, has_haze = present.unbind(dim=1)
        stops = (restored.mean(dim=(1, 2, 3)) / target.mean(dim=(1, 2, 3))).log2().abs()
        loss = (before.clamp(max=40) - after.clamp(max=40)).clamp(min=0)
        for name, rows, values in (
            ("light_db", has_light & ~has_haze, after),
            ("light_input_db", has_light & ~has_haze, before),
            ("light_stops", has_light, stops),
            ("haze_db", has_haze & ~has_light, after),
            ("haze_input_db", has_haze & ~has_light, before),
            ("both_db", has_haze & has_light, after),
            ("ordinary_db", ~has_haze & ~has_light, after.clamp(max=50)),
            ("ordinary_loss_db", ~has_haze & ~has_light, loss),
            ("ordinary_false_alarms", ~has_haze & ~has_light, (guess.presence.amax(dim=1) > 0).float()),
            ("missed", has_haze | has_light, (guess.presence.amax(dim=1) < 0).float()),
        ):
            self._log_rows(f"val/{name}", values, rows, prog_bar=name.endswith("_db"))
        if batch_idx == 0:
            self._save_samples(torch.stack([degraded[:12], restored[:12], target[:12]]))

    def export(self, folder: Path) -> None:
        """Write ``first_guess`` in half precision."""
        self.network.half().save_pretrained(folder / "first_guess")

    @torch.no_grad()
    def _damage(self, images: Tensor, generators: Generators) -> tuple[Tensor, Tensor, Tensor]:
        """Small clean copies, degraded photos, and whether light and air are wrong, shape (B, 2)."""
        degraded, words = self._damaged(self.degradation, images, generators)
        present = [[not LIGHT.isdisjoint(own), not HAZE.isdisjoint(own)] for own in words]
        return self.network.reduce(images), degraded, torch.tensor(present, device=images.device)


def decibels(images: Tensor, target: Tensor) -> Tensor:
    """PSNR of each image, shape (B,)."""
    return -10 * (images - target).square().mean(dim=(1, 2, 3)).clamp(min=1e-6).log10()
