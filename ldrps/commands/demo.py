"""`ldrps demo`: damages a sample photo, restores it with the default preset, says where to look."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ldrps.commands import lightning, restore
from ldrps.commands.options import option, parse

WHEN_INTERRUPTED = lightning.WHEN_INTERRUPTED


@dataclass(frozen=True)
class Demo:
    """Damage a sample photo, restore it with the default preset, say where to look.

    Attributes:
        output: Folder for the pictures.
    """

    output: Path = field(default=Path("demo"), metadata=option("-o", metavar="DIR"))


def run(arguments: Sequence[str]) -> int:
    """Make, restore and point to the pictures; returns the exit code."""
    options, changes = parse("demo", Demo, arguments)
    photo, restored = options.output / "photo.png", options.output / "restored"
    make_photo(photo)
    job = restore.Restore(inputs=[str(photo)], output=str(restored), compare=True, trajectory=6, overwrite=True)
    code = lightning.run_verb("predict", job.settings, changes)
    if code == 0:
        command = Path(sys.executable).parent / "ldrps"
        sys.stdout.write(
            f"\nDamaged photo:   {photo}\nRestored photo:  {restored / 'photo.png'}\n"
            f"Before | after:  {restored / 'photo.compare.png'}\n"
            f"Film strip:      {restored / 'photo.trajectory.png'}\n"
            f"\nYour own:        {command} restore photo.jpg --output restored --compare\n"
        )
    return code


def make_photo(path: Path) -> None:
    """Write a photo of a cat, taken in too little light with a noisy camera (scikit-image's own picture)."""
    import skimage
    import torch

    from degradations.light.low_light import LowLight
    from degradations.noise.gaussian_noise import GaussianNoise
    from degradations.pipeline import Sequence
    from ldrps.data.image_files import read_picture, write_picture
    from modules.pictures import to_pil

    photo = read_picture(Path(skimage.__file__).parent / "data" / "chelsea.png").image[None, :, 16:272, 90:346]
    damage = Sequence([LowLight((2.0, 2.0), (1.1, 1.1)), GaussianNoise((5 / 255, 5 / 255))])
    write_picture(to_pil(damage(photo, [torch.Generator().manual_seed(0)])[0]), path)
