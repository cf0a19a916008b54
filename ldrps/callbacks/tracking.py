"""Weights & Biases: settings, scores and pictures of a test run."""

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning import Callback, Trainer

from ldrps.callbacks.results import Results
from ldrps.methods.restorer import Restorer
from ldrps.results.run_folder import RunFolder
from ldrps.results.summary import Score, means, summarise


class Tracking(Callback):
    """Logs a finished test run to Weights & Biases; offline when nobody is logged in.

    Whatever goes wrong there (network, quota, login) is one sentence on standard error and never stops the run.

    Args:
        project: Name of the project; None logs nothing.
        name: Name of the run; None takes the run folder's.
    """

    def __init__(self, project: str | None = None, name: str | None = None) -> None:
        self.project = project
        self.run_name = name

    def on_test_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """Log what the run folder holds; `Results` comes first and has concluded it."""
        if self.project is None or not trainer.is_global_zero:
            return
        folders = [callback.folder for callback in trainer.callbacks if isinstance(callback, Results)]
        folder = next((folder for folder in folders if folder is not None), None)
        if folder is None:
            sys.stderr.write("ldrps: nothing was logged to W&B: give --output, whose run folder is what is logged\n")
            return
        try:
            log_run(self.project, folder, Logged(self.run_name or folder.path.resolve().name))
        except Exception as error:
            sentence = " ".join(str(error).split())
            sys.stderr.write(
                f"ldrps: the run could not be logged to W&B ({sentence}); its results are in {folder.path}\n"
            )


@dataclass(frozen=True)
class Logged:
    """What W&B is told of a run beside its folder.

    Attributes:
        name: Name of the run.
        group: What it is one of many of.
        config: Settings by dotted name, beside those of the folder.
        measures: Further numbers.
    """

    name: str
    group: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)


def log_run(project: str, folder: RunFolder, logged: Logged) -> None:
    """Log a run folder as a run of its own."""
    import wandb

    with wandb.init(
        project=project,
        name=logged.name,
        group=logged.group,
        dir=str(folder.path),
        mode=mode(),
        settings=wandb.Settings(init_timeout=90, console="off", silent=True),
    ) as run:
        log_into(run, folder, logged)


def log_into(run: Any, folder: RunFolder, logged: Logged) -> None:
    """Log into a run of W&B: configuration, versions and weights, scores by suite, grids and the table."""
    import wandb

    content = folder.read_settings()
    scores = summarise(rows := folder.rows())
    run.config.update({**content["settings"], "information": content["information"], **logged.config})
    run.log({**means(rows), **logged.measures})
    run.log({"scores": wandb.Table([*Score.__dataclass_fields__], [[*asdict(score).values()] for score in scores])})
    run.log({f"grids/{path.stem}": wandb.Image(str(path)) for path in pictures(folder.path)})


def pictures(folder: Path) -> list[Path]:
    """Grids and the plot of a concluded run."""
    plot = folder / "quality_against_seconds.png"
    return [*sorted((folder / "grids").glob("*.png")), *([plot] if plot.is_file() else [])]


def mode() -> Literal["online", "offline", "disabled", "shared"]:
    """What the user set in WANDB_MODE; else online for whoever is logged in, offline for everybody else."""
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen  # type: ignore[return-value]
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    netrc = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    is_logged_in = netrc.is_file() and "wandb" in netrc.read_text(encoding="utf-8", errors="replace")
    return "online" if is_logged_in else "offline"
