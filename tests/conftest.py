"""Pictures of scikit-image, and small pipelines of the real classes with random weights."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from skimage import data as skimage_data
from transformers import CLIPTextConfig, CLIPTextModel

from ldrps.data.image_files import to_tensor
from ldrps.training.denoiser import stable_diffusion_schedule
from ldrps.training.tokenizer import train_tokenizer
from tests.builders import write_vgg
from tests.da_clip import with_da_clip

CAPTIONS = ["a photo of a cat", "a photo of a cup of coffee", "an astronaut in front of a flag"]


def pytest_configure(config):
    """Workers side by side (``-n``) share the cores, and so do the programs that they start."""
    workers = os.environ.get("PYTEST_XDIST_WORKER_COUNT")
    if workers is not None:
        threads = max(1, (os.cpu_count() or 1) // int(workers))
        torch.set_num_threads(threads)
        os.environ["OMP_NUM_THREADS"] = str(threads)


@pytest.fixture(autouse=True)
def same_random_numbers():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Nothing is kept in, or taken from, the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def pictures() -> torch.Tensor:
    """Four real 32 x 32 pictures, shape (4, 3, 32, 32), range [0, 1]."""
    photos = [skimage_data.astronaut(), skimage_data.cat(), skimage_data.coffee(), skimage_data.rocket()]
    small = [Image.fromarray(np.ascontiguousarray(photo)).resize((32, 32)) for photo in photos]
    return torch.stack([to_tensor(photo) for photo in small])


@pytest.fixture
def photo_file(tmp_path) -> Path:
    """A 40 x 28 JPEG of a cat."""
    path = tmp_path / "photos" / "cat.jpg"
    path.parent.mkdir()
    Image.fromarray(skimage_data.cat()).resize((40, 28)).save(path)
    return path


def build_pipeline(folder: Path, autoencoder: str, prediction_type: str) -> Path:
    torch.manual_seed(0)
    tokenizer = train_tokenizer(CAPTIONS, vocab_size=560, max_length=12)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=12,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    if autoencoder == "tiny":
        vae = AutoencoderTiny(
            encoder_block_out_channels=(8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            num_encoder_blocks=(0, 1, 1),
            num_decoder_blocks=(1, 1, 1),
            latent_channels=4,
            scaling_factor=1.5,
        )
    else:
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            latent_channels=4,
            scaling_factor=0.7,
        )
    unet = UNet2DConditionModel(
        in_channels=4,
        out_channels=4,
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=stable_diffusion_schedule(prediction_type),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def micro_folder(tmp_path_factory) -> Path:
    """AutoencoderTiny, factor 4, velocity prediction, as the embedded mini."""
    return build_pipeline(tmp_path_factory.mktemp("micro") / "tiny", "tiny", "v_prediction")


@pytest.fixture(scope="session")
def micro_kl_folder(tmp_path_factory) -> Path:
    """AutoencoderKL, factor 2, noise prediction, as Stable Diffusion 1.x and 2.x-base."""
    return build_pipeline(tmp_path_factory.mktemp("micro") / "kl", "kl", "epsilon")


@pytest.fixture(scope="session")
def told_folder(micro_folder, tmp_path_factory) -> Path:
    """The micro pipeline with a DA-CLIP and an adapter in its folder."""
    return with_da_clip(micro_folder, tmp_path_factory.mktemp("told") / "tiny")


@pytest.fixture
def pairs_folder(tmp_path, pictures) -> Path:
    """Two pairs in input/ and target/."""
    folder = tmp_path / "pairs"
    for kind, brightness in (("input", 0.5), ("target", 1.0)):
        (folder / kind).mkdir(parents=True)
        for index in range(2):
            array = (pictures[index] * 255 * brightness).round().to(torch.uint8).permute(1, 2, 0).numpy()
            Image.fromarray(array).save(folder / kind / f"{index}.png")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def vgg_hub(tmp_path_factory) -> Path:
    """A torch.hub folder with torchvision's layer names and sizes of VGG-16, random values."""
    return write_vgg(tmp_path_factory.mktemp("hub"))
