"""`make bench-denoising DATA=FOLDER`: noise of known kind, taken out by the presets, by BM3D and by non-local means.

python -m tests.benchmarks.denoising --data FOLDER [--limit N] [--configs fast refined] [--output runs/denoising]

Squares of 256 pixels from the middle of clean photos, with the noise of the suites noise_15, noise_25 and noise_50,
rounded to 8 bits; none is told the level. BM3D (Dabov et al. 2007; the package `bm3d`, for research only) works in
colour and takes the level that scikit-image estimates, and beside it the true one.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats
from skimage.restoration import estimate_sigma

from degradations.base import eight_bit
from degradations.noise.gaussian_noise import GaussianNoise
from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.image_files import read_picture
from ldrps.data.image_generator import image_generator
from ldrps.data.inputs import find_images
from ldrps.methods.baselines.non_local_means import NonLocalMeans
from ldrps.metrics.fidelity import PSNR
from tests.benchmarks.restore import markdown

LEVELS = (15, 25, 50)
SIDE_PX = 256
REFERENCE = "BM3D, estimated"


def bm3d(image, sigma):
    """Colour BM3D, shape (3, H, W)."""
    from bm3d import bm3d_rgb

    restored = bm3d_rgb(image.permute(1, 2, 0).double().numpy(), sigma)
    return torch.from_numpy(restored).permute(2, 0, 1).float().clamp(0, 1)


def square(image):
    """The middle of a photo, shape (3, s, s) with s at most SIDE_PX."""
    side = min(SIDE_PX, *image.shape[1:])
    top, left = (image.shape[1] - side) // 2, (image.shape[2] - side) // 2
    return image[:, top : top + side, left : left + side]


def estimated(image):
    return float(np.mean(estimate_sigma(image.permute(1, 2, 0).numpy(), channel_axis=2)))


def methods(configs):
    """How each makes a photo of shape (3, H, W) from a noisy one and the true level."""
    presets = {name: load_preset(name) for name in configs}
    presets["fast, 8 views"] = load_preset("fast", output__init_args__num_views=8)
    presets["non-local means"] = NonLocalMeans()
    for preset in presets.values():
        preset.load()
    return {
        "as seen": lambda noisy, level: noisy,
        **{
            name: lambda noisy, level, preset=preset: preset.restore(noisy[None], [None])[0]
            for name, preset in presets.items()
        },
        REFERENCE: lambda noisy, level: bm3d(noisy, estimated(noisy)),
        "BM3D, told the level": lambda noisy, level: bm3d(noisy, level),
    }


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of clean photos")
    parser.add_argument("--limit", type=int, help="take so many photos")
    parser.add_argument("--configs", nargs="*", default=["fast", "refined"])
    parser.add_argument("--output", type=Path, default=Path("runs/denoising"))
    options = parser.parse_args(arguments)
    quieten()
    targets = [square(read_picture(path).image) for path, _ in find_images(options.data)][: options.limit]
    named = methods(options.configs)
    figures = {name: {level: [] for level in LEVELS} for name in named}
    for target in track(targets, "denoising"):
        for level in LEVELS:
            damage = GaussianNoise((level / 255,) * 2)
            noisy = eight_bit(damage(target[None], [image_generator(target, 0)]))[0]
            for name, make in named.items():
                restored = eight_bit(make(noisy, level / 255).clamp(0, 1))
                figures[name][level].append(float(PSNR()(restored[None], target[None])[0]))
    report(figures, options.output)


def report(figures, output):
    """Print the table and write it: PSNR, and how much more than the reference's with its 95 % interval."""
    table = Table("PSNR, dB", *(f"noise {level}" for level in LEVELS), title=f"{SIDE_PX} px")
    lines = []
    for name, levels in figures.items():
        cells = []
        for level, values in levels.items():
            more = np.array(values) - np.array(figures[REFERENCE][level])
            count = len(more)
            half = stats.t.ppf(0.975, count - 1) * more.std(ddof=1) / count**0.5 if count > 1 else float("nan")
            cells.append(
                f"{np.mean(values):.2f}" + (f" ({more.mean():+.2f} ± {half:.2f})" if name != REFERENCE else "")
            )
        lines.append((name, *cells))
        table.add_row(*lines[-1])
    Console(width=120).print(table)
    output.mkdir(parents=True, exist_ok=True)
    header = [str(column.header) for column in table.columns]
    (output / "denoising.md").write_text(markdown(header, lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
