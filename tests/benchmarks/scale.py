"""`make bench-scale`: how time and memory grow with the photo and the batch, and what precision and windows change.

python -m tests.benchmarks.scale [--output runs/scale] [--sizes 256 512 1024 2048 4000] [--batches 1 2 4 8 16]
    [--preset fast] [--growth-only]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from PIL import Image
from rich.progress import track
from skimage import data as skimage_data

from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.image_files import to_tensor
from ldrps.data.samples import Sample
from tests.benchmarks.restore import machine, markdown, replace_vgg

PRESETS = ("blind", "fast", "refined", "best", "reference_denoising")
PROCESSOR_TIME = "LDRPS_PROCESSOR_TIME"
"""Environment variable: seconds are those of the processor, all cores together; where other work runs."""

FEW = {"sampling__num_inference_steps": 18, "backbone__path": "package:ldrps/pretrained/mini", "working_scale": 1.0}


def photo(width, height, seed=0):
    """A dark, noisy photo of the size."""
    clean = to_tensor(Image.fromarray(skimage_data.coffee()).resize((width, height), Image.Resampling.BICUBIC))
    noise = 0.03 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    return clean, (0.4 * clean + noise).clamp(0, 1)


def measure(preset, width, height, batch, side_px, precision):
    """One restoration in this process: seconds an image, peak memory, fidelity."""
    restorer = load_preset(preset, windows__side_px=side_px, **(FEW if preset.startswith("reference") else {}))
    restorer.load()
    replace_vgg(restorer)
    clean, _ = photo(width, height)
    samples = [Sample(str(seed), None, photo(width, height, seed)[1]) for seed in range(batch)]
    restorer.restore_batch([Sample("warm", None, photo(64, 64)[1])])
    clock = time.process_time if os.environ.get(PROCESSOR_TIME) else time.perf_counter
    started = clock()
    dtype = {"32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
        restored = [outcome.restored for outcome in restorer.restore_batch(samples)]
    seconds = (clock() - started) / batch
    psnr = -10 * float((restored[0] - clean).square().mean().log10())
    return {
        "seconds": seconds,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "psnr": psnr,
        "probe": restored[0].flatten()[:: max(1, restored[0].numel() // 4000)].tolist(),
    }


def run(preset, width, height, batch=1, side_px=512, precision="32"):
    """The same in a process of its own, so that peak memory is its own."""
    arguments = [preset, width, height, batch, side_px, precision]
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--one", *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def growth(preset, sizes, counts, output):
    """Time and memory over the number of pixels, and of images at once, as tables and a plot."""
    shapes = [(side, round(side * 3 / 4 / 4) * 4) for side in sizes]
    by_size = [run(preset, *shape) for shape in track(shapes, description="sizes")]
    by_count = [run(preset, 256, 256, count) for count in track(counts, description="images at once")]
    megapixels = [width * height / 1e6 for width, height in shapes]
    plot(
        output / "growth.png",
        preset,
        {"megapixels": (megapixels, by_size), "images of 256 x 256 at once": (counts, by_count)},
    )
    rows = [
        [f"{width} x {height}", f"{result['seconds']:.1f}", f"{result['seconds'] / pixels:.1f}", f"{result['mib']:.0f}"]
        for (width, height), pixels, result in zip(shapes, megapixels, by_size, strict=True)
    ]
    together = [
        [count, f"{result['seconds']:.2f}", f"{result['mib']:.0f}"]
        for count, result in zip(counts, by_count, strict=True)
    ]
    return [
        markdown([f"photo ({preset})", "seconds", "seconds a megapixel", "peak MiB"], rows),
        markdown([f"256 x 256 at once ({preset})", "seconds an image", "peak MiB"], together),
    ]


def plot(file, preset, series):
    """Draw time and memory over some numbers, one row for each."""
    figure, axes = plt.subplots(len(series), 2, figsize=(9, 6), layout="constrained")
    for row, (label, (numbers, results)) in zip(axes, series.items(), strict=True):
        for axis, key, unit in zip(row, ("seconds", "mib"), ("seconds an image", "peak memory, MiB"), strict=True):
            values = [result[key] for result in results]
            axis.plot(numbers, values, "o-")
            axis.set(xlabel=label, ylabel=unit, xlim=(0, None), ylim=(0, 1.1 * max(values)))
    figure.suptitle(f"{preset}, embedded model")
    figure.savefig(file, dpi=100)
    plt.close(figure)


def batches():
    """Seconds an image of each preset, one by one and eight at once."""
    rows = []
    for preset in track(PRESETS, description="batches"):
        one, eight = (run(preset, 256, 256, batch)["seconds"] for batch in (1, 8))
        rows.append([preset, f"{one:.2f}", f"{eight:.2f}", f"{eight / one:.2f}"])
    return markdown(["preset, 256 x 256", "seconds an image, batch 1", "batch 8", "ratio"], rows)


def changes(preset):
    """What windows and precision change in a photo of 1024 x 768."""
    whole = run(preset, 1024, 768, side_px=4096)
    rows = []
    for name, settings in {
        "one piece": {"side_px": 4096},
        "windows of 512": {},
        "windows of 256": {"side_px": 256},
        "bf16": {"precision": "bf16"},
        "fp16": {"precision": "fp16"},
    }.items():
        result = run(preset, 1024, 768, **settings)
        error = (torch.tensor(result["probe"]) - torch.tensor(whole["probe"])).square().mean()
        same = "same" if float(error) == 0 else f"{-10 * float(error.log10()):.1f}"
        rows.append([name, f"{result['seconds']:.1f}", f"{result['mib']:.0f}", f"{result['psnr']:.2f}", same])
    header = ["1024 x 768", "seconds", "peak MiB", "PSNR to the clean photo, dB", "PSNR to one piece in fp32, dB"]
    return markdown(header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="runs/scale", type=Path)
    parser.add_argument("--preset", default="fast")
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048, 4000], help="widths of 4:3 photos"
    )
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2, 4, 8, 16], help="images at once")
    parser.add_argument("--growth-only", action="store_true", help="leave out the presets, windows and precision")
    parser.add_argument("--one", nargs=6)
    options = parser.parse_args()
    quieten()
    if options.one:
        preset, *numbers, precision = options.one
        sys.stdout.write(json.dumps(measure(preset, *map(int, numbers), precision)) + "\n")
        return
    options.output.mkdir(parents=True, exist_ok=True)
    parts = [f"Machine: {machine()}.", *growth(options.preset, options.sizes, options.batches, options.output)]
    if not options.growth_only:
        parts += [batches(), changes("blind")]
    text = "\n\n".join(parts)
    (options.output / "figures.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
