"""Sweeps that W&B hands out: its server chooses the points, its agents on any number of machines ask for them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ldrps.callbacks.tracking import log_into
from ldrps.sweeps.records import SweepFolder
from ldrps.sweeps.sweep import TOP, Sweep, sweep_of
from ldrps.sweeps.worker import MakeRun, Worker

OFFLINE = "WANDB_MODE=offline runs the sweep on this machine alone"


def create(sweep: Sweep, folder: SweepFolder, project: str) -> str:
    """Hand a sweep over to W&B, or find the one again that this folder handed over before.

    Args:
        sweep: The sweep; an entity that its file names is where it goes.
        folder: Its folder.
        project: The project that it goes to.

    Returns:
        Its path, ENTITY/PROJECT/ID.

    Raises:
        ValueError: If W&B cannot be reached or refuses.
    """
    known = folder.path / "wandb.txt"
    if known.is_file():
        return known.read_text(encoding="utf-8").strip()
    import wandb

    config = sweep.for_wandb()
    entity = config.pop("entity", None)
    config.pop("project", None)
    try:
        identifier = wandb.sweep(config, entity=entity, project=project)
    except Exception as error:
        raise ValueError(f"the sweep could not be handed to W&B ({sentence(error)}): {OFFLINE}") from error
    # W&B leaves in the environment whose project it took.
    parts = [os.environ.get("WANDB_ENTITY", entity), os.environ.get("WANDB_PROJECT", project), identifier]
    path = "/".join(filter(None, parts))
    known.write_text(f"{path}\n", encoding="utf-8")
    return path


def fetch(path: str) -> Sweep:
    """Read a sweep from W&B.

    Args:
        path: ENTITY/PROJECT/ID, or the end of it.

    Raises:
        ValueError: If W&B cannot be reached or has no such sweep, or one of something else.
    """
    import wandb

    try:
        found = wandb.Api().sweep(path)
    except Exception as error:
        raise ValueError(f"the sweep {path} could not be read from W&B ({sentence(error)})") from error
    known = {name: value for name, value in found.config.items() if name in TOP}
    return sweep_of(known, f"the sweep {path} of W&B", found.id)


def help_with(
    path: str, folder: SweepFolder, make_run: MakeRun, tell: Callable[[str], None], count: int | None = None
) -> None:
    """Run points that W&B hands out until there are none, or `count`; parts stay loaded between them.

    Args:
        path: The sweep, ENTITY/PROJECT/ID.
        folder: Where results go, also those that W&B cannot be told.
        make_run: Makes the run of a point.
        tell: Shows a line.
        count: Most points; None has no end of its own.

    Raises:
        ValueError: If W&B cannot be reached.
    """
    import wandb

    worker = Worker(folder, make_run, tell, lambda run, logged: None)
    try:
        wandb.agent(path, function=partial(run_handed_point, worker), count=count)
    except Exception as error:
        raise ValueError(
            f"W&B ended the sweep ({sentence(error)}); what was finished is in {folder.path}; {OFFLINE}"
        ) from error


def run_handed_point(worker: Worker) -> None:
    """Run the point that W&B's agent handed to this process, and log it there.

    Raises:
        RuntimeError: If it failed, so that W&B counts it as failed.
    """
    import wandb

    with wandb.init(dir=str(worker.folder.path), settings=wandb.Settings(console="off", silent=True)) as run:
        # W&B has set the point's values itself, and minds if they are set again.
        worker.log = lambda folder, logged: log_into(run, folder, replace(logged, config={}))
        record = worker.run_claimed(worker.sweep.point(values_of(worker.sweep, run.config.as_dict())))
    if record.error is not None:
        raise RuntimeError(record.error)


def values_of(sweep: Sweep, config: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a point in what W&B says of its run.

    Raises:
        ValueError: If one is missing.
    """
    missing = [own.name for own in sweep.varying if own.name not in config]
    if missing:
        raise ValueError(f"W&B says nothing of {missing[0]}: `ldrps sweep point` is started by `wandb agent` only")
    return {own.name: config[own.name] for own in sweep.varying}


def sentence(error: Exception) -> str:
    """What an exception says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
