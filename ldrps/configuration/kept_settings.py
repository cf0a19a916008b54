"""The settings of a run, saved beside what it made, and compared with those of the run that goes on from there."""

import itertools
import json
import sys
from pathlib import Path

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import SaveConfigCallback

from ldrps.callbacks.image_writer import ImageWriter
from ldrps.callbacks.results import Results
from ldrps.configuration.layers import Settings, read_file
from ldrps.data.images import ImageData
from ldrps.results.run_folder import differences

SETTINGS_FILE = "ldrps.config.yaml"
"""Name of the resolved settings beside what was made with them."""

TRAINING_SETTINGS_FILE = "config.yaml"
"""Name of a training's settings in its log folder; checkpoints lie one folder further down."""

RESUMED = ("model", "data", "trainer", "seed_everything")
"""What a training's result depends on."""


class SettingsBesideOutputs(SaveConfigCallback):
    """Saves the resolved settings of a run beside what it made."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save once, as ``ldrps.config.yaml`` for restorations, in the log folder for training."""
        if stage == "fit":
            # Before the new file may take the place of the earlier one.
            if trainer.is_global_zero:
                self._name_changes_of_training()
            super().setup(trainer, pl_module, stage)
            return
        folders = [
            callback.output
            for callback in trainer.callbacks
            if isinstance(callback, ImageWriter | Results) and callback.output is not None
        ]
        if not trainer.is_global_zero:
            return
        if any(isinstance(callback, ImageWriter) and callback.num_kept for callback in trainer.callbacks):
            if isinstance(trainer.datamodule, ImageData) and not trainer.datamodule.files:
                return
            self._name_changes(folders[0] / SETTINGS_FILE)
        for folder in folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self.parser.save(self.config, folder / SETTINGS_FILE, skip_unset=False, overwrite=True)
            except OSError as error:
                raise ValueError(
                    f"output folder {str(folder)!r} cannot be written ({error.strerror}): choose another one"
                ) from error

    def _name_changes_of_training(self) -> None:
        """Say what differs between the settings of a checkpoint and those of the training that goes on from it."""
        checkpoint = self.config.get("ckpt_path")
        earlier = None if checkpoint is None else settings_beside(Path(checkpoint))
        if earlier is None:
            return
        then, here = ({name: one.get(name) for name in RESUMED} for one in (earlier, self._settings()))
        if changes := [*differences(then, here)]:
            listed = "; ".join(change.replace(".init_args", "") for change in changes)
            sys.stderr.write(f"ldrps: {checkpoint} was trained with other settings: {listed}\n")

    def _settings(self) -> Settings:
        settings: Settings = json.loads(self.parser.dump(self.config, format="json", skip_validation=True))
        return settings

    def _name_changes(self, file: Path) -> None:
        """Say what differs between the settings of the pictures that are kept and those of this run."""
        try:
            earlier = read_file(file)
        except ValueError:
            return
        now = self._settings()
        then, here = ({"model": one.get("model"), "trainer": precision_of(one)} for one in (earlier, now))
        if changes := [*differences(then, here)]:
            listed = "; ".join(change.replace(".init_args", "") for change in changes)
            moved = next(name for count in itertools.count(1) if not (name := numbered(file, count)).exists())
            file.replace(moved)
            told = f"pictures that are kept were made with other settings ({moved.name}): {listed}"
            sys.stderr.write(f"ldrps: {told}\n")


def precision_of(settings: Settings) -> Settings:
    """What of a trainer's settings results depend on."""
    return {"precision": settings.get("trainer", {}).get("precision")}


def numbered(file: Path, number: int) -> Path:
    """Name for the settings of an earlier run."""
    return file.with_suffix(f".{number}{file.suffix}")


def settings_beside(checkpoint: Path) -> Settings | None:
    """Settings of the training that wrote a checkpoint; None if they are not where ``ldrps fit`` writes them.

    Raises:
        ValueError: If the file is no YAML mapping.
    """
    file = checkpoint.parent.parent / TRAINING_SETTINGS_FILE
    return read_file(file) if file.is_file() else None
