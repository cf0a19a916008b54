"""What tells noise from texture: its targets, its training."""

import torch

from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from ldrps.training.noise_share import NoiseShareTraining
from modules.networks.noise_share import NoiseShare
from tests.builders import generators
from tests.training.recipe import fit


def test_the_target_is_the_share_of_what_was_added(pictures):
    photos = torch.nn.functional.interpolate(pictures, size=(128, 128), mode="bicubic").clamp(0, 1)
    training = NoiseShareTraining(LowLight((0, 0), (1, 1)), GaussianNoise((0.1, 0.1)))
    levels, share = training._examples(photos, generators(0, 1, 2, 3))
    assert levels.shape == (8, 3, 8)
    assert share.shape == (8, 3, 3)
    assert not share[:4].any()
    # Enlarged photos have no texture at the finest scale: all of it is noise; the level is what is left after clipping.
    assert 0.9 < float(share[4:, :, 0].mean()) <= 1
    assert 0.06 < float(levels[4:, :, 0].mean()) < 0.11


def test_photos_of_a_batch_do_not_see_each_other():
    levels = torch.rand(4, 3, 8, generator=torch.Generator().manual_seed(0)) * 0.1
    network = NoiseShare()
    torch.testing.assert_close(network(levels)[2:3], network(levels[2:3]), atol=1e-6, rtol=1e-5)


def test_the_recipe_trains_and_exports(tmp_path):
    assert fit("noise_share", tmp_path, 80, "--trainer.max_steps", "4") == 0
    network = NoiseShare.from_pretrained(tmp_path / "mini" / "noise_share", torch_dtype=torch.float32)
    assert bool(network(torch.rand(2, 3, 8)).isfinite().all())
