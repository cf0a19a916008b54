"""Makes runs/random_denoiser: the embedded model with the denoiser's weights drawn anew, for the sweep `backbone`."""

import shutil
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from modules.backbones.loading import package_folder


def main(folder=Path("runs/random_denoiser")):
    if folder.exists():
        return
    mini = package_folder("package:ldrps/pretrained/mini")
    shutil.copytree(mini, folder, ignore=shutil.ignore_patterns("unet"))
    torch.manual_seed(0)
    config = UNet2DConditionModel.load_config(f"{mini}/unet")
    UNet2DConditionModel.from_config(config).half().save_pretrained(folder / "unet")


if __name__ == "__main__":
    main()
