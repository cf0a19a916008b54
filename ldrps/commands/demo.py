"""`ldrps demo`: damages sample photos, restores them with the default preset, says where to look."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ldrps.commands import lightning, restore
from ldrps.commands.options import option, parse

if TYPE_CHECKING:
    from torch import Tensor

WHEN_INTERRUPTED = lightning.WHEN_INTERRUPTED

DAMAGES = ("dark", "hazy", "noisy")

SHEET = "before_after.png"
"""All of them in one picture."""

RECORD = ".ldrps-demo.json"
"""What a demo made in its folder: SHA-256 by name. Whatever else lies there is somebody's own."""


@dataclass(frozen=True)
class Demo:
    """Damage three sample photos, restore them with the default preset, say where to look.

    Attributes:
        output: Folder for the pictures; those of an earlier demo are replaced, and nothing else.
    """

    output: Path = field(default=Path("demo"), metadata=option("-o", metavar="DIR"))


def run(arguments: Sequence[str]) -> int:
    """Make, restore and point to the pictures; returns the exit code.

    Raises:
        ValueError: If the folder cannot be written, or holds what would be written over and no demo made.
    """
    options, changes = parse("demo", Demo, arguments)
    restored = options.output / "restored"
    photos = [options.output / f"{damage}.png" for damage in DAMAGES]
    clear(options.output)
    try:
        make_photos(photos)
        inputs = [str(photo) for photo in photos]
        job = restore.Restore(inputs=inputs, output=str(restored), compare=True, trajectory=6)
        code = lightning.run_verb("predict", job.settings, changes)
        is_whole = code == 0 and all((restored / photo.name).is_file() for photo in photos)
        if is_whole:
            write_sheet(photos, restored, options.output / SHEET)
    finally:
        # Also of a demo that was interrupted, so that it can be repeated.
        record(options.output)
    if is_whole:
        command = Path(sys.executable).parent / "ldrps"
        sys.stdout.write(
            f"\nAll in one picture:  {options.output / SHEET}\n"
            f"Damaged photos:      {', '.join(map(str, photos))}\n"
            f"Restored photos:     {restored}/, with before | after and film strips\n"
            f"\nYour own:            {command} restore photo.jpg --output restored --compare\n"
        )
    return code


def clear(output: Path) -> None:
    """Make the folder, and take away what an earlier demo made in it.

    Raises:
        ValueError: If it cannot be written, or something is in the way that no demo made.
    """
    from ldrps.data.outputs import prepare_folder

    prepare_folder(output)
    try:
        known = dict(json.loads((output / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        # Without a record everything is somebody's own.
        known = {}
    earlier = written(output)
    for file in earlier:
        name = file.relative_to(output).as_posix()
        if file.is_symlink() or not file.is_file() or known.get(name) != sha256(file):
            raise ValueError(
                f"output folder {str(output)!r} holds {name}, which is not as a demo left it: "
                "choose another --output, or move it away"
            )
    for file in earlier:
        file.unlink()


def record(output: Path) -> None:
    """Keep what a demo made, once nothing else was in its way."""
    from modules.safe_files import complete_or_absent

    made = {file.relative_to(output).as_posix(): sha256(file) for file in written(output) if file.is_file()}
    with complete_or_absent(output / RECORD) as stream:
        stream.write(json.dumps(made, indent=1).encode())


def written(output: Path) -> list[Path]:
    """What lies in a folder under the names that a demo writes, in any format."""
    from ldrps.configuration.kept_settings import SETTINGS_FILE

    restored = output / "restored"
    files = [*(output / f"{damage}.png" for damage in DAMAGES), output / SHEET, restored / SETTINGS_FILE]
    files += [file for damage in DAMAGES for file in sorted(restored.glob(f"{damage}.*"))]
    return [file for file in files if file.exists() or file.is_symlink()]


def sha256(file: Path) -> str:
    """Fingerprint of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def make_photos(paths: Sequence[Path]) -> None:
    """Write three photos (scikit-image's own pictures): too little light and a noisy camera, haze, noise."""
    import skimage
    import torch

    from degradations.light.low_light import LowLight
    from degradations.noise.gaussian_noise import GaussianNoise
    from degradations.pipeline import Sequence as InTurn
    from degradations.suites import load_suites
    from ldrps.data.image_files import read_picture, write_picture
    from ldrps.data.shipped import suite_folder
    from modules.pictures import to_pil

    pictures = Path(skimage.__file__).parent / "data"
    suites = load_suites("all", suite_folder())
    made = (
        ("chelsea.png", (16, 90), InTurn([LowLight((2.0, 2.0), (1.1, 1.1)), GaussianNoise((5 / 255, 5 / 255))])),
        ("coffee.png", (60, 200), suites["haze_even"]),
        ("astronaut.png", (0, 90), suites["noise_25"]),
    )
    for path, (name, (top, left), damage) in zip(paths, made, strict=True):
        photo = read_picture(pictures / name).image[None, :, top : top + 256, left : left + 256]
        write_picture(to_pil(damage(photo, [torch.Generator().manual_seed(0)])[0]), path)


def write_sheet(photos: Sequence[Path], restored: Path, path: Path) -> None:
    """Put damaged photos above restored ones."""
    from ldrps.data.image_files import read_picture, write_picture
    from ldrps.results.contact_sheet import contact_sheet

    def row(folder: Path, label: str) -> "list[tuple[str, Tensor]]":
        return [(f"{photo.stem}{label}", read_picture(folder / photo.name).image) for photo in photos]

    sheet = contact_sheet([*row(photos[0].parent, ""), *row(restored, ", restored")], columns=len(photos))
    write_picture(sheet, path)
