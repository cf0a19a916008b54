"""Training of what tells noise from texture."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation, eight_bit
from degradations.drawing import Generators, generators_for, normal
from ldrps.training.base import Training
from modules.networks.noise_share import NoiseShare
from modules.outputs.photo_noise import levels_by_scale, levels_of
from modules.outputs.undone_noise import OPPONENT, rotated

HEARD = 1.5 / 255
"""Level below which nobody asks whether it is noise."""


class NoiseShareTraining(Training):
    """Trains `NoiseShare` on photos with and without noise.

    The target is the level of the noise that was added, measured alone, over the level that the noisy photo seems to
    have, at each of three scales; the loss its cross-entropy.

    Args:
        ordinary: What photos without noise may have been through: other cameras, resizing, too little light.
        noise: How noise comes about.
        hidden_dim: See `NoiseShare`.
        jitter: Standard deviation of the logarithms that training adds to the levels, so that none is leant on alone.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Folder that receives ``noise_share``.
        seed: See `Training`.
    """

    def __init__(
        self,
        ordinary: Degradation,
        noise: Degradation,
        hidden_dim: int = 64,
        jitter: float = 0.05,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        warmup_steps: int = 100,
        export_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        self.ordinary = ordinary
        self.noise = noise
        self.jitter = jitter
        self.network = NoiseShare(hidden_dim=hidden_dim)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Cross-entropy of the share of noise."""
        generators = self._generators(len(batch["image"]))
        levels, share = self._examples(batch["image"], generators)
        jitter = (self.jitter * normal(generators * 2, *levels.shape[1:]).to(levels)).exp()
        error = F.binary_cross_entropy_with_logits(self.network(levels * jitter), share, reduction="none")
        loss = (error * (levels[..., : error.shape[2]] > HEARD)).mean()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Figures on held-out photos, of brightness: texture that is taken for noise, noise that is found."""
        size = len(batch["image"])
        levels, share = self._examples(
            batch["image"], generators_for(0, range(batch_idx * size, (batch_idx + 1) * size))
        )
        found = self.network(levels).sigmoid()
        for scale, name in enumerate(("fine", "coarse", "coarser")):
            heard = (levels[..., scale] > HEARD).flatten()
            self._log_rows(f"val/error_{name}", (found - share)[..., scale].abs().flatten(), heard)
        found, level, share = found[:, 0, 0], levels[:, 0, 0], share[:, 0, 0]
        true_level = 255 * level * share
        for name, rows in (
            ("false_alarms", share == 0),
            ("found_at_3_to_6", (true_level > 3) & (true_level <= 6)),
            ("found_at_6_to_12", (true_level > 6) & (true_level <= 12)),
            ("found_above_12", true_level > 12),
        ):
            is_called_noise = (found > 0.5) & (level > 3 / 255)
            self._log_rows(f"val/{name}", is_called_noise.float(), rows, prog_bar=True)

    def export(self, folder: Path) -> None:
        """Write ``noise_share`` in half precision."""
        self.network.half().save_pretrained(folder / "noise_share")

    @torch.no_grad()
    def _examples(self, images: Tensor, generators: Generators) -> tuple[Tensor, Tensor]:
        """Levels, shape (2 B, C, L), and shares, shape (2 B, C, S), of photos without noise, then with it."""
        opponent = images.new_tensor(OPPONENT)
        clean = eight_bit(self._damaged(self.ordinary, images, generators)[0])
        noisy = eight_bit(self._damaged(self.noise, clean, generators)[0])
        # Half precision rounds as coarsely as faint noise is strong.
        with torch.autocast(images.device.type, enabled=False):
            levels = torch.cat([levels_of(rotated(each, opponent)) for each in (clean, noisy)])
            added = levels_by_scale(rotated(noisy - clean, opponent))
        seeming = levels[len(clean) :, :, : added.shape[2]]
        share = (added / seeming.clamp(min=1e-6)).clamp(max=1)
        return levels, torch.cat([torch.zeros_like(share), share])
