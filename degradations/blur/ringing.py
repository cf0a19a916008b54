"""Ringing of a deconvolution."""

from math import inf

import torch
from torch import Tensor

from degradations.base import Degradation, per_image
from degradations.blur.blur import Blur, in_doubles
from degradations.blur.gaussian_blur import GaussianBlur
from degradations.checks import Interval, check_interval, check_probability
from degradations.drawing import Generators, coins, uniform
from degradations.parameters import Parameters, nested, unnested


class Ringing(Degradation):
    """Blurs and then sharpens by Wiener deconvolution with the same kernel: ``X = conj(H) / (|H|^2 + K) F``.

    F is the transform of the blurred image, continued symmetrically by `padding` pixels, H that of the kernel; each
    channel by itself. With a probability the result is mixed with the blurred image,
    ``blend * blurred + (1 - blend) * X``.

    Args:
        blur: The blur that is undone.
        regularisation: K, the noise-to-signal ratio the filter reckons with; small numbers ring more.
        padding: Pixels of symmetric continuation.
        blend: Interval of the blurred image's share where the two are mixed.
        blend_probability: How often they are.
        probability: How often an image is deconvolved at all; the others are blurred only.
        max_kernel_size: Images with a larger kernel are blurred only; None sets no limit.

    Raises:
        ValueError: If an interval is reversed or out of range.

    References:
        Luo et al. 2024, Photo-Realistic Image Restoration in the Wild with Controlled Vision-Language Models, Sec. 3.
    """

    word = "ringing artifact"

    def __init__(
        self,
        blur: Blur | None = None,
        regularisation: float = 0.006,
        padding: int = 20,
        blend: Interval = (0.1, 0.5),
        blend_probability: float = 0.1,
        probability: float = 1.0,
        max_kernel_size: int | None = None,
    ) -> None:
        if not 0 < regularisation < inf or padding < 0:
            raise ValueError(f"regularisation={regularisation} must be positive and padding={padding} not negative")
        self.blur = blur or GaussianBlur(kernel_size=(7, 7))
        self.regularisation = regularisation
        self.padding = padding
        self.blend = check_interval("blend", blend, 0, 1)
        self.blend_probability = check_probability("blend_probability", blend_probability)
        self.probability = check_probability("probability", probability)
        self.max_kernel_size = max_kernel_size

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; ``blend`` is the blurred image's share, 1 without deconvolution."""
        blur = self.blur.sample_parameters(generators)
        rings = coins(self.probability, generators)
        if self.max_kernel_size is not None:
            rings &= blur["kernel_size"] <= self.max_kernel_size
        share = uniform(self.blend, generators) * coins(self.blend_probability, generators)
        return {**nested("blur", blur), "blend": torch.where(rings, share, 1.0)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        blur = unnested("blur", parameters)
        blurred = self.blur.filtered(image, blur)
        if (parameters["blend"] == 1).all():
            return blurred.clamp_(0, 1)
        sharpened = blurred.clone()
        for rows, kernels in self.blur.kernels_by_size(blur):
            some = parameters["blend"][rows] < 1
            if some.any():
                sharpened[rows[some]] = wiener(blurred[rows[some]], kernels[some], self.regularisation, self.padding)
        return torch.lerp(sharpened, blurred, per_image(parameters["blend"], image)).clamp_(0, 1)

    def words(self, parameters: Parameters) -> list[tuple[str, ...]]:
        """See `Degradation.words`."""
        blurs = self.blur.words(unnested("blur", parameters))
        return [
            tuple(dict.fromkeys((*words, self.word))) if blend < 1 else words
            for words, blend in zip(blurs, parameters["blend"].tolist(), strict=True)
        ]


def wiener(blurred: Tensor, kernels: Tensor, regularisation: float, padding: int) -> Tensor:
    """Deconvolve images, shape (B, C, H, W), each by its kernel, shape (B, k, k)."""
    height, width = blurred.shape[-2:]
    rows, columns = (symmetric(side, padding).to(blurred.device) for side in (height, width))
    padded = blurred[:, :, rows][:, :, :, columns]
    sides = padded.shape[-2:]
    # The kernel's centre belongs at the origin, and a kernel larger than the image wraps around.
    size = kernels.shape[-1]
    origin = torch.zeros(len(kernels), *sides, dtype=torch.float64)
    places = [(torch.arange(size) - size // 2) % side for side in sides]
    origin.index_put_(
        (torch.arange(len(kernels))[:, None, None], places[0][None, :, None], places[1][None, None, :]),
        kernels,
        accumulate=True,
    )
    spectrum = torch.fft.rfft2(in_doubles(padded))
    transfer = torch.fft.rfft2(origin).to(spectrum.device)
    inverse = transfer.conj() / (transfer.abs() ** 2 + regularisation)
    sharpened = torch.fft.irfft2(inverse[:, None] * spectrum, s=sides)
    return sharpened[:, :, padding : padding + height, padding : padding + width].to(blurred)


def symmetric(side: int, padding: int) -> Tensor:
    """Indices that continue a side by mirroring with its last pixel repeated, as often as needed."""
    indices = torch.arange(-padding, side + padding) % (2 * side)
    return torch.minimum(indices, 2 * side - 1 - indices)
