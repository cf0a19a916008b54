"""What the default preset makes of five damages of scikit-image's photos: python docs/restorations.py [FILE].

Rows: damaged, restored, clean; 160 x 160.
"""

import sys
from pathlib import Path

import torch
from PIL import Image
from skimage import data

from degradations.base import eight_bit
from degradations.suites import load_suites
from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.image_files import to_tensor, write_picture
from ldrps.data.shipped import suite_folder
from ldrps.results.contact_sheet import contact_sheet

PHOTOS = {
    "noise_25": data.astronaut()[:320, 60:380],
    "low_light_noise": data.chelsea()[:, 90:390],
    "haze_even": data.coffee()[:400, 100:500],
    "haze": data.coffee()[:400, 100:500],
    "uneven_light": data.astronaut()[:320, 60:380],
}


def main(file: str = str(Path(__file__).parent / "pictures" / "blind.png")) -> None:
    """Draw the sheet."""
    quieten()
    restorer = load_preset()
    restorer.load()
    suites = load_suites("all", suite_folder())
    rows: list[list[tuple[str, torch.Tensor]]] = [[], [], []]
    for suite, photo in PHOTOS.items():
        clean = to_tensor(Image.fromarray(photo).resize((160, 160), Image.Resampling.LANCZOS))
        damaged = eight_bit(suites[suite](clean[None], [torch.Generator().manual_seed(0)])[0])
        restored = restorer.restore(damaged[None], [None])[0]
        labels = (suite, "restored", "clean")
        for row, label, picture in zip(rows, labels, (damaged, restored, clean), strict=True):
            row.append((label, picture))
    write_picture(contact_sheet([tile for row in rows for tile in row], columns=len(PHOTOS)), Path(file))


if __name__ == "__main__":
    main(*sys.argv[1:])
