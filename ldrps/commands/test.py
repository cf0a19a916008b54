"""`ldrps test`: restorers beside simple tools on suites or pairs; the everyday face of Lightning's test."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from degradations.suites import find_suite
from ldrps.commands import lightning
from ldrps.commands.options import option, parse
from ldrps.commands.restore import COLORIZATION, one_text
from ldrps.configuration.arguments import one_each, split_configs
from ldrps.configuration.layers import DEFAULT_PRESET
from ldrps.data.inputs import check_inputs
from ldrps.data.shipped import suite_folder
from ldrps.results.run_folder import RunFolder

WHEN_INTERRUPTED = lightning.WHEN_INTERRUPTED

EVERYDAY = ("--suite", "-s", "--clean", "--pairs", "--output", "-o", "--help", "-h", "--version")


@dataclass(frozen=True, kw_only=True)
class Test:
    """Restore degraded images with known clean ones and score the results, beside simple tools.

    Any setting of a preset can be changed by its dotted name, such as --model.sampling.num_inference_steps 30;
    --print_config shows the resolved run.

    Attributes:
        clean: Clean images to degrade: files, folders, globs.
        pairs: Folder with input/ and target/, matched by name; --data.input_name and --data.target_name say what they
            are called otherwise, --data.input_pattern and --data.target_pattern (such as 'low*') how names differ.
        suite: Suites or YAML files; "all" takes every one.
        output: Run folder.
        config: Restorer, a preset name or YAML file; may be repeated for several in one table (refined).
        protocol: How to measure.
        prior: Semantic prior of the restorers, as `ldrps restore` takes it.
        prompt: What the restored photos should show.
        colorize: Let the restorers colour photos without colour, whoever took it away.
        no_baselines: Leave the simple tools out.
        resume: Go on with a run folder.
        seed: Seed of the damage.
        limit: Use the first N images.
        shard: Part I/N of the work, for machines that share a run folder.
        batch_size: Images of one size that are restored together; auto for as many as are quickly done.
        workers: Processes that read ahead.
        device: Where it runs: auto, cpu, cuda or mps.
        wandb: Project of Weights & Biases to log to, offline when not logged in.
    """

    clean: list[str] = field(default_factory=list, metadata=option(metavar="IN", nargs="+"))
    pairs: str | None = field(default=None, metadata=option(metavar="FOLDER"))
    suite: list[str] = field(default_factory=list, metadata=option("-s", metavar="NAME", nargs="+"))
    output: str = field(metadata=option("-o", metavar="RUN"))
    config: list[str] = field(default_factory=lambda: [DEFAULT_PRESET], metadata=option("-c", metavar="X"))
    protocol: str = field(default="default", metadata=option("-p", metavar="X"))
    prior: str | None = field(default=None, metadata=option(metavar="X"))
    prompt: str | None = field(default=None, metadata=option(metavar="TEXT"))
    colorize: bool = False
    no_baselines: bool = False
    resume: bool = False
    seed: int = field(default=0, metadata=option(metavar="N"))
    limit: int | None = field(default=None, metadata=option(metavar="N"))
    shard: str = field(default="0/1", metadata=option(metavar="I/N"))
    batch_size: int | Literal["auto"] = field(default=1, metadata=option(metavar="N"))
    workers: int = field(default=0, metadata=option(metavar="N"))
    device: str = field(default="auto", metadata=option(metavar="X"))
    wandb: str | None = field(default=None, metadata=option(metavar="PROJECT"))

    def __post_init__(self) -> None:
        if bool(self.clean) == (self.pairs is not None):
            raise ValueError("give either --clean IN... with --suite NAME..., or --pairs FOLDER")
        if self.clean and not self.suite:
            raise ValueError(
                "--clean needs --suite NAME, which says how to degrade the images; --suite all takes every one"
            )
        if self.pairs is not None and self.suite:
            raise ValueError("--pairs holds degraded images already: leave --suite out")

    def settings(self, about_models: Sequence[str] = ()) -> dict[str, Any]:
        """The whole run, as a preset would say it.

        Args:
            about_models: Changes to every restorer, such as ``--model.seed=3``.

        Raises:
            ValueError: If a config or the protocol does not exist, or two restorers would share a name.
        """
        from ldrps.configuration.comparing import comparison
        from ldrps.configuration.layers import merged, read_preset

        protocol = self.protocol if "." in self.protocol else f"test/{self.protocol}"
        settings = merged({"data": self._data()}, read_preset(protocol), protocol)
        everyday: dict[str, Any] = {
            "model": comparison(self.config, about_models, not self.no_baselines),
            "results": {"output": self.output, "resume": self.resume},
            "trainer": {"accelerator": self.device},
        }
        return merged(
            settings, everyday if self.wandb is None else everyday | {"wandb": {"project": self.wandb}}, "the command"
        )

    def check_images(self) -> None:
        """Make sure that images and suites are there, and that no run is in the way.

        Raises:
            ValueError: If one is not, or the output folder holds a run that is not to be gone on with.
        """
        if not self.resume:
            RunFolder(Path(self.output)).check_free()
        for suite in self.suite:
            find_suite(suite, suite_folder())
        check_inputs(self.clean)

    def with_changes(self, changes: Sequence[str]) -> tuple[Callable[[], dict[str, Any]], list[str]]:
        """What makes the settings of the whole run, and the changes that are left for Lightning's parser.

        Args:
            changes: Dotted settings as on the command line.
        """
        about_models = [f"--model.colorization={COLORIZATION}"] if self.colorize else []
        about_models += [] if self.prior is None else [f"--model.prior={self.prior}"]
        if self.prompt is not None:
            about_models.append(f"--model.prior={json.dumps(one_text(self.prompt), ensure_ascii=False)}")
        about_models += [change for change in one_each(changes) if change.startswith("--model.")]
        others = [change for change in one_each(changes) if not change.startswith("--model.")]
        return lambda: self.settings(about_models), others

    def _data(self) -> dict[str, Any]:
        shared = {"shard": self.shard, "batch_size": self.batch_size, "num_workers": self.workers}
        shared |= {} if self.limit is None else {"limit": self.limit}
        if self.pairs is not None:
            return {"class_path": "ldrps.data.pairs.PairedData", "init_args": {"folder": self.pairs, **shared}}
        clean = {"inputs": self.clean, "suites": self.suite, "seed": self.seed}
        return {"class_path": "ldrps.data.clean.CleanData", "init_args": {**clean, **shared}}


def is_everyday(arguments: Sequence[str]) -> bool:
    """Whether `ldrps test` was called in its short form and not as Lightning's verb.

    Example:
        >>> is_everyday(["--pairs", "x"]), is_everyday(["--config", "blind", "--data.folder", "x"])
        (True, False)
    """
    return not arguments or any(argument.partition("=")[0] in EVERYDAY for argument in arguments)


def check_data(arguments: Sequence[str]) -> None:
    """Make sure that files or arguments of Lightning's verb say which images to restore.

    Raises:
        ValueError: If they do not, or a file does not exist.
    """
    from ldrps.configuration.layers import read_preset

    configs, others = split_configs(arguments)
    is_named = any(other.startswith("--data") for other in others)
    if not is_named and not any("data" in read_preset(config) for config in configs):
        raise ValueError("no images were named: add --pairs FOLDER, or --clean PHOTOS with --suite NAME")


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps test` and return its exit code."""
    if not is_everyday(arguments):
        check_data(arguments)
        return lightning.run("test", arguments)
    options, changes = parse("test", Test, arguments)
    if "--print_config" not in changes:
        options.check_images()
    return lightning.run_verb("test", *options.with_changes(changes))
