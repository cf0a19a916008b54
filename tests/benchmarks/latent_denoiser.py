"""`make bench-denoiser DATA=SHARDS`: how well denoisers of latents know photos that no training saw, by timestep.

python -m tests.benchmarks.latent_denoiser --shards SHARD... [--data FOLDER] [--unet FOLDER...] [--limit N]
"""

import argparse
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from rich.console import Console
from rich.progress import track

from degradations.drawing import generators_for, normal
from ldrps.data.photos import Photos
from ldrps.training.denoiser import linear_x0, stable_diffusion_schedule
from ldrps.training.tokenizer import tokenize
from tests.benchmarks.da_clip import MINI, held_out

FOLDER = Path(MINI)
TIMESTEPS = (20, 50, 100, 200, 300, 450, 650, 850)
BATCH = 16


def latents_of(photos, vae):
    """Latents of unit size of photos of one size, shape (N, C, h, w)."""
    pieces = [vae.encoder(piece * 2 - 1) for piece in photos.split(BATCH)]
    return torch.cat(pieces).float() * vae.config.scaling_factor


def error_of(answer, latents):
    """Squared error relative to the latents' square."""
    return float((answer - latents).square().sum() / latents.square().sum())


@torch.no_grad()
def measure(latents, unets, hidden_states):
    """Errors of the linear denoiser and of each network, by timestep, with the same noise for all."""
    scheduler = stable_diffusion_schedule("v_prediction")
    noise = normal(generators_for(0, range(len(latents))), *latents.shape[1:])
    errors = {name: [] for name in ("linear", *unets)}
    for timestep in track(TIMESTEPS, "denoising", console=Console(stderr=True)):
        timesteps = torch.full((len(latents),), timestep)
        noisy = scheduler.add_noise(latents, noise, timesteps)
        alphas = scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        errors["linear"].append(error_of(linear_x0(noisy, alphas, latents), latents))
        for name, unet in unets.items():
            pieces = zip(noisy.split(BATCH), timesteps.split(BATCH), strict=True)
            told = [
                unet(piece, at, encoder_hidden_states=hidden_states.expand(len(piece), -1, -1)) for piece, at in pieces
            ]
            velocity = torch.cat([one.sample for one in told])
            errors[name].append(error_of(alphas.sqrt() * noisy - (1 - alphas).sqrt() * velocity, latents))
    return errors


def main(arguments):
    from transformers import CLIPTextModel, CLIPTokenizer

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shards", nargs="*", default=[])
    parser.add_argument("--data", help="folder of photos, whose centre crops of 256 px are taken")
    parser.add_argument("--unet", nargs="*", default=[], help="folders of further denoisers (another `mini/unet`)")
    parser.add_argument("--limit", type=int, default=96)
    options = parser.parse_args(arguments)
    vae = AutoencoderTiny.from_pretrained(FOLDER / "vae").float()
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(FOLDER / "text_encoder").float()
    folders = {"shipped": FOLDER / "unet"} | {folder: Path(folder) for folder in options.unet}
    unets = {name: UNet2DConditionModel.from_pretrained(folder).float() for name, folder in folders.items()}
    photos = {}
    if options.shards:
        photos |= {
            f"held out, 128 px ({share:g} shrunk)": held_out(options.shards, options.limit, share) for share in (0, 1)
        }
    if options.data:
        crops = Photos([options.data], 256, is_training=False)
        photos["development, 256 px"] = torch.stack([crops[index]["image"] for index in range(0, len(crops), 2)])
    with torch.no_grad():
        hidden_states = text_encoder(tokenize(tokenizer, [""], torch.device("cpu")))[0]
        sys.stdout.write(f"| photos | | {' | '.join(map(str, TIMESTEPS))} |\n|{'---|' * (len(TIMESTEPS) + 2)}\n")
        for kind, images in photos.items():
            for name, errors in measure(latents_of(images, vae), unets, hidden_states).items():
                numbers = " | ".join(f"{error:.4f}" for error in errors)
                sys.stdout.write(f"| {len(images)} {kind} | {name} | {numbers} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
