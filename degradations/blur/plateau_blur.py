"""Plateau blur."""

from torch import Tensor

from degradations.blur.elliptical_blur import EllipticalBlur
from degradations.checks import IntegerInterval, Interval


class PlateauBlur(EllipticalBlur):
    """Kernel ``1 / (1 + q^beta)``, ``q = x' S^-1 x``: a flat top and heavy tails.

    Args:
        sigma: Interval of the width along each axis in pixels.
        is_isotropic: Both axes equal; otherwise an ellipse with a random rotation.
        beta: Interval of the exponent around 1, half of the draws from below 1, half from above; 1-2 is usual.
        kernel_size: Interval of the kernel's side in pixels, odd numbers.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Wang et al. 2021, Real-ESRGAN, Sec. 3.1.
    """

    def __init__(
        self,
        sigma: Interval = (1.0, 3.0),
        is_isotropic: bool = True,
        beta: Interval = (1.0, 2.0),
        kernel_size: IntegerInterval = (21, 21),
    ) -> None:
        super().__init__(sigma, is_isotropic, beta, (1.0, 1.0), kernel_size)

    def profile(self, q: Tensor, beta: Tensor) -> Tensor:
        """See `EllipticalBlur.profile`."""
        return 1 / (1 + q**beta)
