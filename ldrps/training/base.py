"""What the trainings of the embedded models share."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from rich.console import Console
from torch import Tensor

from degradations.base import Degradation, exact
from degradations.drawing import Generators, generators_for
from ldrps.data.image_files import write_picture
from ldrps.training.earlier_checkpoints import in_two_groups
from ldrps.training.parts import write_parts
from ldrps.training.timed import timed_spans
from modules.pictures import to_pil


class Training(LightningModule):
    """What the trainings share: AdamW, a cosine over its length, repeatable validation, sample pictures, export.

    Args:
        learning_rate: Peak learning rate.
        weight_decay: AdamW's weight decay.
        warmup_steps: Steps of linear warm-up; 0 is none.
        export_dir: Pipeline folder that receives the trained part in half precision; an earlier one is kept beside it
            as ``NAME.before``. None exports nothing.
        seed: Seed of what training steps draw, damage and noise above all. It depends on the seed, the number of the
            step and the process, so that an interrupted training goes on with what it would have drawn.

    Attributes:
        exports_with_photos: Whether what is exported depends on the photos too, which the trainer then has to know.

    Raises:
        ValueError: If `warmup_steps` is negative.
    """

    exports_with_photos = False

    def __init__(
        self,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        warmup_steps: int = 100,
        export_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if warmup_steps < 0:
            raise ValueError(f"warmup_steps={warmup_steps} is negative: give 0 for no warm-up, or a number of steps")
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup_steps = warmup_steps
        self.export_dir = export_dir
        self.seed = seed

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with warm-up and a cosine that ends with steps, epochs or ``max_time``, whichever come first."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        # Biases, norms and scales are no weights of anything, and would only be pulled off their place.
        decaying, others = ([each for each in parameters if (each.ndim > 1) == decays] for decays in (True, False))
        groups = [{"params": decaying, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from checkpoints of earlier versions too, whose parameters are one group, whether they decay or not."""
        if type(self).configure_optimizers is not Training.configure_optimizers:
            return
        in_two_groups(checkpoint, [parameter.ndim > 1 for parameter in self.parameters() if parameter.requires_grad])

    def on_validation_start(self) -> None:
        """Every validation sees the same noise, so that its figures can be compared; noise is drawn on the CPU."""
        self._random_state = torch.get_rng_state()
        # Not torch.manual_seed, which would seed the devices too, and training goes on with their random numbers.
        torch.default_generator.manual_seed(0)

    def on_validation_end(self) -> None:
        """Training goes on with its own random numbers."""
        torch.set_rng_state(self._random_state)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Remember the batch, in case its loss is not finite."""
        self._batch = batch

    def on_before_backward(self, loss: Tensor) -> None:
        """Stop before a loss that is not finite spoils the weights.

        Raises:
            ValueError: If it is; the batch has been saved.
        """
        if bool(loss.isfinite()):
            return
        folder = Path(self.trainer.log_dir or self.trainer.default_root_dir)
        file = folder / f"not_finite-{self.global_step:06d}.pt"
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self._batch, file)
        raise ValueError(
            f"the loss of step {self.global_step} is {loss.item()}: the batch lies in {str(file)!r} "
            "(torch.load); go on from the last checkpoint with a lower model.learning_rate or trainer.precision 32"
        )

    def on_train_end(self) -> None:
        """Export once, with the averaged weights if a callback put them in place."""
        if self.export_dir is not None and self.trainer.is_global_zero:
            self.export_into(Path(self.export_dir))

    def export_into(self, folder: Path) -> None:
        """Export into a pipeline folder, and say where that is and where an earlier part lies now."""
        kept = write_parts(folder, self.export)
        before = f"; what was there before is in {', '.join(map(str, kept))}" if kept else ""
        # Nobody who listens any more is no reason for a long training to fail at its end.
        with suppress(BrokenPipeError):
            Console().print(f"what was trained is in {folder}{before}", highlight=False, soft_wrap=True, markup=False)

    def export(self, folder: Path) -> None:
        """Write the trained part into a folder, in half precision; from there it is moved into its pipeline folder."""
        raise NotImplementedError

    def _learning_rate_factor(self, step: int) -> float:
        warmup = min(1.0, (step + 1) / max(1, self.warmup_steps))
        return warmup * (0.02 + 0.98 * float(torch.cos(torch.tensor(self._share_done(step) * torch.pi / 2)) ** 2))

    def _share_done(self, step: int) -> float:
        # Infinite where nothing but time ends the training.
        shares = [step / max(1, self.trainer.estimated_stepping_batches)]
        shares += [elapsed / (elapsed + left) for elapsed, left in timed_spans(self.trainer)]
        return min(1.0, max(shares))

    def _generators(self, count: int) -> list[torch.Generator]:
        """Generators of one training step, one a photo."""
        step = self.trainer.fit_loop.epoch_loop.total_batch_idx * self.trainer.world_size + self.trainer.global_rank
        return generators_for(self.seed, range(step * count, (step + 1) * count))

    @staticmethod
    @torch.no_grad()
    def _damaged(
        degradation: Degradation, images: Tensor, generators: Generators
    ) -> tuple[Tensor, list[tuple[str, ...]]]:
        """Damaged copies of photos, and the words of the damage."""
        with exact(images):
            parameters = degradation.sample_parameters(generators)
        return degradation.apply(images, parameters), degradation.words(parameters)

    def _log_rows(self, name: str, values: Tensor, rows: Tensor, prog_bar: bool = False) -> None:
        """Log the mean of some rows of a validation batch over all processes; nothing if none of them has any."""
        # If each process logged its own, those without such rows would let the others wait for ever.
        own = torch.stack([values[rows].sum(), rows.sum().to(values)])
        everywhere: Any = self.all_gather(own)
        total, count = everywhere.reshape(-1, 2).sum(dim=0)
        if count:
            self.log(name, total / count, prog_bar=prog_bar, batch_size=int(count), sync_dist=True)

    def _save_samples(self, images: Tensor) -> None:
        """Write a grid of pictures, shape (rows, columns, 3, H, W), beside the logs."""
        if self.trainer.log_dir is None or not self.trainer.is_global_zero:
            return
        grid = torch.cat([torch.cat(list(row), dim=2) for row in images], dim=1)
        name = f"{type(self).__name__.lower()}-{self.global_step:06d}.png"
        write_picture(to_pil(grid), Path(self.trainer.log_dir) / "samples" / name)


def existing_folder(setting: str, folder: str) -> Path:
    """The folder that a setting names; a library would take what does not exist for a name of the hub.

    Raises:
        ValueError: If there is none.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ValueError(f"{setting}={folder!r} is no folder: give one that an earlier training exported")
    return path
