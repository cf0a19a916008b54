"""Folders to write into, and files that must not be written over."""

from collections.abc import Iterable
from pathlib import Path


def prepare_folder(folder: Path) -> None:
    """Make a folder and try to write into it.

    Raises:
        ValueError: If it cannot be written; one sentence says why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".ldrps-write-test"
        probe.touch()
        # Another process that shares the folder may have been quicker.
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(
            f"output folder {str(folder)!r} cannot be written ({error.strerror}): choose another --output"
        ) from error


def check_distinct(outputs: Iterable[tuple[Path, Path]]) -> None:
    """Refuse to write one file for two inputs.

    Args:
        outputs: Files that are to be written, each with the input that it is written for.

    Raises:
        ValueError: If two are the same file.
    """
    writers: dict[Path, Path] = {}
    for path, source in outputs:
        if (other := writers.setdefault(path, source)) != source:
            raise ValueError(
                f"output {path} would be written for {other} and for {source}: rename one, or restore them apart"
            )


def check_outputs(
    outputs: Iterable[Path], inputs: Iterable[Path], overwrite: bool, remedy: str = "add --overwrite"
) -> None:
    """Refuse to write over an input, and over anything else unless told to.

    Args:
        outputs: Files that are to be written.
        inputs: Files that are read.
        overwrite: Whether other files may be replaced.
        remedy: What a user may do about outputs that exist.

    Raises:
        ValueError: If an output is an input, or exists already and `overwrite` is false.
    """
    protected = {file.resolve() for file in inputs}
    outputs = list(outputs)
    for path in outputs:
        if path.resolve() in protected:
            raise ValueError(f"output {path} is one of the inputs, which are never replaced: choose another --output")
    existing = [path for path in outputs if path.exists()]
    if existing and not overwrite:
        raise ValueError(
            f"{len(existing)} output(s) exist already, {existing[0]} first: {remedy} or choose another --output"
        )
