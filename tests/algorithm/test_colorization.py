"""Photos without colour get the colour that the model expects; all others stay as they are."""

import re

import pytest
import torch
from kornia.color import rgb_to_grayscale

from ldrps.methods.ld_rps.colorization import Colorization
from modules.outputs.base import Output
from tests.builders import GaussianBackbone, generators, make_restorer


class WarmBackbone(GaussianBackbone):
    """A "diffusion model" of noisy pictures of one warm colour."""

    def __init__(self) -> None:
        super().__init__(mean=0.0, variance=0.04, image_scale=0.5)
        self.colour = torch.tensor([0.65, 0.5, 0.35]).view(1, 3, 1, 1)

    def encode(self, images):
        return (images - self.colour) / 0.5

    def decode(self, latents):
        return self.colour + 0.5 * latents


@pytest.fixture
def grey():
    ramp = torch.linspace(0.3, 0.7, 24)
    return (ramp[None, :] * ramp[:, None]).sqrt().expand(1, 3, 24, 24).contiguous()


def test_a_grey_photo_gets_the_expected_colour_and_keeps_its_brightness(grey):
    coloured = Colorization(strength=1.0, side_px=24)(grey, WarmBackbone(), None, generators(0))
    torch.testing.assert_close(rgb_to_grayscale(coloured), rgb_to_grayscale(grey), atol=1e-4, rtol=0)
    red, green, blue = (coloured - rgb_to_grayscale(coloured)).mean(dim=(0, 2, 3)).tolist()
    # What the model's own colour has: 0.65, 0.5, 0.35 less their luma.
    expected = WarmBackbone().colour - rgb_to_grayscale(WarmBackbone().colour)
    torch.testing.assert_close(torch.tensor([red, green, blue]), expected.flatten(), atol=0.03, rtol=0)


def test_the_mean_of_more_samples_strays_less(grey):
    def stray(num_samples):
        coloured = Colorization(num_samples=num_samples, side_px=24)(grey, WarmBackbone(), None, generators(0))
        return float((coloured - rgb_to_grayscale(coloured)).std(dim=(2, 3)).mean())

    assert stray(16) < 0.5 * stray(1)


@pytest.mark.parametrize("size", [(24, 24), (7, 61), (160, 40)])
def test_any_size_is_coloured_at_its_own_size(grey, size):
    grey = torch.nn.functional.interpolate(grey, size=size)
    coloured = Colorization(num_samples=2, side_px=16)(grey, WarmBackbone(), None, generators(0))
    assert coloured.shape == grey.shape
    assert float((coloured - grey).abs().max()) > 0.05


def test_blind_colours_grey_rows_alone_and_the_same_alone_or_together(micro_folder, pictures):
    settings = {"colorization": Colorization(num_samples=2, num_inference_steps=4, side_px=16)}
    restorer, plain = make_restorer(micro_folder, "float64", **settings), make_restorer(micro_folder, "float64")
    grey = pictures.mean(dim=1, keepdim=True).expand_as(pictures)
    images = torch.cat([grey[:1], pictures[1:3], grey[3:]]).double()
    # The decoded sample of random weights has colour of its own: what is grey is put in its place.
    restorer.output = plain.output = Input()
    together, without = restorer.restore(images, [None] * 4), plain.restore(images, [None] * 4)
    torch.testing.assert_close(together[1:3], without[1:3], atol=0, rtol=0)
    assert float((together[::3] - without[::3]).abs().amax(dim=(1, 2, 3)).min()) > 1e-3
    alone = torch.cat([restorer.restore(image[None], [None]) for image in images])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


class Input(Output):
    """An output that gives the input back."""

    def forward(self, decoded, degraded, undo):
        return degraded


@pytest.mark.parametrize(
    "wrong", [{"num_samples": 0}, {"num_inference_steps": 0}, {"side_px": 0}, {"until": 1.0}, {"strength": 1.5}]
)
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ValueError, match=re.escape("{}={}".format(*next(iter(wrong.items()))))):
        Colorization(**wrong)
