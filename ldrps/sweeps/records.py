"""The folder of a sweep: what it is and what became of each point, so that it may be killed and go on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ldrps.results.run_folder import difference
from ldrps.sweeps.sweep import Point, Sweep, sweep_of
from modules.safe_files import complete_or_absent


class State(StrEnum):
    """What a point is."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Record:
    """What became of a point.

    Attributes:
        chosen: Its values.
        state: Begun and perhaps cut off, done, or failed.
        error: One sentence that says why it failed.
        seconds: Time of the whole point.
        set_up_seconds: Part of it before the first image: settings, weights, files.
        taken_over: Parts it took over from the point before.
        measures: Means by ``SUITE/MEASURE`` and ``overall/MEASURE``, and ``seconds`` (median an image).
    """

    chosen: Mapping[str, Any]
    state: State
    error: str | None = None
    seconds: float = 0.0
    set_up_seconds: float = 0.0
    taken_over: list[str] = field(default_factory=list)
    measures: dict[str, float] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether nobody need work on it."""
        return self.state in (State.DONE, State.FAILED)


class SweepFolder:
    """Reads and writes the folder of a sweep.

    ``sweep.json`` says what the sweep is; ``points/NAME/`` is the run folder of each point, with ``point.json`` for
    what became of it. Whoever works on a point holds a lock that ends with its process, however that ends.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def file(self) -> Path:
        """What the sweep is."""
        return self.path / "sweep.json"

    def lock(self) -> FileLock:
        """Held while somebody chooses a point."""
        self.path.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path / ".lock")

    def begin(self, sweep: Sweep) -> None:
        """Make the folder, or make sure that it is of this sweep, and that the files which that names are as they were.

        Raises:
            ValueError: If it holds another one, or something else; the message names the first difference.
        """
        content = json.loads(json.dumps(sweep.for_wandb()))
        with self.lock():
            if self.file.is_file():
                if found := difference(self.read().describe(), json.loads(json.dumps(sweep.describe()))):
                    raise ValueError(
                        f"{self.path} holds another sweep, {found}: choose another --output, or those settings"
                    )
            elif (self.path / "run.json").is_file():
                raise ValueError(f"{self.path} holds a run of `ldrps test`, not a sweep: choose another --output")
            self._keep_named_files(sweep)
            with complete_or_absent(self.file) as stream:
                stream.write(json.dumps(content, indent=1).encode())

    def _keep_named_files(self, sweep: Sweep) -> None:
        """Note what the sweep's configs, suites and protocols hold; points are made of them whenever they are run."""
        notes = self.path / "files.json"
        before = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {}
        files = {name: Path(name) for name in sweep.named_files()}
        now = {name: sha256(file.read_bytes()).hexdigest() if file.is_file() else None for name, file in files.items()}
        for name in before.keys() & now.keys():
            if now[name] != before[name]:
                what = "has changed since" if now[name] else "is not where the program was started, as it was when"
                raise ValueError(
                    f"{name!r} {what} the sweep in {self.path} began: choose another --output, or mend that"
                )
        with complete_or_absent(notes) as stream:
            stream.write(json.dumps(before | now, indent=1).encode())

    def read(self) -> Sweep:
        """Read the sweep.

        Raises:
            ValueError: If the folder is not of a sweep.
        """
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{self.path} is no folder of a sweep: it has no readable sweep.json") from error
        return sweep_of(content, str(self.file), self.path.resolve().name)

    def folder_of(self, point: Point) -> Path:
        """Run folder of a point."""
        return self.path / "points" / point.folder

    def is_finished(self, point: Point) -> bool:
        """Whether a point is done, or failed and not to be tried again."""
        record = read_record(self.folder_of(point) / "point.json")
        return record is not None and record.is_finished

    def records(self) -> list[Record]:
        """What became of all points that were begun, in a fixed order."""
        found = [read_record(file) for file in sorted(self.path.glob("points/*/point.json"))]
        return [record for record in found if record is not None]

    def write(self, point: Point, record: Record) -> None:
        """Write down what became of a point."""
        with complete_or_absent(self.folder_of(point) / "point.json") as stream:
            stream.write(json.dumps(asdict(record), indent=1).encode())

    def claim(self, point: Point, is_patient: bool = False) -> FileLock | None:
        """Take a point; None if another process has it and is not waited for."""
        folder = self.folder_of(point)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=-1 if is_patient else 0)
        except Timeout:
            return None
        return lock

    def retry(self, sweep: Sweep) -> int:
        """Have points that failed begun again, and count them; what they finished stays."""
        failed = [record for record in self.records() if record.state is State.FAILED]
        for record in failed:
            self.write(sweep.point(record.chosen), replace(record, state=State.BEGUN))
        return len(failed)


def read_record(file: Path) -> Record | None:
    """Read what became of a point; None if it is not there or cannot be read, as if nobody had begun it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Record(**{**content, "state": State(content["state"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
