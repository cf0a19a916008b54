"""`ldrps demo`: damages sample photos, restores them with the default preset, says where to look."""

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


@dataclass(frozen=True)
class Demo:
    """Damage three sample photos, restore them with the default preset, say where to look.

    Attributes:
        output: Folder for the pictures.
    """

    output: Path = field(default=Path("demo"), metadata=option("-o", metavar="DIR"))


def run(arguments: Sequence[str]) -> int:
    """Make, restore and point to the pictures; returns the exit code."""
    options, changes = parse("demo", Demo, arguments)
    restored = options.output / "restored"
    photos = [options.output / f"{damage}.png" for damage in DAMAGES]
    make_photos(photos)
    inputs = [str(photo) for photo in photos]
    job = restore.Restore(inputs=inputs, output=str(restored), compare=True, trajectory=6, overwrite=True)
    code = lightning.run_verb("predict", job.settings, changes)
    if code == 0 and all((restored / photo.name).is_file() for photo in photos):
        write_sheet(photos, restored, options.output / SHEET)
        command = Path(sys.executable).parent / "ldrps"
        sys.stdout.write(
            f"\nAll in one picture:  {options.output / SHEET}\n"
            f"Damaged photos:      {', '.join(map(str, photos))}\n"
            f"Restored photos:     {restored}/, with before | after and film strips\n"
            f"\nYour own:            {command} restore photo.jpg --output restored --compare\n"
        )
    return code


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
