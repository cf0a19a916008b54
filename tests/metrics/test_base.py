"""What every measure has without saying so."""

import pytest

from ldrps.callbacks.results import Results
from ldrps.metrics.base import Metric
from ldrps.metrics.fidelity import PSNR


class Sharpness(Metric):
    """As its first author would write it: `measure`, and nothing else."""

    def measure(self, preds, target):
        return preds.diff(dim=-1).abs().mean(dim=(1, 2, 3))


class OtherPSNR(PSNR):
    """Says neither, and has both of the class that it derives from."""


def test_a_measure_that_says_neither_is_called_as_its_class():
    assert Sharpness("y", 4).column == "sharpness_y_crop4"
    assert Sharpness().settings.startswith(f"{__name__}.Sharpness; RGB, 8-bit, ")
    assert OtherPSNR().settings == PSNR().settings
    assert OtherPSNR().column == PSNR().column == "psnr"


class Gap(Metric):
    """Has a setting of its own."""

    def __init__(self, step=1):
        super().__init__()
        self.step = step

    def measure(self, preds, target):
        return (preds - target).abs()[..., :: self.step].mean(dim=(1, 2, 3))


class Batch(Metric):
    """Forgets that it is asked for one number an image."""

    def measure(self, preds, target):
        return (preds - target).abs().mean()


def test_settings_of_ones_own_measure_are_part_of_what_it_is():
    assert Gap(8).settings.startswith(f"{__name__}.Gap; step=8; RGB, ")
    assert Gap(8).settings != Gap(1).settings


def test_two_measures_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"^two measures are called 'gap': give one of them another `name`$"):
        Results(metrics=[Gap(1), PSNR(), Gap(8)])


def test_a_measure_that_gives_one_number_for_all_images_is_told(pictures):
    with pytest.raises(ValueError, match=r"^Batch.measure gave shape \(\) for 4 image\(s\): it must give one number"):
        Batch()(pictures, pictures)
