"""A run folder: settings, one row per result, written so that a run may be killed at any moment and go on."""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ldrps.data.moved import with_current_names
from modules.safe_files import complete_or_absent

INPUT = "input"
"""What rows of the degraded images themselves give as their restorer."""

TARGET = "target"
"""What pictures of the ground truth are called."""

FAILED = "error: "
"""Begins what rows say of a measure that failed."""


@dataclass
class Row:
    """One result: what one method made of one image.

    Attributes:
        suite: Name of the suite or folder.
        name: Name of the image.
        key: Fingerprint of the clean pixels, or of both images of a pair; empty for what could not be read.
        restorer: Name of the method; ``input`` for the degraded image itself.
        metrics: Number by column; None where an image is too small or the number is not finite.
        not_finite: What was not a finite number, by column.
        seconds: Time of the restoration.
        peak_mib: Largest memory in MiB: on a GPU while it was restored, elsewhere the process's until then; 0 for the
            degraded image itself.
        error: One sentence that says why there is no result.
        remark: What the method has to say of it, such as which way it took and why.
        made_at: Seconds since 1970, by which the newest of several is known; 0 where an earlier version wrote none.
    """

    suite: str
    name: str
    key: str
    restorer: str
    metrics: dict[str, float | None] = field(default_factory=dict)
    not_finite: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    peak_mib: float = 0.0
    error: str | None = None
    remark: str = ""
    made_at: float = field(default_factory=time.time)

    @property
    def identity(self) -> tuple[str, str, str]:
        """Rows of the same identity are the same result, of which the newest counts."""
        return self.suite, self.name, self.restorer

    @property
    def image(self) -> tuple[str, str]:
        """Suite and name: what a run calls the image, whatever its pixels."""
        return self.suite, self.name

    @property
    def pixels(self) -> tuple[str, str, str]:
        """Rows of the same pixels can be compared, number by number."""
        return self.suite, self.name, self.key

    @property
    def failed_measures(self) -> dict[str, str]:
        """Why a measure failed, by its column; a number that is infinite or none is no failure."""
        told = self.not_finite.items()
        return {name: value.removeprefix(FAILED) for name, value in told if value.startswith(FAILED)}

    def has(self, metric: str) -> bool:
        """Whether a measure was taken; an infinite one, such as the PSNR of equal images, was."""
        return self.metrics.get(metric) is not None or self.not_finite.get(metric) == "inf"


class RunFolder:
    """Reads and writes a run folder.

    ``run.json`` holds the settings, ``rows/`` one JSON-lines file per process that ever wrote, so that no two write to
    the same file; readers merge them and pass over a line that was cut off by a kill.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def settings_file(self) -> Path:
        """What the results depend on."""
        return self.path / "run.json"

    def check_free(self) -> None:
        """Make sure that no run is there yet.

        Raises:
            ValueError: If one is.
        """
        if self.settings_file.is_file():
            raise ValueError(f"{self.path} holds a run already: add --resume to go on, or choose another --output")

    def begin(self, settings: dict[str, Any], may_continue: bool, information: dict[str, Any]) -> None:
        """Make the folder, or make sure that it holds results of the same settings.

        Args:
            settings: What results depend on.
            may_continue: Whether a folder with results may be continued.
            information: What else is worth knowing; not compared.

        Raises:
            ValueError: If the folder holds results and may not be continued, or its settings differ; the message names
                the first difference.
        """
        settings = json.loads(json.dumps(settings))
        if not may_continue:
            self.check_free()
        if self.settings_file.is_file():
            if found := difference(with_current_names(self.read_settings()["settings"]), settings):
                raise ValueError(
                    f"{self.path} holds a run of other settings, {found}: choose another --output, or those settings"
                )
            content = self.read_settings()
            seen = [content["information"], *content.get("continued", [])]
            if information not in seen:
                self._write_settings({**content, "continued": [*seen[1:], json.loads(json.dumps(information))]})
            return
        self._write_settings({"settings": settings, "information": information})

    def _write_settings(self, content: dict[str, Any]) -> None:
        with complete_or_absent(self.settings_file) as stream:
            stream.write(json.dumps(content, indent=1).encode())

    def read_settings(self) -> dict[str, Any]:
        """Read ``run.json``.

        Raises:
            ValueError: If the folder is no run folder.
        """
        try:
            content = json.loads(self.settings_file.read_text(encoding="utf-8"))
            return {**content, "settings": content["settings"], "information": content["information"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path} is no run folder: it has no readable run.json") from error

    def append(self, rows: list[Row]) -> None:
        """Write rows to this process's file; they are on the disk when this returns.

        Raises:
            OSError: If the disk is full or the folder cannot be written.
        """
        if not rows:
            return
        if self._descriptor is None:
            folder = self.path / "rows"
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
            self._descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        lines = "".join(json.dumps(asdict(row)) + "\n" for row in rows).encode()
        while lines:
            lines = lines[os.write(self._descriptor, lines) :]
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close this process's file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def rows(self) -> list[Row]:
        """Read and merge all rows; see `merge_rows`."""
        return merge_rows(self._lines())

    def finished(self) -> set[tuple[str, str, str, str]]:
        """Suite, name, key and method of what need not be made again: results that count, without any error."""
        return {(*row.pixels, row.restorer) for row in self.rows() if row.error is None and not row.failed_measures}

    def _lines(self) -> Iterator[Row]:
        # Rows of earlier versions do not say when they were made, but their files do.
        files = sorted((self.path / "rows").glob("*.jsonl"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        for file in files:
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    yield Row(**{"made_at": 0.0, **json.loads(line)})
                except (ValueError, TypeError):
                    # The last line of a process that was killed while it wrote.
                    continue


def merge_rows(rows: Iterable[Row]) -> list[Row]:
    """Keep the newest row of each result, in a fixed order.

    Rows say themselves when they were made, since their order does not: each process has a file of its own, and brings
    what an earlier run left beside what it made itself. Once an image was read with other pixels, nothing that any
    method made of the former ones counts. Of the same pixels a good row beats a failed one, whichever is newer: where
    work does not divide evenly, two processes restore the same image, and one of them may fail. A file that could not
    be read has no key, and says nothing of the pixels.
    """
    ordered = sorted(rows, key=lambda row: row.made_at)
    newest = {row.image: row.key for row in ordered if row.key}
    merged: dict[tuple[str, str, str], Row] = {}
    for row in ordered:
        if row.key and row.key != newest[row.image]:
            continue
        known = merged.get(row.identity)
        if known is None or known.error is not None or row.error is None:
            merged[row.identity] = row
    return sorted(merged.values(), key=lambda row: row.identity)


def difference(old: Any, new: Any) -> str:
    """Name the first difference between two settings, empty if there is none; see `differences`.

    Example:
        >>> difference({"a": {"b": 1}}, {"a": {"b": 2}})
        'a.b is 1 there and 2 here'
    """
    return next(differences(old, new), "")


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Name the differences between two settings.

    A setting that only one of two versions knows is no difference where it is null, which leaves things as they were.
    Lists are looked into where something in them has settings by name.

    Example:
        >>> list(differences({"a": 1, "b": 2, "c": 3}, {"a": 2, "b": 2, "d": None}))
        ['a is 1 there and 2 here', 'c is only there']
        >>> list(differences({"a": [{"b": 1}, 2]}, {"a": [{"b": 3, "c": None}, 2]}))
        ['a[0].b is 1 there and 3 here']
    """
    if isinstance(old, list) and isinstance(new, list) and any(isinstance(value, dict) for value in [*old, *new]):
        if len(old) != len(new):
            yield f"{path} has {len(old)} entries there and {len(new)} here"
            return
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
        return
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield f"{path} is {json.dumps(old)} there and {json.dumps(new)} here"
        return
    for name in [*old, *(name for name in new if name not in old)]:
        inner = f"{path}.{name}" if path else str(name)
        if (name not in new or name not in old) and (old.get(name), new.get(name)) != (None, None):
            yield f"{inner} is only {'there' if name in old else 'here'}"
        else:
            yield from differences(old.get(name), new.get(name), inner)
