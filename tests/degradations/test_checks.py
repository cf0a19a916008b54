"""Settings that cannot be right are refused in one sentence."""

import pytest

from degradations.base import Degradation
from degradations.coding.jpeg import JPEG
from degradations.drawing import seeds
from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from tests.builders import generators


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: GaussianNoise(0.1), r"^sigma=0.1 must be two numbers, \[low, high\]; \[0.1, 0.1\] is always 0.1$"),
        (lambda: JPEG(50), r"^quality=50 must be two numbers, \[low, high\]; \[50, 50\] is always 50$"),
        (lambda: GaussianNoise((0.1, 0.2, 0.3)), r"^sigma=\[0.1, 0.2, 0.3\] must be two numbers, \[low, high\]$"),
        (lambda: GaussianNoise((0.2, 0.1)), r"^sigma=\[0.2, 0.1\] must be \[low, high\] with 0 <= low <= high <= "),
        (lambda: JPEG((10.5, 20)), r"^quality=\[10.5, 20\] must be whole numbers$"),
        (lambda: LowLight(stops=(float("nan"), 1)), r"^stops=\[nan, 1\] must be \[low, high\]"),
    ],
)
def test_an_interval_is_two_numbers_in_order(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_whole_numbers_may_be_written_as_floats():
    assert JPEG((10.0, 20.0)).quality == (10, 20)


class Halved(Degradation):
    """Gives back half of the image."""

    def sample_parameters(self, generators):
        return {"seed": seeds(generators)}

    def degrade(self, image, parameters):
        return image[..., ::2]


def test_a_degradation_that_changes_the_size_is_refused(pictures):
    with pytest.raises(ValueError, match=r"^Halved.degrade gave shape \(.*\) for images of shape \(.*\): it must give"):
        Halved()(pictures, generators(0, 1, 2, 3))
