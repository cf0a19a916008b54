"""What every measure has without saying so."""

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
