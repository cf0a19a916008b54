"""`make bench-explanations DATA=FOLDER`: which explanation of a photo is taken, and which would have been the best.

python -m tests.benchmarks.explanations --data FOLDER [--pairs FOLDER...] [--shards SHARD...] [--suites NAME...]

Light and haze alone: mean PSNR of what each candidate of `blind`'s alignment net makes of photos, of what the judge
takes, and of the best in hindsight, without sampling and denoising. Squares of 256 pixels of clean photos behind the
suites, pairs as they are, and, of the shards, photos that the training of the judge held out. It counts the photos that
lose more than 0.5 dB; an error of one 8-bit level counts as none.
"""

import argparse
import math
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from degradations.base import eight_bit
from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.clean import CleanData
from ldrps.data.image_generator import image_generator
from ldrps.data.pairs import PairedData
from ldrps.data.photos import PhotoData
from ldrps.methods.baselines.dark_channel import DarkChannel
from ldrps.metrics.fidelity import PSNR
from tests.benchmarks.restore import markdown

SUITES = ("low_light", "low_light_noise", "camera_low_light", "uneven_light", "haze", "haze_even", "haze_sky")
ROUNDED = 20 * math.log10(255)
"""Decibels of an error of one 8-bit level."""

LOSS_DB = 0.5
HELD_OUT = 1024
"""Photos that `configs/training_light.yaml` keeps out of training."""


def sets(options):
    """Name of each row, and its pairs of photo and target, shape (3, H, W)."""
    for folder in options.pairs:
        data = PairedData(folder)
        data.setup("test")
        yield data.suite, samples(data)
    for suite in options.suites:
        data = CleanData([options.data], [suite], crop_px=256)
        data.setup("test")
        yield suite, samples(data)
    yield "in order", [(target, target) for _, target in samples(data)]
    if options.shards:
        data = PhotoData(options.shards, 160, num_held_out=HELD_OUT)
        data.setup("validate")
        photos = (data.held_out[number]["image"] for number in range(0, HELD_OUT, options.every))
        yield "in order, held out", [(photo, photo) for photo in photos]


def samples(data):
    files = data.files(data.tasks)
    return [(sample.image, sample.target) for sample in (files[number] for number in range(len(files)))]


def decibels(image, target):
    return min(float(PSNR()(eight_bit(image.clamp(0, 1))[None], target[None])[0]), ROUNDED)


@torch.no_grad()
def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of clean photos")
    parser.add_argument("--pairs", nargs="*", default=[], help="folders with input/ and target/")
    parser.add_argument("--suites", nargs="*", default=SUITES)
    parser.add_argument("--shards", nargs="*", default=[], help="shards that the trainings saw")
    parser.add_argument("--every", type=int, default=8, help="take every so-manieth of the photos held out")
    parser.add_argument("--judge", help="folder of another judge")
    parser.add_argument("--output", type=Path, default=Path("runs/explanations"))
    options = parser.parse_args(arguments)
    quieten()
    settings = {"alignment__init_args__weights": options.judge} if options.judge else {}
    alignment, dark_channel = load_preset("fast", **settings).alignment, DarkChannel()
    alignment.load()
    names = [name_of(candidate) for candidate in alignment.nets]
    table = Table("photos", "number", *names, "chosen", "best of these", "dark channel", f"chosen loses > {LOSS_DB} dB")
    lines = []
    for name, pairs in sets(options):
        figures = []
        for image, target in track(pairs, name, transient=True):
            alignment.begin(image[None], [image_generator(image, 0)])
            own = [decibels(candidate.invert(image[None])[0], target) for candidate in alignment.nets]
            chosen = own[int(alignment.chosen[0])]
            figures.append([*own, chosen, max(own), decibels(dark_channel.restore(image[None], [None])[0], target)])
        values = torch.tensor(figures)
        lost = int((values[:, 0] - values[:, len(names)] > LOSS_DB).sum())
        lines.append([name, str(len(values)), *(f"{value:.2f}" for value in values.mean(dim=0)), str(lost)])
        table.add_row(*lines[-1])
    Console(width=160).print(table)
    options.output.mkdir(parents=True, exist_ok=True)
    header = [str(column.header) for column in table.columns]
    (options.output / "explanations.md").write_text(markdown(header, lines), encoding="utf-8")


def name_of(candidate):
    """Names of a net and of those that it chains; that of the guess of one that looks several times."""
    parts = [getattr(candidate, part, None) for part in ("first", "second")]
    own = [getattr(candidate, "guess", candidate)]
    return " then ".join(type(part).__name__ for part in (parts if all(parts) else own))


if __name__ == "__main__":
    main(sys.argv[1:])
