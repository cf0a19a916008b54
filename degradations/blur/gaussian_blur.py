"""Gaussian blur."""

from torch import Tensor

from degradations.blur.elliptical_blur import EllipticalBlur
from degradations.checks import IntegerInterval, Interval


class GaussianBlur(EllipticalBlur):
    """Kernel ``exp(-q / 2)``, ``q = x' S^-1 x``: lens softness, isotropic or anisotropic.

    Args:
        sigma: Interval of the width along each axis in pixels; 0.5 is hardly visible, 1-3 usual, 5 strong.
        is_isotropic: Both axes equal; otherwise an ellipse with a random rotation.
        kernel_noise: Interval of a factor drawn for every cell of the kernel; [1, 1] is none.
        kernel_size: Interval of the kernel's side in pixels, odd numbers; 6 sigma hold all of it, and what lies
            outside is cut off: in 21 pixels sigma 3 blurs as 3, 5 as 4.5 and 8 as 5.4.

    Raises:
        ValueError: If an interval is reversed or out of range.

    Example:
        >>> import torch
        >>> blur = GaussianBlur((2.0, 2.0))
        >>> kernel = blur.kernels(blur.sample_parameters([torch.Generator()]), 21)
        >>> round(float(kernel.sum()), 6)
        1.0
    """

    def __init__(
        self,
        sigma: Interval = (1.0, 3.0),
        is_isotropic: bool = True,
        kernel_noise: Interval = (1.0, 1.0),
        kernel_size: IntegerInterval = (21, 21),
    ) -> None:
        super().__init__(sigma, is_isotropic, (1.0, 1.0), kernel_noise, kernel_size)

    def profile(self, q: Tensor, beta: Tensor) -> Tensor:
        """See `EllipticalBlur.profile`."""
        return (-q / 2).exp()
