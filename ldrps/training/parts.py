"""Parts of a pipeline folder, written whole or not at all; what they take the place of is kept beside them."""

import filecmp
import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from modules.file_modes import give_usual_modes


def write_parts(folder: Path, write: Callable[[Path], None]) -> list[Path]:
    """Write parts of a pipeline folder, and keep earlier ones of the same names.

    Args:
        folder: The pipeline folder; it is made if there is none.
        write: Writes the parts, files and folders, into a folder that it is given.

    Returns:
        Where earlier parts lie now; those that did not change are left where they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".ldrps-") as temporary:
        write(Path(temporary))
        give_usual_modes(Path(temporary))
        # Files last: without its index a folder is not taken for a pipeline.
        for part in sorted(Path(temporary).iterdir(), key=lambda path: (path.is_file(), path.name)):
            place = folder / part.name
            if is_same(part, place):
                continue
            if place.exists():
                carry_over(place, part)
                kept.append(place.rename(free_name(place)))
            part.rename(place)
    return kept


def is_same(part: Path, other: Path) -> bool:
    """Whether two files, or two folders, hold the same."""
    if part.is_file() or other.is_file():
        return part.is_file() and other.is_file() and filecmp.cmp(part, other, shallow=False)
    inside, others = (sorted(path.relative_to(top) for path in top.rglob("*")) for top in (part, other))
    return inside == others and all(is_same(part / name, other / name) for name in inside if (part / name).is_file())


def carry_over(earlier: Path, part: Path) -> None:
    """Copy folders that lie in an earlier part and not in the new one, such as the DA-CLIP of an IR-SDE."""
    for inside in earlier.iterdir() if earlier.is_dir() and part.is_dir() else ():
        if inside.is_dir() and not (part / inside.name).exists():
            shutil.copytree(inside, part / inside.name)


def free_name(place: Path) -> Path:
    """Name beside a part that nothing has yet: ``unet.before``, ``unet.before-2`` and so on."""
    names = (f"{place.name}.before{'' if number == 1 else f'-{number}'}" for number in itertools.count(1))
    return next(path for name in names if not (path := place.with_name(name)).exists())
