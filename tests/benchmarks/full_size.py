"""`make bench-full-size`: models of the shapes of Stable Diffusion 1.5 and 2.1-base, with random weights, on a CPU.

python -m tests.benchmarks.full_size [--output runs/full_size] [--model sd15 sd21] [--preset blind ...]

For each model the time and memory of loading, and for each preset two steps of a picture that the model works on at
512 px: time of a step and peak memory. Each row is a process of its own.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import main as ldrps
from ldrps.configuration.layers import read_preset
from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.image_files import to_tensor
from ldrps.data.shipped import preset_folder
from ldrps.methods.peak_memory import PeakMemory
from tests.benchmarks.restore import machine, markdown
from tests.builders import write_vgg

WORKING_SIDE_PX = 512
MODELS = ("sd15", "sd21")
NUM_STEPS = 2


def presets():
    """Names of all presets that restore."""
    # `reference` is what the three tasks share, and no preset by itself; `fast` takes no step.
    names = [path.stem for path in sorted((preset_folder() / "restore").glob("*.yaml"))]
    steps = [name for name in names if read_preset(name)["model"]["class_path"].endswith(".LDRPS")]
    return [name for name in steps if name not in ("reference", "fast")]


def model_folder(model, output):
    """Folder of a model's shape, made unless it is there."""
    folder = output / model
    if not (folder / "model_index.json").is_file() and ldrps(["untrained", model, "--output", str(folder)]) != 0:
        raise SystemExit(1)
    return folder


def load(preset, folder, hub, **settings):
    """A preset on a model; VGG-16, where a loss wants it, has random weights too."""
    torch.hub.set_dir(str(write_vgg(hub)))
    restorer = load_preset(preset, backbone__path=folder, prior="modules.priors.null.Null", **settings)
    restorer.load()
    return restorer


def photo(side):
    """A square photo, shape (1, 3, side, side)."""
    return to_tensor(Image.fromarray(skimage_data.astronaut()).resize((side, side)))[None]


def two_steps(preset, folder, hub):
    """Load a model and take two steps in this process."""
    with PeakMemory(torch.device("cpu")) as memory:
        started = time.perf_counter()
        restorer = load(preset, folder, hub)
        loading, loaded = time.perf_counter() - started, memory.peak_bytes
        count = math.ceil(NUM_STEPS / restorer.sampling.first_strength)
        settings = {"num_inference_steps": count, "num_refinements": 0, "num_samples": 1}
        del restorer
        restorer = load(preset, folder, hub, **{f"sampling__{name}": value for name, value in settings.items()})
        assert restorer.sampling.num_steps == NUM_STEPS
        times = []
        image = photo(round(WORKING_SIDE_PX / restorer.working_scale))
        with torch.enable_grad():
            restored = restorer.restore(image, [None], lambda step: times.append(time.perf_counter()))
        assert bool(restored.isfinite().all())
        assert restored.shape == image.shape
    return {
        "loading": loading,
        "loaded": loaded / 2**30,
        "step": times[1] - times[0],
        "peak": memory.peak_bytes / 2**30,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default=Path("runs/full_size"), type=Path)
    parser.add_argument("--model", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--preset", nargs="+", default=presets())
    parser.add_argument("--one", action="store_true", help="measure one row in this process")
    options = parser.parse_args()
    quieten()
    folders = {model: model_folder(model, options.output) for model in options.model}
    if options.one:
        [(model, folder)] = folders.items()
        sys.stdout.write(json.dumps(two_steps(options.preset[0], folder, options.output / "hub")))
        return
    rows = []
    for model in folders:
        for preset in options.preset:
            command = [sys.executable, "-m", "tests.benchmarks.full_size", "--one", "--output", str(options.output)]
            command += ["--model", model, "--preset", preset]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found = json.loads(printed.splitlines()[-1])
            cells = [
                f"{found['loading']:.1f}",
                f"{found['loaded']:.1f}",
                f"{found['step']:.1f}",
                f"{found['peak']:.1f}",
            ]
            rows.append([model, preset, *cells])
            sys.stderr.write(f"{' '.join(rows[-1])}\n")
    header = ["model", "preset", "loading, s", "loaded, GiB", f"a step at {WORKING_SIDE_PX} px, s", "peak, GiB"]
    text = f"Machine: {machine()}. float32, random weights.\n\n{markdown(header, rows)}"
    (options.output / "figures.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
