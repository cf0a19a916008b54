"""`make gpu`: everything that wants a GPU, in one command; writes one Markdown table, or says that there is none.

python -m tests.benchmarks.gpu [--output runs/gpu] [--dtype bfloat16] [--batch 1 8]

Runs the tests marked `gpu`, then `reference_low_light`, `fast` and `blind` on a model of the exact
shape of Stable Diffusion 2.1-base with random weights (made on the first run, 2.6 GB), at 512 x 512 pixels: seconds an
image, peak memory and the share of U-Net and decoder in the time; then the wild degradations a second. A restoration of
many steps is told from two of 8 and 16.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch

from degradations.wild import Wild
from ldrps.configuration.quiet import quieten
from ldrps.methods.peak_memory import PeakMemory
from ldrps.methods.speeds import seconds_of
from tests.benchmarks.full_size import WORKING_SIDE_PX, load, model_folder, photo
from tests.benchmarks.restore import markdown

MODEL = "sd21"
PRESETS = ("reference_low_light", "fast", "blind")
COUNTS = (8, 16)


class Clock:
    """Time spent in a network's forward and backward passes, by events on the GPU."""

    def __init__(self, network):
        self.spans = []
        network.register_forward_pre_hook(self._start)
        network.register_forward_hook(self._stop)
        network.register_full_backward_pre_hook(self._start)
        network.register_full_backward_hook(self._stop)

    def _start(self, *_):
        self.spans.append([self._mark(), None])

    def _stop(self, *_):
        self.spans[-1][1] = self._mark()

    def _mark(self):
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self):
        torch.cuda.synchronize()
        return sum(start.elapsed_time(end) for start, end in self.spans if end is not None) / 1000


def restoring(preset, batch, dtype, output):
    """One row: seconds an image, peak memory, share of the networks."""
    restorer = load(preset, output / MODEL, output / "hub", backbone__dtype=dtype).to("cuda")
    images = photo(WORKING_SIDE_PX).repeat(batch, 1, 1, 1).to("cuda")
    seconds_of(restorer, images, (2, 2))
    with PeakMemory(restorer.device) as memory:
        seconds = seconds_of(restorer, images, COUNTS)
        memory.peak_bytes = max(memory.peak_bytes, torch.cuda.max_memory_allocated())
    clocks = [Clock(restorer.backbone.unet), Clock(restorer.backbone.vae.decoder)]
    started = time.perf_counter()
    seconds_of(restorer, images, COUNTS)
    share = sum(clock.seconds() for clock in clocks) / (time.perf_counter() - started)
    del restorer
    torch.cuda.empty_cache()
    peak = f"{memory.peak_bytes / 2**30:.1f}"
    return [preset, batch, f"{seconds / batch:.2f}", peak, f"{100 * share:.0f} %"]


def degrading(side=256, batch=64, rounds=5):
    """Wild degradations a second, the differentiable codec's, which needs no CPU."""
    images = photo(side).repeat(batch, 1, 1, 1).to("cuda")
    wild = Wild(codec="differentiable")
    times = []
    for number in range(rounds + 1):
        generators = [torch.Generator().manual_seed(number * batch + row) for row in range(batch)]
        torch.cuda.synchronize()
        started = time.perf_counter()
        wild(images, generators)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return batch / sorted(times[1:])[rounds // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default=Path("runs/gpu"), type=Path)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.stderr.write(
            "no CUDA GPU was found by torch: nothing was run; `make bench-full-size` measures on the CPU\n"
        )
        raise SystemExit(1)
    quieten()
    tests = subprocess.run([sys.executable, "-m", "pytest", "-m", "gpu"], check=False)
    model_folder(MODEL, options.output)
    rows = []
    for preset in PRESETS:
        for batch in options.batch:
            rows.append(restoring(preset, batch, options.dtype, options.output))
            sys.stderr.write(" ".join(map(str, rows[-1])) + "\n")
    header = ["preset", "batch", "seconds an image of 512 x 512", "peak, GiB", "in U-Net and decoder"]
    text = (
        f"GPU: {torch.cuda.get_device_name()}, torch {torch.__version__}, {options.dtype}, {MODEL} with random "
        f"weights. Tests marked gpu: {'passed' if tests.returncode == 0 else 'FAILED'}.\n\n{markdown(header, rows)}\n"
        f"Wild degradations of 256 x 256, batches of 64: {degrading():.0f} a second.\n"
    )
    (options.output / "figures.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    raise SystemExit(tests.returncode)


if __name__ == "__main__":
    main()
