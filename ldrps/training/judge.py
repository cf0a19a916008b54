"""Training of the judge of what was undone."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from degradations.base import Degradation, eight_bit
from degradations.drawing import Generators, generators_for
from ldrps.training.base import Training
from ldrps.training.first_guess import HAZE, LIGHT
from modules.alignment.base import Alignment
from modules.alignment.likeliest import likeliest
from modules.backbones.loading import load_frozen
from modules.networks.first_guess import FirstGuess
from modules.networks.judge import Judge

BEST_DB, WORST_DB = 48.0, 5.0
"""Interval of the PSNR that is told apart: the error of one 8-bit level, and one that leaves nothing."""


class Examples(NamedTuple):
    """What candidates made of B photos.

    Attributes:
        features: What the first guess sees in the results, shape (B, candidates, F); the first are the photos as seen.
        decibels: PSNR of small copies of the results, shape (B, candidates).
        ordinary: Which photos' light and air are in order, shape (B,).
    """

    features: Tensor
    decibels: Tensor
    ordinary: Tensor


class JudgeTraining(Training):
    """Trains the judge on what alignment nets make of photos that our own degradations damaged.

    It learns two things of each candidate: its PSNR, and which of a photo's candidates has the highest. The second loss
    is the PSNR that is lost when one is drawn with the probabilities that the answers give. To make an example costs a
    hundred times what it costs to learn from it, so every step learns from many that were made before, too.

    Args:
        degradation: How photos are damaged; those that are spared are what candidates must leave alone.
        candidates: What may have happened, as `modules.alignment.likeliest.Likeliest` chooses from; the first is no
            damage.
        first_guess: Folder of the `FirstGuess` whose features are judged by.
        hidden_dim: See `Judge`.
        choice_weight: Weight of the loss of the choice, beside that of the PSNR, both in units of 10 dB.
        temperature_db: Difference of two answers in dB at which the higher is taken e times as often in training.
        num_remembered: Batches that a step learns from, drawn from those that are kept.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Folder that receives ``judge``.
        seed: See `Training`.
        num_kept: Batches whose examples are kept, in the memory of the computer and in checkpoints (135 kB each for 32
            photos and 4 candidates); of more, the oldest are forgotten.

    Raises:
        ValueError: If `num_kept` is not positive.
    """

    def __init__(
        self,
        degradation: Degradation,
        candidates: Sequence[Alignment],
        first_guess: str,
        hidden_dim: int = 96,
        choice_weight: float = 1.0,
        temperature_db: float = 1.0,
        num_remembered: int = 16,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        warmup_steps: int = 100,
        export_dir: str | None = None,
        seed: int = 0,
        num_kept: int = 2000,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        if num_kept < 1:
            raise ValueError(f"num_kept={num_kept} keeps nothing to learn from: give 1 or more")
        self.degradation = degradation
        # Plain lists and files, so that what is not trained here is not in the checkpoints.
        self.candidates = list(candidates)
        self.first_guess = first_guess
        self.hidden_dim = hidden_dim
        self.choice_weight = choice_weight
        self.temperature_db = temperature_db
        self.num_remembered = num_remembered
        self.memory: deque[Examples] = deque(maxlen=num_kept)

    def configure_model(self) -> None:
        """Read the first guess, and build the judge for its features."""
        if hasattr(self, "network"):
            return
        eyes = load_frozen(FirstGuess, self.first_guess, "first guess", "first_guess", "preset statistics")
        self.eyes = [eyes]
        self.network = Judge(num_features=eyes.num_features, hidden_dim=self.hidden_dim)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Error of the answers, and what the choice they lead to loses."""
        generators = self._generators(len(batch["image"]))
        self.memory.append(Examples(*(values.cpu() for values in self._examples(batch["image"], generators))))
        numbers = torch.randint(len(self.memory), (self.num_remembered,), generator=generators[0])
        drawn = [self.memory[number] for number in numbers]
        features, decibels = (
            torch.cat([getattr(examples, name) for examples in drawn]).to(self.device)
            for name in ("features", "decibels")
        )
        answers = self._judge(features)
        error = F.smooth_l1_loss(answers / 10, decibels / 10, beta=0.3)
        chances = (answers / self.temperature_db).softmax(dim=1)
        lost = (decibels.amax(dim=1) - (chances * decibels).sum(dim=1)).mean() / 10
        self.log("train/error_db", 10 * error, prog_bar=True)
        self.log("train/lost_db", 10 * lost, prog_bar=True)
        return error + self.choice_weight * lost

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """PSNR of the choice on held-out photos, beside the best in hindsight; and ordinary photos that lose by it."""
        size = len(batch["image"])
        generators = generators_for(0, range(batch_idx * size, (batch_idx + 1) * size))
        features, decibels, ordinary = self._examples(batch["image"], generators)
        decibels = decibels.T
        chosen = likeliest(self._judge(features).T)
        reached = decibels.gather(0, chosen[None])[0]
        for kind, rows in (("damaged", ~ordinary), ("ordinary", ordinary)):
            figures = {"chosen": reached, "hindsight": decibels.amax(dim=0)}
            figures |= {f"candidate_{number}": own for number, own in enumerate(decibels)}
            for name, values in figures.items():
                self._log_rows(f"val/{kind}_{name}_db", values, rows, prog_bar=name == "chosen")
        self._log_rows("val/ordinary_harmed", (decibels[0] - reached > 0.5).float(), ordinary, prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the examples, without which a resumed training would learn one batch by heart; the first process's."""
        # Plain tuples, since checkpoints are read without running what they hold.
        checkpoint["memory"] = [tuple(examples) for examples in self.memory]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the examples again; checkpoints of earlier versions hold none, and other candidates' do not fit."""
        super().on_load_checkpoint(checkpoint)
        remembered = [Examples(*values) for values in checkpoint.get("memory", [])]
        self.memory.clear()
        self.memory.extend(own for own in remembered if own.decibels.shape[1] == len(self.candidates))

    def export(self, folder: Path) -> None:
        """Write ``judge`` in half precision."""
        self.network.half().save_pretrained(folder / "judge")

    def _judge(self, features: Tensor) -> Tensor:
        """Answers in dB, shape (B, candidates)."""
        # Nothing is known against the photo as it was seen, which is the first candidate.
        seen = features[:, :1].expand_as(features)
        answers: Tensor = self.network(features, seen)
        return answers

    @torch.no_grad()
    def _examples(self, images: Tensor, generators: Generators) -> Examples:
        """Damage photos, and let every candidate undo what it takes for the damage."""
        degraded, words = self._damaged(self.degradation, images, generators)
        degraded = eight_bit(degraded)
        eyes = self.eyes[0].to(images.device)
        # The statistics of the rules, and dark photos, do not bear half precision.
        with torch.autocast(images.device.type, enabled=False):
            features, decibels = [], []
            for candidate in self.candidates:
                candidate.begin(degraded, generators)
                undone = candidate.invert(degraded)
                error = (eyes.reduce(undone) - eyes.reduce(images)).square().mean(dim=(1, 2, 3))
                features.append(eyes.features(undone))
                decibels.append((-10 * error.clamp(min=1e-9).log10()).clamp(WORST_DB, BEST_DB))
        ordinary = [LIGHT.isdisjoint(own) and HAZE.isdisjoint(own) for own in words]
        return Examples(
            torch.stack(features, dim=1), torch.stack(decibels, dim=1), torch.tensor(ordinary, device=images.device)
        )
