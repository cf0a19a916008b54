"""What an input stands for: a file, the images of a folder, what matches a pattern."""

import glob
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from ldrps.data.suffixes import DEVELOP, IMAGE_SUFFIXES, is_raw

SIDE_SUFFIXES = (".txt", ".json")
"""Endings of files that may lie beside a picture: words for it, its receipt."""


def find_images(pattern: str) -> list[tuple[Path, Path]]:
    """List the images a file, folder or glob pattern stands for, each with its path relative to the folder searched.

    Of a pattern that is what comes before its first wildcard: what else matches must not change a picture's name.
    Files about a picture, such as words for it, that match too are passed over.

    Raises:
        ValueError: If nothing is found; the message names the input.
    """
    path = Path(pattern)
    if path.is_dir():
        files = files_in(path)
        found = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
        if not found and any(map(is_raw, files)):
            raise ValueError(f"folder {pattern!r} holds no image but camera raw: {DEVELOP}")
        if not found:
            endings = " ".join(sorted(IMAGE_SUFFIXES))
            raise ValueError(f"folder {pattern!r} holds no image: looked for files ending in {endings}")
        return [(file, file.relative_to(path)) for file in found]
    if path.is_file():
        return [(path, Path(path.name))]
    matches = sorted(Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns)
    files = [match for match in matches if match.is_file()]
    if not files:
        raise ValueError(f"input {pattern!r} does not exist: give image files, folders or a glob pattern")
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
    pictures = stems_of_pictures(files)
    return [(file, file.relative_to(fixed)) for file in files if not is_about(file, pictures)]


def check_inputs(patterns: Iterable[str]) -> None:
    """Make sure that every input stands for something.

    Raises:
        ValueError: If one does not; see `find_images`.
    """
    for pattern in patterns:
        if not Path(pattern).is_dir():
            find_images(pattern)


def find_others(pattern: str) -> list[Path]:
    """List the files of a folder that are no pictures by their names, but for hidden ones and those about a picture."""
    folder = Path(pattern)
    if not folder.is_dir():
        return []
    files = files_in(folder)
    pictures = stems_of_pictures(files)
    others = [file for file in files if file.suffix.lower() not in IMAGE_SUFFIXES]
    return [file for file in others if not is_about(file, pictures)]


def files_in(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, sorted; what is hidden, systems and programs have left there."""
    visible = (path for path in folder.rglob("*") if not is_hidden(path.relative_to(folder)))
    return sorted(path for path in visible if path.is_file())


def is_hidden(relative: Path) -> bool:
    """Whether a file, or a folder it lies in, is hidden."""
    return any(part.startswith(".") for part in relative.parts)


def stems_of_pictures(files: Iterable[Path]) -> set[Path]:
    """The pictures among files, named without their endings."""
    return {file.with_suffix("") for file in files if file.suffix.lower() in IMAGE_SUFFIXES}


def is_about(file: Path, pictures: Collection[Path]) -> bool:
    """Whether a file holds words or a receipt for one of these pictures, which are named without their endings."""
    stem = file.with_suffix("")
    return file.suffix in SIDE_SUFFIXES and (stem in pictures or stem.with_suffix("") in pictures)


def named_images(patterns: Iterable[str]) -> list[tuple[Path, str]]:
    """The images that files, folders and patterns stand for, each with an output name of its own.

    Raises:
        ValueError: If one stands for nothing; see `find_images`.
    """
    return name_outputs([found for pattern in patterns for found in find_images(pattern)])


def name_outputs(found: Sequence[tuple[Path, Path]]) -> list[tuple[Path, str]]:
    """Give every file an output name of its own; files that would share one keep their ending in it.

    A file that was found twice, in whatever spelling, is taken once.

    Example:
        >>> name_outputs([(Path("a/x.jpg"), Path("x.jpg")), (Path("a/x.png"), Path("x.png"))])
        [(PosixPath('a/x.jpg'), 'x.jpg'), (PosixPath('a/x.png'), 'x.png')]
        >>> name_outputs([(Path("a/x.jpg"), Path("x.jpg"))])
        [(PosixPath('a/x.jpg'), 'x')]
    """
    # Not the whole path: a link beside a picture is a picture with a name of its own.
    distinct = list({file.parent.resolve() / file.name: (file, relative) for file, relative in found}.values())
    stems = [str(relative.with_suffix("")) for _, relative in distinct]
    count = Counter(stems)
    names: list[tuple[Path, str]] = []
    taken: set[str] = set()
    for (file, relative), stem in zip(distinct, stems, strict=True):
        name = stem if count[stem] == 1 else str(relative)
        number = 2
        while name in taken:
            name = f"{relative}-{number}"
            number += 1
        taken.add(name)
        names.append((file, name))
    return names
