"""Draws the gallery of the start page and the README's picture: python docs/gallery.py [FOLDER].

Ten damages of scikit-image's photos before and after the default preset, as `ldrps restore` runs it.
"""

import sys
from pathlib import Path

import torch
from PIL import Image
from rich.progress import track
from skimage import data

from degradations.base import eight_bit
from degradations.suites import load_suites
from ldrps.commands.demo import DAMAGES, make_photos, write_sheet
from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.image_files import read_picture, to_tensor, write_picture
from ldrps.data.shipped import suite_folder
from ldrps.results.pictures import write_jpeg
from modules.pictures import to_pil

PICTURES = Path(__file__).parent / "pictures"

SIDE_PX = 256

PHOTOS = {
    "low_light": data.chelsea()[:, 90:390],
    "low_light_noise": data.astronaut()[:400, 30:430],
    "camera_low_light": data.coffee()[:400, 100:500],
    "uneven_light": data.rocket()[:427, 100:527],
    "haze": data.coffee()[:400, 100:500],
    "haze_even": data.rocket()[:427, 100:527],
    "noise_25": data.astronaut()[:320, 60:380],
    "camera_noise": data.chelsea()[:, 90:390],
    "grey_noise": data.cat()[:300, 80:380],
    "wild_light": data.retina()[400:1000, 400:1000],
}


def main(folder: str = str(PICTURES)) -> None:
    """Draw everything into a folder."""
    quieten()
    target = Path(folder)
    restorer = load_preset(prior="modules.priors.auto.Auto")
    suites = load_suites("all", suite_folder())
    for suite, photo in track(PHOTOS.items(), "gallery"):
        clean = to_tensor(Image.fromarray(photo).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS))
        damaged = eight_bit(suites[suite](clean[None], [torch.Generator().manual_seed(0)])[0])
        write_jpeg(to_pil(damaged), target / "gallery" / f"{suite}.before.jpg")
        write_jpeg(restorer(damaged), target / "gallery" / f"{suite}.after.jpg")
    draw_demo(restorer, target)


def draw_demo(restorer: torch.nn.Module, target: Path) -> None:
    """What `ldrps demo` makes, in one picture."""
    demo = target / "_demo"
    photos = [demo / f"{damage}.png" for damage in DAMAGES]
    make_photos(photos)
    for photo in photos:
        write_picture(restorer(read_picture(photo).image), demo / "restored" / photo.name)
    write_sheet(photos, demo / "restored", target / "demo.png")
    for path in sorted(demo.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    demo.rmdir()


if __name__ == "__main__":
    main(*sys.argv[1:])
