"""Generalised Gaussian blur."""

from torch import Tensor

from degradations.blur.elliptical_blur import EllipticalBlur


class GeneralisedGaussianBlur(EllipticalBlur):
    """Kernel ``exp(-q^beta / 2)``, ``q = x' S^-1 x``: peaked with long tails below beta = 1, flat above.

    Args:
        sigma: Interval of the width along each axis in pixels.
        is_isotropic: Both axes equal; otherwise an ellipse with a random rotation.
        beta: Interval of the exponent around 1, half of the draws from below 1, half from above; 0.5-2 is usual.
        kernel_noise: Interval of a factor drawn for every cell of the kernel; [1, 1] is none.
        kernel_size: Interval of the kernel's side in pixels, odd numbers.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Wang et al. 2021, Real-ESRGAN, Sec. 3.1.
    """

    def profile(self, q: Tensor, beta: Tensor) -> Tensor:
        """See `EllipticalBlur.profile`."""
        return (-(q**beta) / 2).exp()
