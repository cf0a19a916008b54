"""What the haze map explains and what it leaves alone."""

import pytest
import torch
from PIL import Image
from skimage import data as skimage_data

from degradations.light.grey import Grey
from degradations.weather.haze import Haze as HazeDegradation
from ldrps.data.image_files import to_tensor
from modules.alignment.chained import Chained
from modules.alignment.haze import Haze
from modules.alignment.ordinary_photos import greyness
from modules.alignment.tone_curve import ToneCurve
from tests.builders import generators


def psnr(image, target):
    return float(-10 * (image - target).pow(2).mean().log10())


@pytest.fixture(scope="module")
def photo():
    return to_tensor(Image.fromarray(skimage_data.coffee()).crop((60, 0, 460, 400)).resize((256, 256)))[None]


def explain(alignment, images):
    alignment.begin(images, generators(0))
    return alignment.invert(images)


def test_uneven_haze_is_found_and_undone(photo):
    depth = torch.tensor([[1.0, 0.9], [0.2, 0.0]])[None, None]
    haze = HazeDegradation((0.2, 0.2), (0.9, 0.9), grid_size=2)
    hazy = haze.degrade(photo, haze.sample_parameters(generators(0)) | {"depth": depth})
    alignment = Haze()
    restored = explain(alignment, hazy)
    transmission = alignment.log_transmission.detach().exp()
    assert float(transmission[0, 0, :8].mean()) < 0.6 < float(transmission[0, 0, -8:].mean())
    assert psnr(restored, photo) > psnr(hazy, photo) + 4
    # The model that undoes the haze also makes it again.
    inside = (restored > 0.01) & (restored < 0.99)
    torch.testing.assert_close(alignment(restored)[inside], hazy[inside], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["coffee", "astronaut", "cat", "rocket"])
def test_ordinary_photos_and_even_haze_are_left_alone(name):
    photo = to_tensor(Image.fromarray(getattr(skimage_data, name)()).resize((192, 192)))[None]
    even = HazeDegradation((0.4, 0.4), (0.9, 0.9))(photo, generators(0))
    for images in (photo, even):
        alignment = Haze()
        torch.testing.assert_close(explain(alignment, images), images, atol=1e-5, rtol=0)
        assert alignment.log_transmission.detach().abs().max().item() == 0


def test_what_the_map_leaves_goes_to_the_tone_curve(photo):
    even = HazeDegradation((0.4, 0.4), (0.9, 0.9))(photo, generators(0))
    both = explain(Chained(ToneCurve(), Haze()), even)
    torch.testing.assert_close(both, explain(ToneCurve(), even), atol=1e-4, rtol=0)
    assert psnr(both, photo) > psnr(even, photo) + 10


def test_photos_without_colour_have_gates_of_their_own(photo):
    grey = Grey()(photo, generators(0))
    assert greyness(grey).tolist() == [1.0]
    assert greyness(photo).tolist() == [0.0]
    assert psnr(explain(Chained(ToneCurve(), Haze()), grey), grey) > 40


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"grid_size": 1}, "grid_size=1"), ({"smoothness": -1.0}, "-1"), ({"num_iterations": 0}, "=0")],
)
def test_wrong_settings_are_named(settings, named):
    with pytest.raises(ValueError, match=named):
        Haze(**settings)
