"""What comes from a browser: which files are taken, under which names."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ldrps.data.image_files import KNOWN, check_size, opened
from ldrps.data.suffixes import IMAGE_SUFFIXES

MAX_NAME_BYTES = 120
"""Of one part of a name; file systems take 255, and results add to it."""


@dataclass(frozen=True)
class Upload:
    """A file that a browser sent.

    Attributes:
        path: Where the server put it.
        name: What the browser said it is called; anything may stand there.
    """

    path: Path
    name: str


def refusal(path: Path, name: str) -> str | None:
    """Say in one sentence, the one of `ldrps restore`, why a picture is not restored; None if it is."""
    if path.stat().st_size == 0:
        return f"{name} is empty (0 bytes): copy it again from its source"
    try:
        with opened(path) as picture:
            size = picture.size
        check_size(name, size)
    except ValueError as error:
        return str(error).replace(str(path), name)
    except (OSError, SyntaxError):
        return f"{name} is not a picture that can be read: give {KNOWN}"
    return None


def take(uploads: Sequence[Upload], folder: Path) -> tuple[list[str], list[str]]:
    """Copy what can be restored into a folder, under names that stay inside it.

    Returns:
        Names of the copies relative to the folder, and one sentence for each file that was not taken.
    """
    names: list[str] = []
    refused: list[str] = []
    for upload in uploads:
        name = safe_name(upload.name)
        if PurePosixPath(name).suffix.lower() not in IMAGE_SUFFIXES:
            refused.append(f"{name} is not taken for a picture by its name: give {KNOWN}")
        elif sentence := refusal(upload.path, name):
            refused.append(sentence)
        else:
            name = unused(name, names)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(upload.path, target)
            names.append(name)
    return names, refused


def safe_name(name: str) -> str:
    r"""The name that a file keeps: no way out of the folder, no hidden file, nothing that a terminal or shell obeys.

    Example:
        >>> safe_name("../../etc/pass wd.png"), safe_name("C:\\photos\\cat 😀's.jpg"), safe_name("...")
        ('etc/pass wd.png', "photos/cat 😀's.jpg", 'photo')
    """
    parts = re.sub(r"^[A-Za-z]:", "", name).replace("\\", "/").split("/")
    clean = [shortened("".join(letter for letter in part if letter.isprintable()).strip(" .")) for part in parts]
    return "/".join(part for part in clean if part) or "photo"


def shortened(part: str) -> str:
    """Cut one part of a name to what every file system takes; the ending stays."""
    stem, dot, suffix = part.rpartition(".")
    if len(part.encode()) <= MAX_NAME_BYTES:
        return part
    room = MAX_NAME_BYTES - len(f"{dot}{suffix}".encode())
    if not dot or room < 1:
        return part.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    return stem.encode()[:room].decode(errors="ignore") + dot + suffix


def unused(name: str, taken: Sequence[str]) -> str:
    """The name with a number where another file has it.

    Example:
        >>> unused("cat.jpg", ["cat.jpg"])
        'cat-2.jpg'
    """
    path, number, candidate = PurePosixPath(name), 2, name
    while candidate.lower() in [other.lower() for other in taken]:
        candidate = str(path.with_stem(f"{path.stem}-{number}"))
        number += 1
    return candidate
