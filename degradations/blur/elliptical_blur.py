"""What blurs share whose kernel falls off from the centre in ellipses."""

from abc import abstractmethod
from math import pi

import torch
from torch import Tensor

from degradations.blur.blur import Blur, column, normalised, offsets
from degradations.checks import IntegerInterval, Interval, check_interval
from degradations.drawing import Generators, coins, seeds, uniform, uniform_field
from degradations.parameters import Parameters


class EllipticalBlur(Blur):
    """A kernel that depends on ``q = x' S^-1 x``, S with axes sigma_x, sigma_y and a rotation.

    Args:
        sigma: Interval of the width along each axis in pixels; 0.2 is sharp, 2 soft, 5 strongly blurred.
        is_isotropic: Both axes equal; otherwise each is drawn, and a rotation from [-pi, pi].
        beta: Interval of the exponent of q around 1; one half of the draws comes from below 1 and one half from above.
        kernel_noise: Interval of a factor drawn for every cell of the kernel; [1, 1] is none.
        kernel_size: Interval of the kernel's side in pixels, odd numbers.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Wang et al. 2021, Real-ESRGAN, Sec. 3.1 (generalised Gaussian and plateau kernels).
    """

    def __init__(
        self,
        sigma: Interval = (1.0, 3.0),
        is_isotropic: bool = True,
        beta: Interval = (0.5, 2.0),
        kernel_noise: Interval = (1.0, 1.0),
        kernel_size: IntegerInterval = (21, 21),
    ) -> None:
        super().__init__(kernel_size)
        self.sigma = check_interval("sigma", sigma, 0.05, 100)
        self.is_isotropic = is_isotropic
        self.beta = check_interval("beta", beta, 0.1, 20)
        if not beta[0] <= 1 <= beta[1]:
            raise ValueError(f"beta={list(beta)} must contain 1, which divides peaked kernels from flat ones")
        self.kernel_noise = check_interval("kernel_noise", kernel_noise, 0.01, 10)

    @abstractmethod
    def profile(self, q: Tensor, beta: Tensor) -> Tensor:
        """Height of the kernel at ``q``, shape (B, k, k), for ``beta``, shape (B, 1, 1)."""

    def sample_shape(self, generators: Generators) -> Parameters:
        """See `Blur.sample_shape`; sigma has two columns, x and y."""
        sigma = uniform(self.sigma, generators, 2)
        rotation = uniform((-pi, pi), generators)
        if self.is_isotropic:
            sigma, rotation = sigma[:, :1].expand(-1, 2).clone(), torch.zeros_like(rotation)
        peaked, flat = uniform((self.beta[0], 1.0), generators), uniform((1.0, self.beta[1]), generators)
        beta = torch.where(coins(0.5, generators), peaked, flat)
        return {"sigma": sigma, "rotation": rotation, "beta": beta, "noise_seed": seeds(generators)}

    def kernels(self, parameters: Parameters, size: int) -> Tensor:
        """See `Blur.kernels`."""
        y, x = torch.meshgrid(offsets(size), offsets(size), indexing="ij")
        cos, sin = column(parameters["rotation"].cos()), column(parameters["rotation"].sin())
        along, across = cos * x + sin * y, cos * y - sin * x
        sigma_x, sigma_y = (column(values) for values in parameters["sigma"].unbind(dim=1))
        kernels = self.profile((along / sigma_x) ** 2 + (across / sigma_y) ** 2, column(parameters["beta"]))
        low, high = self.kernel_noise
        if low < high:
            kernels = kernels * (low + (high - low) * uniform_field(parameters["noise_seed"], (size, size), kernels))
        return normalised(kernels)
