"""`make demo`: damages a sample photo, restores it with the default preset, says where to look."""

import sys
from pathlib import Path

import torch

from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.pipeline import Sequence
from ldrps.cli import main as ldrps
from ldrps.data.image_files import read_picture, to_pil, write_picture


def make_photo(path: Path) -> None:
    """Write a photo of a cat, taken in too little light with a noisy camera (scikit-image's own picture)."""
    import skimage

    photo = read_picture(Path(skimage.__file__).parent / "data" / "chelsea.png").image[None, :, 16:272, 90:346]
    damage = Sequence([LowLight((2.0, 2.0), (1.1, 1.1)), GaussianNoise((5 / 255, 5 / 255))])
    write_picture(to_pil(damage(photo, [torch.Generator().manual_seed(0)])[0]), path)


def main(folder: str = "demo") -> int:
    """Make, restore and point to the pictures; returns the exit code."""
    photo = Path(folder) / "photo.png"
    make_photo(photo)
    restored = Path(folder) / "restored"
    code = ldrps(["restore", str(photo), "--output", str(restored), "--compare", "--trajectory", "6", "--overwrite"])
    if code == 0:
        command = Path(sys.executable).parent / "ldrps"
        sys.stdout.write(
            f"\nDamaged photo:   {photo}\nRestored photo:  {restored / 'photo.png'}\n"
            f"Before | after:  {restored / 'photo.compare.png'}\n"
            f"Film strip:      {restored / 'photo.trajectory.png'}\n"
            f"\nYour own:        {command} restore photo.jpg --output restored --compare\n"
        )
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
