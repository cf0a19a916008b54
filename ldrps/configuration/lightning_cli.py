"""LightningCLI with this project's presets, callbacks and defaults."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from ldrps.callbacks.failures import Failures
from ldrps.callbacks.forecasting import Forecasting
from ldrps.callbacks.image_writer import ImageWriter
from ldrps.callbacks.results import Results
from ldrps.callbacks.sampling_progress import SamplingProgress
from ldrps.callbacks.tracking import Tracking
from ldrps.callbacks.training_progress import TrainingProgress
from ldrps.configuration.devices import check_devices
from ldrps.configuration.handing_down import hand_down
from ldrps.configuration.hints import with_hint
from ldrps.configuration.kept_parts import KEPT, KeptParts
from ldrps.configuration.kept_settings import TRAINING_SETTINGS_FILE, SettingsBesideOutputs
from ldrps.configuration.layers import Settings, merged
from ldrps.configuration.presets import with_priors
from ldrps.configuration.purposes import DEFAULT_DATA
from ldrps.configuration.texts import keep_texts
from ldrps.configuration.whole_names import WholeNames
from ldrps.data.checkpoint_files import read_checkpoint
from ldrps.data.samples import Record
from ldrps.data.shards import in_process_group
from ldrps.methods.comparison import Comparison
from ldrps.methods.restorer import Restorer

RESTORING = ("predict", "test")

DOES_NOT_FIT = ("loading state_dict", "loaded state dict", "contains only the model")
"""What torch and Lightning say of a checkpoint of another model, of another optimiser, and of weights alone."""


class Parser(WholeNames, LightningArgumentParser):
    """Lightning's parser for whole names."""


class CommandLine(LightningCLI):
    """Lightning's verbs for restorers and trainings.

    Args:
        parts: What builds the parts of the run, or takes them over from an earlier one; None builds everything.
        **settings: See `LightningCLI`.
    """

    def __init__(self, *arguments: Any, parts: KeptParts | None = None, **settings: Any) -> None:
        self.parts = parts
        super().__init__(*arguments, **settings)

    def init_parser(self, **settings: Any) -> LightningArgumentParser:
        """Make the parser of all verbs, or of one; only late versions of `LightningCLI` are told its class."""
        parser = Parser(**settings)
        parser.add_argument("-c", "--config", action="config", help="Settings in a YAML or JSON file, or as text.")
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what writes and scores, and the defaults a test-time optimisation needs."""
        parser.add_lightning_class_args(ImageWriter, "writer")
        parser.add_lightning_class_args(Forecasting, "plan")
        parser.add_lightning_class_args(Results, "results")
        parser.add_lightning_class_args(Tracking, "wandb")
        parser.set_defaults({"trainer.inference_mode": False})

    def before_test(self) -> None:
        """Leave the screen to the tables of `Results`, which say more than Lightning's list of the same means."""
        self.config_init.test.verbose = False

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; what is wrong is one sentence, with the nearest setting that exists."""
        try:
            super().parse_arguments(parser, args)
        except ArgumentError as error:
            raise ValueError(with_hint(error, parser, args)) from error
        # Lightning reads it next, and its complaints of one that cannot be read are tracebacks.
        checkpoint = self.config[self.config.subcommand].get("ckpt_path")
        if checkpoint and Path(checkpoint).is_file():
            read_checkpoint(Path(checkpoint))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer; runs show this project's progress, and restorations log only where a logger is asked for.

        Raises:
            ValueError: If it asks for devices that are not there.
        """
        trainer = self.config_init[self.subcommand].trainer
        check_devices(trainer.accelerator, trainer.devices)
        try:
            return self._made_trainer(trainer, **kwargs)
        except MisconfigurationException as error:
            raise ValueError(f"the trainer's settings do not fit this machine or each other: {error}") from error

    def _made_trainer(self, trainer: Any, **kwargs: Any) -> Trainer:
        given = trainer.callbacks or []
        given = given if isinstance(given, list) else [given]
        is_watched = trainer.enable_progress_bar is not False
        if self.subcommand not in RESTORING:
            if self.subcommand == "fit" and is_watched and not any(isinstance(own, ProgressBar) for own in given):
                trainer.callbacks = [*given, TrainingProgress()]
            return super().instantiate_trainer(**kwargs)
        kept = [] if self.parts is None else [self.parts]
        trainer.callbacks = [*given, *([SamplingProgress()] if is_watched else []), *kept, Failures()]
        # Every picture is written as it is finished; keeping all of them would fill the memory.
        if self.subcommand == "predict":
            self.config_init.predict.return_predictions = False
        # The data modules give each process its own part; Lightning's sampler would repeat images.
        trainer.use_distributed_sampler = False
        if trainer.logger is True or trainer.logger is None:
            trainer.logger = False
        return super().instantiate_trainer(enable_model_summary=False, enable_checkpointing=False, **kwargs)

    def _run_subcommand(self, subcommand: str) -> None:
        """Run the verb; a checkpoint that does not fit is one sentence."""
        try:
            super()._run_subcommand(subcommand)
        except (RuntimeError, ValueError, KeyError) as error:
            file = self.config[subcommand].get("ckpt_path")
            if not file or not any(words in str(error) for words in DOES_NOT_FIT):
                raise
            raise ValueError(
                f"checkpoint {str(file)!r} does not fit this training ({' '.join(str(error).split())[:160]}): give the "
                f"settings that it was trained with ({TRAINING_SETTINGS_FILE} in the folder above it), or leave "
                "--ckpt_path out"
            ) from error

    def instantiate_classes(self) -> None:
        """Make everything, and tell results and forecasts what the restorers' settings are."""
        if self.parts is not None:
            self.parts.begin(self.config.as_dict())
            for family in KEPT:
                self.parser.add_instantiator(self.parts, family, prepend=True)
        super().instantiate_classes()
        if self.subcommand not in RESTORING:
            return
        parser, config = self._parser(self.subcommand), self.config[self.subcommand]
        model = json.loads(parser.dump(config, format="json", skip_validation=True))["model"]
        settings = {self.model.name: model}
        if isinstance(self.model, Comparison):
            settings = model["init_args"]["restorers"]
        for callback in self.trainer.callbacks:
            if isinstance(callback, Results):
                callback.restorer_settings = settings
            if isinstance(callback, Forecasting):
                callback.settings = timing_settings(model)


def timing_settings(model: Settings) -> Settings:
    """Settings of a restorer on which the time of a restoration depends: neither the seed nor what a prior is told."""
    settings = {**model.get("init_args", {}), "seed": 0}
    prior = settings.get("prior")
    return {**model, "init_args": {**settings, "prior": prior["class_path"] if isinstance(prior, dict) else prior}}


class Check(CommandLine):
    """Makes everything that a run needs, without weights, and runs nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        pass


class CheckWithData(Check):
    """Finds the images and suites too."""

    def _run_subcommand(self, subcommand: str) -> None:
        self.datamodule.setup(subcommand)


def with_help(settings: Settings, arguments: Sequence[str]) -> list[str]:
    """Ask for help with the settings of the model that was chosen, where ``--model.help`` alone means any model's.

    Example:
        >>> with_help({"model": {"class_path": "a.B"}}, ["--model.help", "--model.seed=3"])
        ['--model.help=a.B', '--model.seed=3']
    """
    chosen = settings.get("model", {}).get("class_path")
    return [f"{one}={chosen}" if chosen and one == "--model.help" else one for one in arguments]


def run(
    verb: str,
    settings: Settings,
    arguments: Sequence[str],
    callbacks: Sequence[Callback] = (),
    parts: KeptParts | None = None,
    command_line: type[CommandLine] = CommandLine,
) -> list[Record]:
    """Run one of Lightning's verbs.

    Args:
        verb: fit, validate, test or predict.
        settings: Nested settings of the run, as a preset holds them.
        arguments: Changes by dotted name, as on the command line.
        callbacks: Who watches the run, besides those that the settings name.
        parts: What builds the parts of the run, or takes them over from an earlier run of this process.
        command_line: What to do with the settings: run them, or `Check` them.

    Returns:
        What became of each image, without the images; empty for trainings.

    Raises:
        ValueError: If an input or setting is wrong.
        KeyboardInterrupt: If the user stopped the run.
    """
    settings = merged({"data": {"class_path": DEFAULT_DATA[verb]}}, settings, "the command")
    keep_texts()
    arguments = with_priors(with_help(settings, arguments))
    if verb in RESTORING:
        settings, arguments = hand_down(settings, arguments)
    is_ours = not in_process_group()
    try:
        made = command_line(
            LightningModule,
            LightningDataModule,
            parts=parts,
            save_config_callback=SettingsBesideOutputs,
            save_config_kwargs={"overwrite": True},
            seed_everything_default=False,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            trainer_defaults={"callbacks": list(callbacks)},
            parser_kwargs={"parser_mode": "omegaconf+", "exit_on_error": False}
            | {verb: {"parser_mode": "omegaconf+", "exit_on_error": False} for verb in CommandLine.subcommands()},
            # The parser takes a whole configuration as text, and resolves it together with the changes.
            args=[verb, "--config", json.dumps(settings, ensure_ascii=False), *arguments],
        )
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code in (0, None):
            raise
        # Lightning ends the process where the user stops it.
        raise KeyboardInterrupt from error
    finally:
        # Lightning leaves it, and the threads of gloo abort a process that ends before them.
        if is_ours and in_process_group():
            torch.distributed.destroy_process_group()
    model = made.model
    return model.records if isinstance(model, Restorer) else []
