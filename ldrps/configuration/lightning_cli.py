"""LightningCLI with this project's presets, callbacks and defaults."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from ldrps.callbacks.failures import Failures
from ldrps.callbacks.image_writer import ImageWriter
from ldrps.callbacks.results import Results
from ldrps.callbacks.sampling_progress import SamplingProgress
from ldrps.callbacks.tracking import Tracking
from ldrps.configuration.presets import find_preset, find_prior, preset_model
from ldrps.data.samples import Record
from ldrps.methods.comparison import Comparison
from ldrps.methods.restorer import Restorer

RESTORING = ("predict", "test")

DEFAULT_DATA = {
    "predict": "ldrps.data.images.ImageData",
    "test": "ldrps.data.pairs.PairedData",
    "fit": "ldrps.data.photos.PhotoData",
    "validate": "ldrps.data.photos.PhotoData",
}
"""What `--data` is where neither a file nor the command line says so."""


class InterruptError(Exception):
    """The user stopped the run."""


class SettingsBesideOutputs(SaveConfigCallback):
    """Saves the resolved settings of a run beside what it made."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save once, as ``ldrps.config.yaml`` for restorations, in the log folder for training."""
        if stage == "fit":
            super().setup(trainer, pl_module, stage)
            return
        folders = [
            callback.output
            for callback in trainer.callbacks
            if isinstance(callback, ImageWriter | Results) and callback.output is not None
        ]
        if not trainer.is_global_zero:
            return
        for folder in folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self.parser.save(self.config, folder / "ldrps.config.yaml", skip_unset=False, overwrite=True)
            except OSError as error:
                raise ValueError(
                    f"output folder {str(folder)!r} cannot be written ({error.strerror}): choose another one"
                ) from error


class CommandLine(LightningCLI):
    """Lightning's verbs for restorers and trainings."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what writes and scores, and the defaults a test-time optimisation needs."""
        parser.add_lightning_class_args(ImageWriter, "writer")
        parser.add_lightning_class_args(Results, "results")
        parser.add_lightning_class_args(Tracking, "wandb")
        parser.set_defaults({"trainer.inference_mode": False})

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer; restorations show their own progress and log only where a logger is asked for."""
        if self.subcommand not in RESTORING:
            return super().instantiate_trainer(**kwargs)
        trainer = self.config_init[self.subcommand].trainer
        progress = [] if trainer.enable_progress_bar is False else [SamplingProgress()]
        trainer.callbacks = [*(trainer.callbacks or []), *progress, Failures()]
        # Every picture is written as it is finished; keeping all of them would fill the memory.
        if self.subcommand == "predict":
            self.config_init.predict.return_predictions = False
        else:
            # The data modules give each process its own part; Lightning's sampler would repeat images.
            trainer.use_distributed_sampler = False
        if trainer.logger is True or trainer.logger is None:
            trainer.logger = False
        return super().instantiate_trainer(enable_model_summary=False, enable_checkpointing=False, **kwargs)

    def instantiate_classes(self) -> None:
        """Make everything, and tell the results what the restorers' settings are."""
        super().instantiate_classes()
        if self.subcommand != "test":
            return
        model = json.loads(self._parser("test").dump(self.config.test, format="json", skip_validation=True))["model"]
        settings = {self.model.name: model}
        if isinstance(self.model, Comparison):
            settings = model["init_args"]["restorers"]
        for callback in self.trainer.callbacks:
            if isinstance(callback, Results):
                callback.restorer_settings = settings


def comparison(configs: Sequence[str], settings: Sequence[str], with_baselines: bool) -> str:
    """Put the restorers of several presets into one, as a value for ``--model``.

    Args:
        configs: Preset names or files; one may hold a comparison itself.
        settings: Changes to each of them, such as ``--model.seed=3``.
        with_baselines: Add the simple tools.

    Raises:
        ValueError: If two restorers would share a name, or a preset is wrong.
    """
    restorers: dict[str, Any] = {}
    for config in [*configs, *(["baselines"] if with_baselines else [])]:
        is_plain = config == "baselines"
        model = preset_model(config, () if is_plain else resolve_presets([*settings]))
        name = Path(config).stem
        members = {name: model}
        if model["class_path"].rpartition(".")[2] == Comparison.__name__:
            members = model["init_args"]["restorers"]
        if shared := sorted(members.keys() & restorers.keys()):
            raise ValueError(f"two restorers are called {shared[0]!r}: rename a config file")
        restorers |= members
    return json.dumps({"class_path": "ldrps.methods.comparison.Comparison", "init_args": {"restorers": restorers}})


def run(argv: list[str]) -> list[Record]:
    """Run one of Lightning's verbs.

    Args:
        argv: The verb and its options; values of ``--config`` may be preset names.

    Returns:
        What became of each image, without the images; empty for trainings.

    Raises:
        jsonargparse.ArgumentError: If an option is wrong.
        ValueError: If an input or setting is wrong.
        InterruptError: If the user stopped the run.
    """
    try:
        command_line = CommandLine(
            LightningModule,
            LightningDataModule,
            save_config_callback=SettingsBesideOutputs,
            save_config_kwargs={"overwrite": True},
            seed_everything_default=False,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            parser_kwargs={"parser_mode": "omegaconf+", "exit_on_error": False}
            | {verb: {"parser_mode": "omegaconf+", "exit_on_error": False} for verb in CommandLine.subcommands()},
            # First, so that any later file or option replaces it.
            args=[argv[0], "--data", DEFAULT_DATA[argv[0]], *resolve_presets(argv[1:])],
        )
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code in (0, None):
            raise
        raise InterruptError from error
    model = command_line.model
    return model.records if isinstance(model, Restorer) else []


def resolve_presets(argv: list[str]) -> list[str]:
    """Replace preset names after ``--config`` and ``--model.prior`` by the files they stand for.

    Raises:
        ValueError: If a config is neither a file nor a preset.
    """
    resolved: list[str] = []
    for position, argument in enumerate(argv):
        previous = argv[position - 1] if position else ""
        option, separator, value = argument.partition("=")
        if previous in {"--config", "-c"}:
            argument = str(find_preset(argument))
        elif option == "--config" and separator:
            argument = f"--config={find_preset(value)}"
        elif previous == "--model.prior":
            argument = find_prior(argument)
        elif option == "--model.prior" and separator:
            argument = f"--model.prior={find_prior(value)}"
        resolved.append(argument)
    return resolved
