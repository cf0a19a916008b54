"""Samples of the embedded model from pure noise, through diffusers' own pipeline: python docs/samples.py [FILE].

Eight captions, two seeds each, 25 steps of DDIM, guidance 3, 128 x 128.
"""

import sys
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from ldrps.configuration.quiet import quieten
from ldrps.data.image_files import write_picture
from ldrps.results.contact_sheet import contact_sheet
from modules.backbones.loading import package_folder

CAPTIONS = ["", "a photo of a sunflower", "a photo of a church", "a photo of a golf ball"]
CAPTIONS += ["a photo of a parachute", "a photo of a tench", "a photo of a street", "a photo of a dog"]


def main(file: str = str(Path(__file__).parent / "pictures" / "samples.png")) -> None:
    """Draw the sheet."""
    quieten()
    pipeline = StableDiffusionPipeline.from_pretrained(
        package_folder("package:ldrps/pretrained/mini"),
        safety_checker=None,
        requires_safety_checker=False,
        dtype=torch.float32,
    )
    pipeline.set_progress_bar_config(disable=True)
    tiles = []
    for seed in range(2):
        drawn = pipeline(
            CAPTIONS,
            height=128,
            width=128,
            num_inference_steps=25,
            guidance_scale=3.0,
            generator=[torch.Generator().manual_seed(seed) for _ in CAPTIONS],
            output_type="pt",
        ).images
        tiles += list(zip([caption or "no text" for caption in CAPTIONS], drawn, strict=True))
    write_picture(contact_sheet(tiles, columns=len(CAPTIONS)), Path(file))


if __name__ == "__main__":
    main(*sys.argv[1:])
