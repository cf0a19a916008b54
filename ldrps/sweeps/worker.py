"""One worker: takes points that nobody has, and runs them one after another with parts that stay loaded."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from filelock import FileLock

from ldrps.callbacks.tracking import Logged
from ldrps.configuration import lightning_cli
from ldrps.configuration.kept_parts import KeptParts
from ldrps.configuration.layers import Settings
from ldrps.results.run_folder import INPUT, Row, RunFolder
from ldrps.results.summary import means
from ldrps.sweeps.records import Record, State, SweepFolder
from ldrps.sweeps.search import candidates
from ldrps.sweeps.sweep import Point

MakeRun = Callable[[Mapping[str, Any], Path], tuple[Callable[[], Settings], Sequence[str]]]
"""Makes the run of a point, of its settings by name and its folder: nested settings, and changes to them."""

Log = Callable[[RunFolder, Logged], None]
"""Logs the run folder of a point, and what else is known of it."""


class Worker:
    """Runs points of a sweep.

    Args:
        folder: Where results go.
        make_run: Makes the run of a point.
        tell: Shows a line.
        log: Logs a finished point, such as to W&B.
    """

    def __init__(self, folder: SweepFolder, make_run: MakeRun, tell: Callable[[str], None], log: Log) -> None:
        self.folder = folder
        self.sweep = folder.read()
        self.make_run = make_run
        self.tell = tell
        self.log = log
        self.parts = KeptParts()

    def work(self) -> list[Record]:
        """Run points until none is left that nobody has; return what became of those it ran."""
        records = []
        while (taken := self._take()) is not None:
            point, lock = taken
            try:
                records.append(self.run(point))
            finally:
                lock.release()
        return records

    def run(self, point: Point) -> Record:
        """Run one point, go on where it was cut off, and write down what became of it."""
        folder = self.folder.folder_of(point)
        folder.mkdir(parents=True, exist_ok=True)
        record = self._run(point, folder)
        if record.measures:
            config = {**self.sweep.constants, **point.chosen}
            try:
                self.log(RunFolder(folder), Logged(point.label, self.sweep.name, config, record.measures))
            except Exception as error:  # Whatever W&B raises: the results are here.
                self.tell(f"{point.label}: not logged to W&B ({' '.join(str(error).split())})")
        self.folder.write(point, record)
        self.tell(self._line(point, record))
        return record

    def run_claimed(self, point: Point) -> Record:
        """Run one point that somebody else chose, once nobody else in this folder has it."""
        lock = self.folder.claim(point, is_patient=True)
        assert lock is not None, "a patient claim is always granted"
        try:
            self.folder.write(point, Record(point.chosen, State.BEGUN))
            return self.run(point)
        finally:
            lock.release()

    def _take(self) -> tuple[Point, FileLock] | None:
        with self.folder.lock():
            for point in candidates(self.sweep, self.folder.records()):
                if self.folder.is_finished(point) or (lock := self.folder.claim(point)) is None:
                    continue
                # Whoever had it may have finished it just now.
                if self.folder.is_finished(point):
                    lock.release()
                    continue
                self.folder.write(point, Record(point.chosen, State.BEGUN))
                return point, lock
        return None

    def _run(self, point: Point, folder: Path) -> Record:
        started = time.perf_counter()
        error = None
        try:
            settings, changes = self.make_run(self.sweep.settings(point), folder)
            nested = settings()
            only_method(nested)
            with (folder / "output.txt").open("a") as stream, redirect_stdout(stream), redirect_stderr(stream):
                images = lightning_cli.run("test", nested, changes, parts=self.parts)
            failed = [image for image in images if image.error is not None]
            if failed:
                error = f"{len(failed)} of {len(images)} images failed, the first: {failed[0].error}"
        except Exception as exception:  # A point that fails, whatever it raises, must not cost the others.
            if "LDRPS_DEBUG" in os.environ:
                raise
            error = f"{type(exception).__name__}: {' '.join(str(exception).split())}"
        rows = RunFolder(folder).rows()
        set_up = max(0.0, self.parts.ready_at - started)
        seconds = time.perf_counter() - started
        state = State.DONE if error is None else State.FAILED
        measures = own_measures(rows)
        return Record(dict(point.chosen), state, error, seconds, set_up, self.parts.taken_over, measures)

    def _line(self, point: Point, record: Record) -> str:
        if record.error is not None:
            return f"{point.label}: failed, {record.error}"
        value = record.measures.get(self.sweep.metric)
        quality = "" if value is None else f"{self.sweep.metric} {value:.3f}, "
        return f"{point.label}: {quality}{record.seconds:.1f} s, {record.set_up_seconds:.1f} of them to set up"


def own_measures(rows: Sequence[Row]) -> dict[str, float]:
    """Means of the one method of a point, without its name."""
    found: dict[str, float] = {}
    for name, value in means(rows).items():
        first, _, rest = name.partition("/")
        method, _, metric = rest.partition("/")
        if method != INPUT:
            found["seconds" if first == "seconds" else f"{first}/{metric}"] = value
    return found


def only_method(settings: Settings) -> None:
    """Make sure that a point is one method.

    Raises:
        ValueError: If it is several.
    """
    names = list(settings["model"]["init_args"]["restorers"])
    if len(names) != 1:
        raise ValueError(f"a point of a sweep is one method, but config holds {', '.join(names)}: name one of them")
