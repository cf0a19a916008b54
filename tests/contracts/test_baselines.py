"""Every baseline restores real pictures, and each does what it is for."""

import re

import pytest
import torch
from skimage import data as skimage_data

import ldrps.methods.baselines
from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.weather.haze import Haze
from ldrps.methods.baselines.base import Baseline
from ldrps.methods.baselines.dark_channel import DarkChannel
from ldrps.methods.baselines.gain import Gain
from ldrps.methods.baselines.gamma import Gamma
from ldrps.methods.baselines.non_local_means import NonLocalMeans
from ldrps.methods.baselines.stretch import Stretch
from ldrps.methods.baselines.total_variation import TotalVariation
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses

CLASSES = concrete_subclasses(ldrps.methods.baselines, Baseline)


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(skimage_data.cat()[40:168, 100:228].copy()).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("cls", CLASSES)
def test_size_range_and_independence(cls, photo, pictures):
    restorer = cls()
    restorer.load()
    together = restorer.restore(pictures, [None] * 4)
    assert together.shape == pictures.shape
    assert 0 <= float(together.min()) <= float(together.max()) <= 1
    assert torch.equal(restorer.restore(pictures[2:3], [None])[0], together[2])
    for flat in (torch.zeros(1, 3, 20, 20), torch.ones(1, 3, 20, 20), torch.full((1, 3, 20, 20), 0.3)):
        assert bool(restorer.restore(flat, [None]).isfinite().all())


@pytest.mark.parametrize(
    ("restorer", "damage", "gain"),
    [
        (NonLocalMeans(), GaussianNoise(), 0.6),
        (TotalVariation(), GaussianNoise(), 0.7),
        (Gamma(), LowLight(), 0.5),
        (Stretch(), Haze((0.5, 0.5)), 0.6),
        (DarkChannel(), Haze((0.5, 0.5)), 0.7),
    ],
)
def test_each_removes_what_it_is_for(restorer, damage, gain, photo):
    degraded = damage(photo, generators(0))
    restored = restorer.restore(degraded, [None])
    assert float((restored - photo).abs().mean()) < gain * float((degraded - photo).abs().mean())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: DarkChannel(14), "window_px=14 must be odd and at least 1"),
        (lambda: DarkChannel(window_px=0), "window_px=0 must be odd and at least 1"),
        (lambda: DarkChannel(window_px=-3), "window_px=-3 must be odd and at least 1"),
        (lambda: Gamma(mid_grey=0), "mid_grey=0 must lie in (0, 1)"),
        (lambda: Gain(mid_grey=1.5), "mid_grey=1.5 must lie in (0, 1)"),
    ],
)
def test_settings_that_do_not_fit_are_named(make, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make()


def test_a_gain_takes_a_dark_photo_to_mid_grey_and_keeps_its_colours(photo):
    brightened = Gain().restore(photo * 0.2, [None])
    inside = brightened < 0.999
    assert float(brightened.mean()) == pytest.approx(0.5, abs=0.03)
    ratio = (brightened / (photo * 0.2).clamp(min=1e-6))[inside & (photo > 0.1)]
    torch.testing.assert_close(ratio, ratio.median().expand_as(ratio), rtol=1e-3, atol=0)
