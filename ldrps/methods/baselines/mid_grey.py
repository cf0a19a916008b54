"""What the tools share that take a picture's mean to mid grey."""

from ldrps.methods.baselines.base import Baseline


class MidGrey(Baseline):
    """A tool whose one setting is the brightness aimed at.

    Args:
        mid_grey: Brightness the mean is taken to, in (0, 1).

    Raises:
        ValueError: If mid_grey lies outside.
    """

    def __init__(self, mid_grey: float = 0.5) -> None:
        super().__init__()
        if not 0 < mid_grey < 1:
            raise ValueError(f"mid_grey={mid_grey} must lie in (0, 1); 0.5 is the middle")
        self.mid_grey = mid_grey
