"""What blurs share: a kernel per image, drawn and applied."""

from abc import abstractmethod
from collections.abc import Iterator
from functools import cache

import torch
import torch.nn.functional as F
from kornia.filters import filter2d
from torch import Tensor

from degradations.base import Degradation
from degradations.checks import IntegerInterval, check_kernel_size
from degradations.drawing import Generators, integers
from degradations.parameters import Parameters, rows_of, where


class Blur(Degradation):
    """``degraded = kernel * image`` (convolution) with a kernel of each image's own.

    The border is reflected without its last pixel (OpenCV's default); an image too small for that is continued by its
    border pixels.

    Args:
        kernel_size: Interval of the kernel's side in pixels, odd numbers.

    Raises:
        ValueError: If the interval is reversed or has an even end.
    """

    word = "blur"

    def __init__(self, kernel_size: IntegerInterval = (21, 21)) -> None:
        self.kernel_size = check_kernel_size(kernel_size)

    @abstractmethod
    def sample_shape(self, generators: Generators) -> Parameters:
        """Draw what shapes the kernel, apart from its size."""

    @abstractmethod
    def kernels(self, parameters: Parameters, size: int) -> Tensor:
        """Make the kernels of images whose ``kernel_size`` is `size`, shape (B, size, size), float64, sum 1."""

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"kernel_size": integers(self.kernel_size, generators, step=2), **self.sample_shape(generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        return self.filtered(image, parameters).clamp_(0, 1)

    def filtered(self, image: Tensor, parameters: Parameters) -> Tensor:
        """Convolve without clamping: kernels with negative lobes leave [0, 1]."""
        blurred = torch.empty_like(image)
        for rows, kernels in self.kernels_by_size(parameters):
            if len(rows) == len(image):
                return convolve(image, kernels)
            blurred[rows] = convolve(image[rows], kernels)
        return blurred

    def kernels_by_size(self, parameters: Parameters) -> Iterator[tuple[Tensor, Tensor]]:
        """Group the images by kernel size: numbers of the images, and their kernels, shape (b, size, size)."""
        for size in parameters["kernel_size"].unique().tolist():
            rows = where(parameters["kernel_size"] == size)
            yield rows, self.kernels(rows_of(parameters, rows), size)


def convolve(image: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each image, shape (B, C, H, W), with its own kernel, shape (B, k, k), k odd."""
    edge = kernels.shape[-1] // 2
    fits = min(image.shape[2:]) > edge
    padded = F.pad(image, (edge,) * 4, mode="reflect" if fits else "replicate")
    small = kernels.shape[-1] <= LARGEST_DIRECT_KERNEL
    return (convolve_directly if small else convolve_by_spectrum)(padded, kernels)


LARGEST_DIRECT_KERNEL = 21
"""Above, Fourier transforms are faster (256 x 256 pixels, two cores)."""

VECTOR_LANES = 16
"""Channels that a processor's convolution works on together."""


def convolve_directly(padded: Tensor, kernels: Tensor) -> Tensor:
    """Convolve padded images, in bands of rows that become channels: three alone leave the processor idle."""
    batch, channels, height, width = padded.shape
    edge = kernels.shape[-1] - 1
    count = max(1, VECTOR_LANES // channels)
    rows = -(-(height - edge) // count)
    extended = F.pad(padded, (0, 0, 0, count * rows + edge - height))
    bands = extended.unfold(2, rows + edge, rows).transpose(3, 4).flatten(1, 2)
    convolved = filter2d(bands.contiguous(), kernels.to(padded), padding="valid", behaviour="conv")
    return convolved.reshape(batch, channels, count * rows, width - edge)[:, :, : height - edge]


def convolve_by_spectrum(padded: Tensor, kernels: Tensor) -> Tensor:
    """Convolve padded images by Fourier transforms, in double precision.

    In single precision the last bits depend on the number of threads.
    """
    height, width = padded.shape[2:]
    edge = kernels.shape[-1] - 1
    sides = [fast_length(side) for side in (height, width)]
    spectrum = torch.fft.rfft2(in_doubles(padded), s=sides)
    spectrum *= torch.fft.rfft2(kernels.to(spectrum.device), s=sides)[:, None]
    return torch.fft.irfft2(spectrum, s=sides)[:, :, edge:height, edge:width].to(padded)


def in_doubles(image: Tensor) -> Tensor:
    """An image in double precision, on its device; on the CPU if that is one of Apple's GPUs, which know none."""
    return (image.cpu() if image.device.type == "mps" else image).double()


@cache
def fast_length(length: int) -> int:
    """Find the next length whose transform is fast: even, with no prime factor above 5.

    Example:
        >>> fast_length(274)
        288
    """
    while length % 2 or not has_small_factors(length):
        length += 1
    return length


def has_small_factors(number: int) -> bool:
    """Whether a number has no prime factor above 5."""
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number == 1


def offsets(size: int) -> Tensor:
    """Distances of a kernel's cells from its centre: -(size // 2), ..., size // 2, shape (size,), float64."""
    return torch.arange(size, dtype=torch.float64) - size // 2


def normalised(kernels: Tensor) -> Tensor:
    """Scale kernels, shape (B, k, k), to sum 1."""
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def column(values: Tensor) -> Tensor:
    """Reshape one value per image, (B,), to meet kernels, (B, 1, 1), float64."""
    return values.double().view(-1, 1, 1)
