"""The learnt first guess as an alignment net: sure or the identity, the same law both ways, frames left out."""

import pytest
import torch

from modules.alignment.framing import content
from modules.alignment.light_and_haze import LightAndHaze
from modules.networks.first_guess import FirstGuess
from tests.builders import generators


@pytest.fixture(scope="module")
def alignment():
    alignment = LightAndHaze()
    alignment.load()
    return alignment


def error(images, target):
    return float((images - target).square().mean())


@pytest.mark.parametrize("damage", [lambda x: x**1.8 / 5, lambda x: 0.4 * x + 0.6 * 0.85], ids=["dark", "hazy"])
def test_what_light_and_haze_did_is_mostly_undone(alignment, pictures, damage):
    degraded = damage(pictures)
    alignment.begin(degraded, generators(0, 1, 2, 3))
    assert error(alignment.invert(degraded), pictures) < 0.4 * error(degraded, pictures)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_plain_frame_says_nothing_of_the_picture(alignment, pictures, level):
    degraded = pictures[:1] ** 1.8 / 5
    alignment.begin(degraded, generators(0))
    inside = alignment.invert(degraded)
    framed = torch.nn.functional.pad(degraded, (12, 9, 7, 16), value=level)
    height, width = degraded.shape[-2:]
    assert content(framed[0]) == (7, 7 + height, 12, 12 + width)
    alignment.begin(framed, generators(0))
    restored = alignment.invert(framed)
    torch.testing.assert_close(restored[..., 7 : 7 + height, 12 : 12 + width], inside, atol=0.1, rtol=0)
    assert float((restored[..., :7, :] - level).abs().max()) < 0.01


@pytest.mark.parametrize("image", [torch.zeros(1, 3, 20, 30), torch.ones(1, 3, 20, 30), torch.full((1, 3, 1, 1), 0.4)])
def test_plain_and_tiny_pictures_stay_finite(alignment, image):
    alignment.begin(image, generators(0))
    assert alignment(image).isfinite().all()
    assert alignment.invert(image).isfinite().all()


def test_only_the_picture_s_own_parameters_are_learnt(alignment, pictures):
    alignment.begin(pictures, generators(0, 1, 2, 3))
    assert all(len(parameter) == 4 for parameter in alignment.learnt_parameters())
    assert len(alignment.learnt_parameters()) == 4
    assert isinstance(alignment.pretrained[0], FirstGuess)


def test_weights_that_cannot_be_read_are_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"weights '.*none' of the first guess cannot be read") as caught:
        LightAndHaze(str(tmp_path / "none")).load()
    assert "\n" not in str(caught.value)


def test_a_dark_photo_without_colour_gets_none(alignment, pictures):
    grey = (pictures.mean(dim=1, keepdim=True) ** 1.8 / 6).expand_as(pictures)
    alignment.begin(grey, generators(0, 1, 2, 3))
    undone = alignment.invert(grey)
    assert float((undone - undone.mean(dim=1, keepdim=True)).abs().max()) < 1e-4
    assert float(undone.mean()) > 2 * float(grey.mean())
