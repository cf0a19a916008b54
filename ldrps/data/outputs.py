"""Folders to write into, and files that must not be written over."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from ldrps.data.photo_formats import FormatName, suffix_for

Name = TypeVar("Name")

TO_KEEP_OR_REPLACE = "add --resume to keep them, --overwrite to replace them,"
"""What a user may do about pictures that exist."""


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


def without_results(files: Sequence[tuple[Path, Name]], inputs: Iterable[str], output: Path) -> list[tuple[Path, Name]]:
    """Leave out what lies in the output folder where that is inside a folder that was searched: earlier results.

    Args:
        files: The files found, each with its name.
        inputs: The files, folders and patterns that were searched.
        output: The output folder.
    """
    folder = output.resolve()
    searched = [Path(pattern).resolve() for pattern in inputs if Path(pattern).is_dir()]
    if not any(folder != one and folder.is_relative_to(one) for one in searched):
        return list(files)
    return [(file, name) for file, name in files if not file.resolve().is_relative_to(folder)]


def picture_file(folder: Path, name: str, source: Path, format_name: FormatName | None) -> Path:
    """The file that a restored photo is written to.

    Args:
        folder: Output folder.
        name: Name of the photo, see `name_outputs`.
        source: Its own file.
        format_name: Format of the pictures; None takes each photo's own.
    """
    suffix = suffix_for(source, format_name)
    # Files that share a stem have their ending in the name.
    has_suffix = Path(name).name == source.name and source.suffix.lower() == suffix
    return folder / (name if has_suffix else f"{name}{suffix}")


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
