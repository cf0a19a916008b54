"""What the tools share that take a picture's mean to mid grey."""

from ldrps.methods.baselines.base import Baseline


class MidGrey(Baseline):
    """A tool whose one setting is the brightness aimed at.

    Args:
        mid_grey: Brightness the mean is taken to, 0 to 1.
    """

    def __init__(self, mid_grey: float = 0.5) -> None:
        super().__init__()
        self.mid_grey = mid_grey
