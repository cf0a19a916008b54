"""`make bench`: the autoencoder's ceiling, and what a restoration costs. Quality: `make bench-quality`.

python -m tests.benchmarks.restore --data FOLDER --output runs/bench [--preset blind] [--limit N]
"""

import argparse
import platform
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import track
from skimage import data as skimage_data

from degradations.base import eight_bit
from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.pipeline import Sequence
from ldrps.configuration.presets import load_preset
from ldrps.configuration.quiet import quieten
from ldrps.data.centre_crop import centre_crop
from ldrps.data.image_files import read_picture, to_tensor
from ldrps.data.image_generator import image_generator
from ldrps.data.inputs import find_images
from ldrps.methods.ld_rps.working_size import WorkingSize
from ldrps.metrics.fidelity import PSNR, SSIM
from modules.losses.perceptual import Perceptual
from modules.losses.vgg import VGG

LOW_LIGHT = Sequence([LowLight((2.5, 2.5), (1.2, 1.2)), GaussianNoise((5 / 255, 5 / 255))])
SIDE_PX = 256


def load_photos(folder, limit):
    """Centre crops of 256 x 256; smaller photos are enlarged first."""
    if folder is None:
        names = ("astronaut", "cat", "coffee", "rocket", "motorcycle_left")
        loaded = [
            (name, to_tensor(Image.fromarray(getattr(skimage_data, name)())))
            for name in names
            if hasattr(skimage_data, name)
        ]
    else:
        loaded = [(path.stem, read_picture(path).image) for path, _ in find_images(folder)]
    return {name: centre_crop(photo, SIDE_PX) for name, photo in loaded[:limit]}


def degrade(target):
    """Low light with a seed of the target's own; eight bits, as a file would hold it."""
    return eight_bit(LOW_LIGHT(target[None], [image_generator(target, 0)])[0])


def score(image, target):
    return PSNR()(image[None], target[None])[0], SSIM()(image[None], target[None])[0]


@torch.no_grad()
def ceiling(restorer, photos):
    """PSNR of decode(encode(target)) at working scale 1 and 2: no result can be better."""
    rows = []
    for scale in (1.0, 2.0):
        values = []
        for target in photos.values():
            size = WorkingSize(*target.shape[1:], scale, restorer.backbone.size_multiple)
            latents = restorer.backbone.encode(size.enter(target[None]))
            values.append(score(size.leave(restorer.backbone.decode(latents))[0], target))
        psnr, ssim = np.mean(values, axis=0)
        rows.append([f"x{scale:g}", f"{psnr:.2f}", f"{ssim:.3f}"])
    return markdown(["working scale", "PSNR dB", "SSIM"], rows)


# Preset, settings and prompt. The reference presets run 18 of their 450 steps: what a step costs does not depend on it.
FEW = {"sampling__num_inference_steps": 18}
CAPTION = "a photo of an astronaut"
CONFIGURATIONS = {
    "blind": ("blind", {}, ""),
    "blind, text": ("blind", {}, CAPTION),
    "best": ("best", {}, ""),
    "reference_denoising": ("reference_denoising", FEW, ""),
    "reference_low_light, text": ("reference_low_light", FEW, CAPTION),
    "reference_low_light, text, free chain": (
        "reference_low_light",
        FEW | {"sampling__num_free_chains": 1},
        CAPTION,
    ),
}
RELEASED_UNET, RELEASED_DECODER = 4, 2
"""A step of the released code: two chains of two guidance halves, both decoded (reading of its scripts)."""


def measure_cost(name):
    """Count and time one restoration in this process."""
    preset, settings, prompt = CONFIGURATIONS[name]
    if preset.startswith("reference"):
        # The embedded backbone at the photo's own size, and its own features in place of VGG-16, which is not shipped.
        settings = settings | {"backbone__path": "package:ldrps/pretrained/mini", "working_scale": 1.0}
    restorer = load_preset(preset, **settings, prior="modules.priors.text.Text")
    restorer.prior.prompt = prompt
    replace_vgg(restorer)
    restorer.load()
    counts = {"unet": 0, "decoder": 0}
    restorer.backbone.unet.register_forward_pre_hook(
        lambda module, arguments: counts.__setitem__("unet", counts["unet"] + len(arguments[0]))
    )
    restorer.backbone.vae.decoder.register_forward_pre_hook(
        lambda module, arguments: counts.__setitem__("decoder", counts["decoder"] + len(arguments[0]))
    )
    image = degrade(load_photos(None, 1)["astronaut"])[None]
    started = time.perf_counter()
    restorer.restore(image, [None])
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return restorer.sampling.num_steps, counts["unet"], counts["decoder"], seconds, peak


def replace_vgg(restorer):
    for terms in (restorer.guidance.losses, restorer.guidance.alignment_losses):
        for name, term in terms.items():
            if isinstance(term.loss, VGG):
                terms[name] = replace(term, loss=Perceptual())


def cost():
    """One row a configuration, each in a process of its own, so that peak memory is its own."""
    rows = []
    for name in track(CONFIGURATIONS, description="cost"):
        printed = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.restore", "--cost", name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        steps, unet, decoder = (int(value) for value in printed[-5:-2])
        seconds, peak = (float(value) for value in printed[-2:])
        shares = unet / (steps * RELEASED_UNET), decoder / (steps * RELEASED_DECODER)
        rows.append(
            [
                name,
                steps,
                f"{unet} ({shares[0]:.2f})",
                f"{decoder} ({shares[1]:.2f})",
                f"{seconds:.1f}",
                f"{seconds / steps:.2f}",
                f"{peak:.0f}",
            ]
        )
    header = ["preset", "steps", "U-Net evaluations", "decoder passes", "seconds", "seconds a step", "peak MiB"]
    return markdown(header, rows)


def markdown(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def machine():
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return f"{model}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of clean photos; scikit-image's pictures without it")
    parser.add_argument("--output", default="runs/bench", type=Path)
    parser.add_argument("--preset", default="blind")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the preset")
    parser.add_argument("--no-cost", action="store_true")
    parser.add_argument("--cost", choices=["all", *CONFIGURATIONS], help="measure the cost only")
    options = parser.parse_args()
    quieten()
    if options.cost == "all":
        sys.stdout.write(cost())
        return
    if options.cost:
        sys.stdout.write(" ".join(str(value) for value in measure_cost(options.cost)))
        return
    photos = load_photos(options.data or None, options.limit)
    restorer = load_preset(options.preset, **dict(setting.split("=", 1) for setting in options.set))
    restorer.load()
    parts = [
        f"Machine: {machine()}. Photos: {len(photos)}, centre crops of {SIDE_PX} px. Preset: {options.preset}.",
        "The autoencoder alone, decode(encode(target)):",
        ceiling(restorer, photos),
    ]
    if not options.no_cost:
        parts += [
            "Cost of one 256 x 256 image with the embedded model, the share of the released code's count at the same "
            "number of steps in brackets; the reference presets run 18 of their 450 steps a pass:",
            cost(),
        ]
    text = "\n\n".join(parts)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "figures.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
