"""`ldrps sweep run`: through W&B when logged in, on this machine otherwise."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ldrps.commands.account import say
from ldrps.commands.exit_codes import terminated_as_interrupted
from ldrps.commands.options import option, parse
from ldrps.configuration.arguments import one_each
from ldrps.data.inputs import check_inputs

if TYPE_CHECKING:
    from ldrps.sweeps.records import SweepFolder
    from ldrps.sweeps.sweep import Sweep

GRACE_SECONDS = 10.0
"""Time that workers have to end when they are told to."""


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """Run a sweep, and make its table, plot and page.

    Whoever is logged in to W&B hands the sweep over to it, and helps at once; other machines join by the id that is
    printed. Without an account, or with WANDB_MODE=offline, this machine runs it alone. Finished points are never run
    again. What is said of the images and the method holds for every point, and so does a dotted setting, such as
    --model.seed 3.

    Attributes:
        file: Sweep: a YAML file, the name of one that comes with the package, or the folder of one to go on with.
        output: Folder for results (runs/NAME).
        clean: Clean images to degrade: files, folders, globs.
        pairs: Folder with input/ and target/, matched by name, in place of the sweep's own suites and protocol.
        suite: Suites or YAML files.
        config: Method, a preset name or YAML file.
        protocol: How to measure.
        prior: Semantic prior of the method, as `ldrps restore` takes it.
        prompt: What the restored photos should show.
        colorize: Colour photos without colour, whoever took it away.
        seed: Seed of the damage.
        limit: Use the first N images.
        batch_size: Images of one size that are restored together; auto for as many as are quickly done.
        count: At most N points.
        workers: Processes that work side by side.
        retry_failed: Run points that failed again.
        device: Where it runs: auto, cpu, cuda or mps.
        project: Project of Weights & Biases (that of the file, ldrps).
    """

    file: str = field(metadata=option())
    output: str | None = field(default=None, metadata=option("-o", metavar="RUN"))
    clean: list[str] = field(default_factory=list, metadata=option(metavar="IN", nargs="+"))
    pairs: str | None = field(default=None, metadata=option(metavar="FOLDER"))
    suite: list[str] = field(default_factory=list, metadata=option("-s", metavar="NAME", nargs="+"))
    config: str | None = field(default=None, metadata=option("-c", metavar="X"))
    protocol: str | None = field(default=None, metadata=option("-p", metavar="X"))
    prior: str | None = field(default=None, metadata=option(metavar="X"))
    prompt: str | None = field(default=None, metadata=option(metavar="TEXT"))
    colorize: bool = False
    seed: int | None = field(default=None, metadata=option(metavar="N"))
    limit: int | None = field(default=None, metadata=option(metavar="N"))
    batch_size: int | Literal["auto"] | None = field(default=None, metadata=option(metavar="N"))
    count: int | None = field(default=None, metadata=option(metavar="N"))
    workers: int = field(default=1, metadata=option("-j", metavar="N"))
    retry_failed: bool = False
    device: str = field(default="auto", metadata=option(metavar="X"))
    project: str | None = field(default=None, metadata=option(metavar="PROJECT"))

    def __post_init__(self) -> None:
        for name in ("workers", "count"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"--{name} {value} must be at least 1")

    def constants(self) -> dict[str, Any]:
        """Options that hold for every point."""
        # Paths are made whole, so that the sweep can be gone on with from another folder.
        found: dict[str, Any] = {
            "clean": [os.path.abspath(path) for path in self.clean] or None,  # noqa: PTH100 (it may be a pattern)
            "pairs": None if self.pairs is None else str(Path(self.pairs).absolute()),
            "suite": self.suite or None,
            "colorize": self.colorize or None,
        }
        plain = ("config", "protocol", "prior", "prompt", "seed", "limit", "batch_size")
        found |= {name: getattr(self, name) for name in plain}
        return {name: value for name, value in found.items() if value is not None}

    def project_of(self, sweep: "Sweep") -> str:
        """The project of Weights & Biases: that of the command, or of the sweep's file, or the usual one."""
        return self.project or sweep.wandb.get("project") or "ldrps"


def start(arguments: Sequence[str]) -> int:
    """Run `ldrps sweep run` and return its exit code."""
    options, changes = parse("sweep run", SweepRun, arguments)
    from ldrps.sweeps.records import SweepFolder
    from ldrps.sweeps.sweep import read_sweep

    is_begun = Path(options.file).is_dir()
    sweep = SweepFolder(Path(options.file)).read() if is_begun else read_sweep(options.file)
    # What is misspelt is told before what takes seconds to import.
    check_inputs(options.clean)
    from ldrps.callbacks.tracking import mode
    from ldrps.commands.sweeping import constants_of, point_maker
    from ldrps.sweeps.checking import check, check_images
    from ldrps.sweeps.search import candidates

    sweep = sweep.with_constants({**options.constants(), **constants_of(one_each(changes))})
    if options.count is not None:
        sweep = replace(sweep, run_cap=options.count)
    folder = SweepFolder(Path(options.output or (options.file if is_begun else f"runs/{sweep.name}")))
    next(iter(candidates(sweep, [])), None)  # Says what a search without end, or without Optuna, needs.
    if not is_begun:
        check(sweep, point_maker(options.device))
    check_images(sweep)
    folder.begin(sweep)
    if options.retry_failed:
        say(f"{folder.retry(sweep)} points that failed are run again")
    if mode() == "online":
        from ldrps.sweeps.agents import create, help_with

        path = create(sweep, folder, options.project_of(sweep))
        say(f"other machines: ldrps sweep join {path} --output RUN, with --clean IN... where photos lie elsewhere")
        help_with(path, folder, point_maker(options.device), say)
    else:
        run_here(folder, options, options.project_of(sweep))
    return conclude(folder)


def run_here(folder: "SweepFolder", options: SweepRun, project: str) -> None:
    """Run a sweep's points in this process, or in several."""
    if options.workers == 1:
        work(folder.path, options.device, project)
        return
    threads = max(1, (os.cpu_count() or 1) // options.workers)
    # They share the folder and nothing else, so that one may die alone.
    context = multiprocessing.get_context("spawn")
    arguments = (folder.path, options.device, project, threads)
    # No daemons: those may not have processes that read ahead for them.
    workers = [context.Process(target=work, args=arguments) for _ in range(options.workers)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        started = [worker for worker in workers if worker.pid is not None]
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.join(GRACE_SECONDS)
            worker.kill()
            worker.join()


def work(path: Path, device: str, project: str, threads: int | None = None) -> None:
    """Run points of a sweep's folder until none is left; what a worker's process does.

    Args:
        path: The folder.
        device: Where points run.
        project: Project of Weights & Biases.
        threads: Threads of torch; None leaves them as they are, and an interruption to the caller.
    """
    if threads is not None:
        # Ctrl+C reaches the processes that read ahead, too, and a point whose own have died counts as failed: whoever
        # started this process ends it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=end_with_the_parent, daemon=True).start()
    import torch

    from ldrps.callbacks.tracking import log_run
    from ldrps.commands.sweeping import point_maker
    from ldrps.configuration.quiet import quieten
    from ldrps.sweeps.records import SweepFolder
    from ldrps.sweeps.worker import Worker

    quieten()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        # Left alone, Lightning takes note of being terminated only when it is done.
        with terminated_as_interrupted():
            Worker(SweepFolder(path), point_maker(device), say, partial(log_run, project)).work()
    except KeyboardInterrupt:
        if threads is None:
            raise


def end_with_the_parent() -> None:
    """Wait until whoever started this process is gone, killed perhaps, and end it as `run_here` would have."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is always started by somebody"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def conclude(folder: "SweepFolder") -> int:
    """Make the table of what there is; 1 if something failed or is still to be done, 2 if there is no result."""
    from ldrps.sweeps.records import State
    from ldrps.sweeps.table import write_tables

    records = folder.records()
    failed = [record for record in records if record.state is State.FAILED]
    for record in failed:
        sys.stderr.write(f"ldrps: {folder.read().point(record.chosen).label} failed: {record.error}\n")
    if failed:
        sys.stderr.write("ldrps: --retry-failed runs failed points again\n")
    if not any(record.measures for record in records):
        return 2
    say(write_tables([folder]))
    return 1 if any(record.state is not State.DONE for record in records) else 0
