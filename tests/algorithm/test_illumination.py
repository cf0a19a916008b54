"""Light that differs from place to place: shadows become lighter, nothing else changes much."""

import re

import pytest
import torch
from skimage import data as skimage_data

from ldrps.configuration.presets import load_preset
from modules.alignment.illumination import Illumination
from tests.builders import generators


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(skimage_data.astronaut()[:256, 100:420].copy()).permute(2, 0, 1)[None].float() / 255


def brightened(images, **settings):
    alignment = Illumination(**settings)
    alignment.begin(images, generators(*range(len(images))))
    return alignment.invert(images)


def test_a_shadow_becomes_lighter_and_what_is_lit_stays(photo):
    shaded = photo.clone()
    shaded[..., :160] *= 0.15
    restored = brightened(shaded)
    assert float(restored[..., :150].mean()) > 1.6 * float(shaded[..., :150].mean())
    assert float(restored[..., 180:].mean()) < 1.2 * float(shaded[..., 180:].mean())
    # Details keep their contrast: the shadow's picture is the photo's, but for its brightness.
    inside = slice(20, 140)
    seen, true = (image[0, :, :, inside].mean(dim=0).clamp(min=0.02).log().flatten() for image in (restored, photo))
    assert float(torch.corrcoef(torch.stack([seen, true]))[0, 1]) > 0.97


def test_no_pixel_becomes_darker_or_brighter_than_white(photo):
    for exposure in (0.1, 0.4, 1.0):
        images = photo * exposure
        restored = brightened(images)
        assert float((restored - images).min()) >= 0
        assert float(restored.max()) <= 1


def test_the_illumination_gets_the_mean_that_was_asked_for(photo):
    means = [float(brightened(photo * 0.3, brightness=mean).amax(dim=1).mean()) for mean in (0.3, 0.4, 0.5)]
    assert means == pytest.approx([0.3, 0.4, 0.5], abs=0.03)


def test_black_stays_black(photo):
    night = photo * 0.3
    # What a file's rounding leaves of a black sky.
    sky = torch.rand(night[..., :120, :].shape, generator=torch.Generator().manual_seed(0))
    night[..., :120, :] = sky.round() / 255
    restored = brightened(night)
    assert float(restored[..., :90, :].mean()) < 2 / 255
    assert float(restored[..., 150:, :].mean()) > 1.3 * float(night[..., 150:, :].mean())


def test_a_frame_is_no_light(photo):
    dark = photo * 0.2
    framed = torch.nn.functional.pad(dark, (40, 40, 40, 40), value=1.0)
    inside = brightened(framed)[..., 40:-40, 40:-40]
    assert float(inside[..., 30:-30, 30:-30].mean()) == pytest.approx(
        float(brightened(dark)[..., 30:-30, 30:-30].mean()), rel=0.1
    )


def test_a_bright_photo_is_left_alone_if_nobody_insists(photo):
    assert torch.equal(brightened(photo, brightness=0.3, least_share=0.0), photo)
    plain = torch.full((1, 3, 40, 50), 0.1)
    assert torch.equal(brightened(plain), plain)


def test_the_size_of_the_picture_hardly_matters(photo):
    large = torch.nn.functional.interpolate(photo * 0.3, scale_factor=2, mode="bilinear")
    small = torch.nn.functional.avg_pool2d(brightened(large), 2)
    assert float((small - brightened(photo * 0.3)).abs().mean()) < 0.01


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"brightness": 1.0}, "brightness=1.0 must lie in (0, 1)"),
        ({"largest_share": 1.0}, "largest_share=1.0 must lie in [0, 1)"),
        ({"least_share": 0.8}, "least_share=0.8 and largest_share=0.75"),
    ],
)
def test_wrong_settings_name_themselves(settings, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Illumination(**settings)


def test_the_preset_lightens_what_the_default_leaves(photo):
    shaded = photo[..., :128, :160].clone()
    shaded[..., :90] *= 0.25
    default, dark = (load_preset(name, output="modules.outputs.undone.Undone") for name in ("refined", "dark"))
    lightness = []
    for restorer in (default, dark):
        restorer.load()
        lightness.append(float(restorer.restore(shaded, [None])[..., :80].mean()))
    assert lightness[1] > 1.3 * lightness[0]
