"""JPEG and WebP, against Pillow."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as skimage_data
from torchmetrics.functional.image import peak_signal_noise_ratio

from degradations.coding.jpeg import JPEG
from degradations.coding.webp import WebP
from tests.builders import generators


@pytest.fixture(scope="module")
def photos():
    crops = [skimage_data.astronaut()[100:356, 100:356], skimage_data.cat()[20:276, 90:346]]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255


def pillow(photo, **options):
    stream = io.BytesIO()
    Image.fromarray((photo * 255).round().byte().permute(1, 2, 0).numpy()).save(stream, **options)
    return torch.from_numpy(np.array(Image.open(stream).convert("RGB"))).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("quality", [90, 50, 10])
def test_the_differentiable_codec_is_within_one_decibel_of_pillow_s(photos, quality):
    smooth = JPEG((quality, quality), "differentiable")(photos, generators(0, 1))
    for row in range(2):
        real = pillow(photos[row], format="JPEG", quality=quality, subsampling=2)
        ours, theirs = (float(peak_signal_noise_ratio(x, photos[row], data_range=1.0)) for x in (smooth[row], real))
        assert abs(ours - theirs) < 1
        assert float(peak_signal_noise_ratio(smooth[row], real, data_range=1.0)) > theirs + 5


def test_the_other_codec_is_pillow_s(photos):
    degraded = JPEG((30, 30))(photos, generators(0, 1))
    assert torch.equal(degraded[1], pillow(photos[1], format="JPEG", quality=30, subsampling=2))
    degraded = WebP((30, 30))(photos, generators(0, 1))
    assert torch.equal(degraded[1], pillow(photos[1], format="WEBP", quality=30))


def test_qualities_are_whole_numbers_of_the_whole_interval():
    drawn = JPEG((60, 62)).sample_parameters(generators(*range(200)))["quality"]
    assert drawn.unique().tolist() == [60, 61, 62]


def test_gradients_pass_the_differentiable_codec_only(photos):
    image = photos.clone().requires_grad_()
    JPEG((50, 50), "differentiable")(image, generators(0, 1)).sum().backward()
    assert float(image.grad.abs().mean()) > 0.01
    assert not JPEG((50, 50))(image, generators(0, 1)).requires_grad


def test_an_unknown_codec_is_named():
    with pytest.raises(ValueError, match="codec='mozjpeg'"):
        JPEG(codec="mozjpeg")
