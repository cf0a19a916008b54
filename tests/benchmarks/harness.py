"""`make bench-harness`: what `ldrps test` costs besides restoring, and whether its memory grows.

python -m tests.benchmarks.harness [--data FOLDER] [--images 64] [--many 10000]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from ldrps.data.image_files import write_picture
from modules.pictures import to_pil
from tests.benchmarks.restore import load_photos, markdown

BASE = ("--device", "cpu", "--no-baselines", "--trainer.enable_progress_bar", "false", "--suite", "noise_25")


def timed(run, clean, *arguments):
    """Run `ldrps test` in this process; seconds from the first batch to the last row, images, seconds of restoring."""
    from ldrps.callbacks.results import Results
    from ldrps.cli import main

    marks = {}
    start, end = Results.on_test_start, Results.on_test_end

    def on_start(self, *given):
        marks["start"] = time.perf_counter()
        return start(self, *given)

    def on_end(self, *given):
        marks["end"] = time.perf_counter()
        return end(self, *given)

    Results.on_test_start, Results.on_test_end = on_start, on_end
    try:
        if main(["test", "--clean", str(clean), "--output", str(run), *BASE, *map(str, arguments)]) != 0:
            raise SystemExit("the run failed")
    finally:
        Results.on_test_start, Results.on_test_end = start, end
    rows = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
    restored = [row for row in rows if row["restorer"] != "input"]
    return marks["end"] - marks["start"], len(restored), sum(row["seconds"] for row in restored)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=None)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument(
        "--many", type=int, default=10_000, help="images whose memory is compared with that of 100; 0 skips it"
    )
    parser.add_argument("--restorers", nargs="+", default=["nothing", "blind"], help="which to time")
    parser.add_argument("--memory-of", type=int, default=None, help="(internal) peak memory of that many images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        nothing = folder / "nothing.yaml"
        nothing.write_text("model: {class_path: ldrps.methods.baselines.bicubic.Bicubic}")
        if options.memory_of is not None:
            random = np.random.default_rng(0)
            for number in range(options.memory_of):
                picture = Image.fromarray(random.integers(256, size=(48, 48, 3), dtype=np.uint8))
                write_picture(picture, folder / "many" / f"{number}.png")
            timed(folder / "run", folder / "many", "--config", nothing, "--results.pictures", "false")
            sys.stderr.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}\n")
            return
        for name, image in load_photos(options.data or None, options.images).items():
            write_picture(to_pil(image), folder / "clean" / f"{name}.png")
        rows = []
        for label in options.restorers:
            config = nothing if label == "nothing" else label
            timed(folder / f"warm {label}", folder / "clean", "--config", config, "--limit", 1)
            seconds, count, restoring = timed(folder / label, folder / "clean", "--config", config)
            overhead = seconds - restoring
            cells = (seconds / count, restoring / count, overhead / count * 1000, overhead / seconds * 100)
            rows.append(
                [label, str(count), f"{cells[0]:.3f}", f"{cells[1]:.3f}", f"{cells[2]:.0f}", f"{cells[3]:.1f} %"]
            )
        columns = ["restorer", "images", "seconds an image", "restoring", "everything else, ms", "share"]
        print(markdown(columns, rows))  # noqa: T201
        if not options.many:
            return
        command = [sys.executable, "-m", "tests.benchmarks.harness", "--memory-of"]
        peaks = {
            count: subprocess.run([*command, str(count)], capture_output=True, text=True, check=True).stderr.split()[-1]
            for count in (100, options.many)
        }
        print("peak MiB by number of images (48 x 48, nothing restored): ", peaks)  # noqa: T201


if __name__ == "__main__":
    main()
