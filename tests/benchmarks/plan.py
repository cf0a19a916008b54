"""`make bench-plan`: what `ldrps plan` says beside what happens, for photos of several sizes.

python -m tests.benchmarks.plan [--preset blind] [--size 256x256 512x512 1024x768]

Every plan is made on a machine of which nothing is known, so from two small restorations; then the photo is restored in
the same process. A ratio of 1 is a perfect forecast; within 1.5 is what is aimed at.
"""

import argparse
import json
import subprocess
import sys

import torch
from PIL import Image
from skimage import data as skimage_data

from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.image_files import to_tensor
from ldrps.methods.forecast import plan
from ldrps.methods.peak_memory import PeakMemory
from ldrps.methods.speeds import Speeds, timed
from tests.benchmarks.restore import machine, markdown


def compare(preset, size):
    """Plan and restore one photo in this process."""
    restorer = load_preset(preset)
    restorer.load()
    forecast = plan(restorer, [size], Speeds())
    image = to_tensor(Image.fromarray(skimage_data.astronaut()).resize(size))[None]
    with PeakMemory(torch.device("cpu")) as memory:
        seconds = timed(restorer, image)
    return {
        "said": [forecast.seconds or 0.0, (forecast.peak_bytes or 0) / 2**30],
        "took": [seconds, memory.peak_bytes / 2**30],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", nargs="+", default=["blind"])
    parser.add_argument("--size", nargs="+", default=["448x448", "640x480", "1024x768", "1800x1200"])
    parser.add_argument("--one", action="store_true", help="compare one photo in this process")
    options = parser.parse_args()
    quieten()
    if options.one:
        width, height = options.size[0].split("x")
        sys.stdout.write(json.dumps(compare(options.preset[0], (int(width), int(height)))))
        return
    rows = []
    for preset in options.preset:
        for size in options.size:
            command = [sys.executable, "-m", "tests.benchmarks.plan", "--one", "--preset", preset, "--size", size]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found = json.loads(printed.splitlines()[-1])
            cells = []
            for said, took, unit in zip(found["said"], found["took"], ("s", "GiB"), strict=True):
                cells += [f"{said:.1f} {unit}", f"{took:.1f} {unit}", f"{said / took:.2f}"]
            rows.append([preset, size, *cells])
            sys.stderr.write(" ".join(rows[-1]) + "\n")
    header = ["preset", "photo", "time said", "taken", "ratio", "memory said", "taken", "ratio"]
    sys.stdout.write(f"Machine: {machine()}.\n\n{markdown(header, rows)}")


if __name__ == "__main__":
    main()
