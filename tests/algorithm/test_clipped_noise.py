"""Noise cut off at black and white: means and deviations beside integrals, dark places beside the photo."""

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from skimage import data as skimage_data

from modules.outputs.base import Undo
from modules.outputs.clipped_noise import ClippedNoise
from modules.outputs.denoised import Denoised

DEVIATION = 0.1


def clipped_moments(photo, deviation=DEVIATION):
    """Mean and standard deviation of a photo's value and noise, cut off at 0 and 1, by integration."""

    def moment(power):
        def integrand(seen):
            return seen**power * norm.pdf(seen, photo, deviation)

        return quad(integrand, 0, 1, epsabs=1e-12, limit=200)[0] + norm.sf(1, photo, deviation)

    return moment(1), (moment(2) - moment(1) ** 2) ** 0.5


@pytest.fixture(scope="module")
def places():
    photo = torch.linspace(0, 1, 41, dtype=torch.float64)
    mean, left = (torch.tensor(values) for values in zip(*map(clipped_moments, photo.tolist()), strict=True))
    shape = (1, 1, 1, -1)
    photo, mean, left = (values.double().view(shape).expand(1, 3, 1, -1) for values in (photo, mean, left))
    return photo, mean, left


@pytest.fixture(scope="module")
def noise(places):
    photo = places[0]
    return ClippedNoise(torch.full_like(photo, DEVIATION), torch.zeros_like(photo), torch.ones_like(photo))


def test_the_mean_of_what_is_left_leads_back_to_the_photo(places, noise):
    photo, mean, _ = places
    assert float((mean - photo).abs().max()) > 0.39 * DEVIATION
    torch.testing.assert_close(noise.undone(mean), photo, atol=2e-4, rtol=0)


def test_less_noise_is_left_near_black_and_white(places, noise):
    _, mean, left = places
    torch.testing.assert_close(noise.left_at(mean), left, atol=2e-4, rtol=0)


def test_what_is_left_says_how_much_noise_there_was(places, noise):
    _, mean, left = places
    heard = ClippedNoise.heard(left, mean, noise.black, noise.white)
    torch.testing.assert_close(heard.deviation, noise.deviation, atol=2e-4, rtol=0)


def test_no_photo_lies_beyond_black_or_white(noise):
    means = torch.tensor([0.0, 0.01, 0.03, 0.97, 0.99, 1.0], dtype=torch.float64).expand(1, 3, 1, 6)
    undone = noise._replace(
        black=torch.zeros_like(means), white=torch.ones_like(means), deviation=torch.full_like(means, DEVIATION)
    ).undone(means)
    torch.testing.assert_close(undone, means.round(), atol=1e-6, rtol=0)


def test_without_noise_nothing_changes(places):
    photo = places[0]
    nothing = torch.zeros_like(photo)
    none = ClippedNoise.heard(nothing, photo, nothing, nothing + 1)
    assert torch.equal(none.deviation, nothing)
    torch.testing.assert_close(none.undone(photo), photo, atol=1e-6, rtol=0)


def undone_by(factor: float) -> Undo:
    return lambda images: images * factor


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_dark_places_behind_clipped_noise_come_back_dark(factor):
    photo = torch.from_numpy(skimage_data.astronaut()[:256, 128:384].copy()).permute(2, 0, 1)[None] / 255
    drawn = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    seen = (photo / factor + 40 / 255 / factor * drawn).clamp(0, 1)
    restored = Denoised()(seen, seen, undone_by(factor)).clamp(0, 1)
    dark = photo < 10 / 255
    assert float(dark.float().mean()) > 0.05
    # A normal distribution cut off at its middle has a mean of 0.4 standard deviations.
    too_light = float((factor * seen - photo)[dark].mean())
    assert too_light > 0.3 * 40 / 255
    assert abs(float((restored - photo)[dark].mean())) < 0.3 * too_light
