"""What every degradation must keep."""

import pytest
import torch

import degradations
from degradations.base import Degradation
from degradations.gaussian_noise import GaussianNoise
from degradations.haze import Haze
from degradations.low_light import LowLight
from degradations.pipeline import Sequence
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses

CLASSES = concrete_subclasses(degradations, Degradation)


def build(cls) -> Degradation:
    return Sequence([LowLight(), GaussianNoise()]) if cls is Sequence else cls()


@pytest.mark.parametrize("cls", CLASSES)
def test_rows_are_independent_replayable_and_in_range(cls, pictures):
    degradation = build(cls)
    parameters = degradation.sample_parameters(generators(0, 1, 2, 3))
    together = degradation.degrade(pictures, parameters)
    assert together.shape == pictures.shape
    assert float(together.min()) >= 0
    assert float(together.max()) <= 1
    assert torch.equal(together, degradation.degrade(pictures, parameters))
    for row in range(4):
        alone = degradation(pictures[row : row + 1], generators(row))
        torch.testing.assert_close(alone[0], together[row], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "harmless",
    [GaussianNoise((0, 0)), Haze((1, 1)), LowLight((0, 0), (1, 1)), Sequence([Haze((1, 1)), GaussianNoise((0, 0))])],
)
def test_no_severity_is_the_identity(harmless, pictures):
    torch.testing.assert_close(harmless(pictures, generators(0, 1, 2, 3)), pictures)


def test_noise_has_the_moments_it_names():
    grey = torch.full((1, 3, 128, 128), 0.5)
    noise = GaussianNoise((0.1, 0.1))(grey, generators(0)) - grey
    count = noise.numel()
    assert abs(float(noise.mean())) < 3 * 0.1 / count**0.5
    assert abs(float(noise.std()) - 0.1) < 3 * 0.1 / (2 * count) ** 0.5


def test_haze_and_low_light_follow_their_equations():
    image = torch.full((1, 3, 4, 4), 0.5)
    hazy = Haze((0.4, 0.4), (0.9, 0.9), grid_size=3)(image, generators(0))
    torch.testing.assert_close(hazy, torch.full_like(image, 0.5 * 0.4 + 0.9 * 0.6))
    dark = LowLight((2, 2), (2, 2))(image, generators(0))
    torch.testing.assert_close(dark, torch.full_like(image, 0.25 / 4))


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (lambda: GaussianNoise((0.2, 0.1)), r"sigma=\[0.2, 0.1\]"),
        (lambda: Haze((0.3, 1.2)), "transmission"),
        (lambda: Haze(grid_size=0), "grid_size=0"),
        (lambda: LowLight(stops=(-1, 2)), "stops"),
        (lambda: Sequence([]), "at least one"),
    ],
)
def test_wrong_settings_name_themselves(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        setting()
