"""Checkpoints of trainings, and the settings that lie beside them."""

from collections.abc import Sequence
from pathlib import Path

from ldrps.configuration.kept_settings import TRAINING_SETTINGS_FILE, settings_beside
from ldrps.configuration.layers import merged
from ldrps.configuration.lightning_cli import Check, run
from ldrps.data.checkpoint_files import read_checkpoint
from ldrps.training.base import Training


class Exporting(Check):
    """Makes a training, gives it the weights of `ckpt_path` and exports them, instead of going on with it."""

    def _run_subcommand(self, subcommand: str) -> None:
        training, file = self.model, Path(self.config[subcommand].ckpt_path)
        checkpoint = read_checkpoint(file)
        if not isinstance(training, Training) or training.export_dir is None:
            raise ValueError(
                f"checkpoint {str(file)!r} belongs to no training of ldrps.training, so nothing is exported"
            )
        if training.exports_with_photos:
            # The others can be exported where the photos are not.
            self.datamodule.setup("fit")
            training.trainer = self.trainer
            self.trainer.datamodule = self.datamodule  # type: ignore[attr-defined]
        training.configure_model()
        training.on_load_checkpoint(checkpoint)
        try:
            # Lightning's averages lie where the weights usually lie, and those of the last step beside them.
            training.load_state_dict(checkpoint["state_dict"])
        except RuntimeError as error:
            raise ValueError(
                f"checkpoint {str(file)!r} does not fit the settings beside it: {' '.join(str(error).split())[:160]}"
            ) from error
        training.export_into(Path(training.export_dir))


def export(checkpoint: Path, output: Path, changes: Sequence[str] = ()) -> int:
    """Export the weights of a checkpoint as its training would in the end.

    Args:
        checkpoint: File that ``ldrps fit`` wrote.
        output: Pipeline folder.
        changes: Changes to the training's settings, as on the command line.

    Returns:
        The step at which it was written.

    Raises:
        ValueError: If the checkpoint or the settings beside it are missing or do not fit each other.
    """
    step: int = read_checkpoint(checkpoint)["global_step"]
    settings = settings_beside(checkpoint)
    if settings is None:
        raise ValueError(
            f"no {TRAINING_SETTINGS_FILE} lies in {str(checkpoint.parent.parent)!r}, which says what was trained: "
            "leave the checkpoint in the folder that `ldrps fit` wrote"
        )
    kept = {name: value for name, value in settings.items() if name in ("model", "data")}
    own = {"ckpt_path": str(checkpoint), "model": {"init_args": {"export_dir": str(output)}}}
    run("fit", merged(kept, own, "the command"), changes, command_line=Exporting)
    return step
