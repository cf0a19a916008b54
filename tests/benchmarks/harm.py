"""`make bench-harm DATA=FOLDER`: what the default preset does to photos that nothing is wrong with.

python -m tests.benchmarks.harm [--data FOLDER] [--shards SHARD...] [--every N] [--config X] --output runs/harm

scikit-image's photos, those of a folder, and those that the training of the first guess held out (160 px), as they are
and with what ordinary photos have: bicubic x2, JPEG 90, noise of 5 / 255. An error of one 8-bit level, the rounding of
a file, counts as none.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from skimage import data as skimage_data

from degradations.base import eight_bit
from degradations.coding.jpeg import JPEG
from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.resolution.down_sampling import DownSampling
from ldrps.configuration.layers import DEFAULT_PRESET
from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.image_files import read_picture, to_tensor, write_picture
from ldrps.data.image_generator import image_generator
from ldrps.data.inputs import find_images
from ldrps.data.photos import PhotoData
from ldrps.metrics.fidelity import PSNR
from ldrps.results.contact_sheet import contact_sheet

CONDITIONS = {
    "clean": LowLight((0, 0), (1, 1)),
    "bicubic x2": DownSampling((2, 2)),
    "JPEG 90": JPEG((90, 90)),
    "noise 5": GaussianNoise((5 / 255, 5 / 255)),
}
WHEEL = ("astronaut", "camera", "cat", "coffee", "coins", "moon", "rocket", "brick", "grass", "gravel")
ROUNDED = 20 * math.log10(255)
"""Decibels of an error of one 8-bit level."""

LONGEST_PX = 512
SHORT_SIDE_PX = 160
HELD_OUT = 1024
"""Photos that `configs/train/first_guess.yaml` keeps out of training."""


def photos(options):
    """Source, name and picture, one after another."""
    for path, _ in find_images(options.data) if options.data else ():
        yield "folder", path.stem, reduced(read_picture(path).image)
    for name in WHEEL:
        image = np.atleast_3d(getattr(skimage_data, name)())
        yield "scikit-image", name, reduced(to_tensor(Image.fromarray(np.broadcast_to(image, (*image.shape[:2], 3)))))
    if options.shards:
        data = PhotoData(options.shards, SHORT_SIDE_PX, num_held_out=HELD_OUT)
        data.setup("validate")
        for number in range(0, len(data.held_out), options.every):
            yield "held out", str(number), data.held_out[number]["image"]


def reduced(picture):
    """At most LONGEST_PX a side, which keeps the whole of it in view."""
    longest = max(picture.shape[1:])
    if longest <= LONGEST_PX:
        return picture
    size = [round(side * LONGEST_PX / longest) for side in picture.shape[1:]]
    return eight_bit(torch.nn.functional.interpolate(picture[None], size, mode="area")[0])


def decibels(image, target):
    return min(float(PSNR()(eight_bit(image)[None], target[None])[0]), ROUNDED)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of clean photos")
    parser.add_argument("--shards", nargs="*", default=[], help="shards that the trainings saw")
    parser.add_argument("--every", type=int, default=4, help="take every so-manieth of the photos held out")
    parser.add_argument("--config", default=DEFAULT_PRESET)
    parser.add_argument("--output", type=Path, default=Path("runs/harm"))
    options = parser.parse_args(arguments)
    quieten()
    restorer = load_preset(options.config)
    restorer.load()
    rows = []
    for source, name, target in track(list(photos(options)), "restoring"):
        for condition, damage in CONDITIONS.items():
            degraded = eight_bit(damage(target[None], [image_generator(target, 0)]))
            restored = restorer.restore(degraded, [None])[0]
            change = decibels(restored, target) - decibels(degraded[0], target)
            rows.append((change, source, name, condition, (degraded[0], restored, target)))
            # Only the worst are kept as pictures.
            rows.sort(key=lambda row: row[0])
            rows[10:] = [(*row[:4], None) for row in rows[10:]]
    report(rows, options.output)


def report(rows, output):
    """Print the table, write it, and draw the ten worst: what was given, what came back, what it should be."""
    table = Table("photos", "condition", "number", "mean change, dB", "lose > 0.1 dB", "lose > 0.5 dB", "worst, dB")
    lines = []
    for source in dict.fromkeys(row[1] for row in rows):
        for condition in CONDITIONS:
            changes = np.array([row[0] for row in rows if row[1] == source and row[3] == condition])
            worse = [f"{(changes < -limit).sum()} ({(changes < -limit).mean():.1%})" for limit in (0.1, 0.5)]
            lines.append(
                (source, condition, str(len(changes)), f"{changes.mean():+.2f}", *worse, f"{changes.min():+.2f}")
            )
            table.add_row(*lines[-1])
    Console(width=120).print(table)
    output.mkdir(parents=True, exist_ok=True)
    header = [str(column.header) for column in table.columns]
    text = [header, ["---"] * len(header), *lines]
    worst = [f"{name} ({source}, {condition}): {change:+.2f} dB" for change, source, name, condition, _ in rows[:10]]
    page = ["| " + " | ".join(line) + " |" for line in text] + ["", *worst]
    (output / "harm.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    tiles = [
        (label, picture)
        for change, _, name, condition, pictures in rows[:10]
        for label, picture in zip((f"{name}, {condition}", f"{change:+.2f} dB", "target"), pictures, strict=True)
    ]
    write_picture(contact_sheet(tiles, columns=6), output / "worst.png")


if __name__ == "__main__":
    main(sys.argv[1:])
