"""What the autoencoder cannot draw, taken back from the input where it is not noise."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from modules.outputs.base import Output, Undo, UndoAt
from modules.outputs.undone_noise import OPPONENT, Noise, UndoneNoise, rotated
from modules.windows import Window

COARSEST = 1.7
"""Factor of the noise from each scale to the next up to which its spectrum is told the filter."""


class Wiener(Output):
    """Wiener filter of the undone input, with the decoded sample as the estimate of the clean spectrum.

    Every overlapping patch of m(y), the input with the learnt damage undone, is taken to cosines; each coefficient is
    kept in proportion ``p^2 / (p^2 + s^2)``, with p that of the decoded sample and s the noise. Where the input
    is clean (s = 0) this is m(y) itself, whatever the autoencoder loses; where it is noisy, what the diffusion model
    does not see is noise. The result is a better estimate of the spectrum than the sample: the next round starts there.

    Args:
        patch_px: Side of the patches.
        stride_px: Distance of neighbouring patches; must divide `patch_px`.
        num_rounds: How often the filter runs.
        strength: Factor of the estimated noise level; below 1, since what several rounds remove is not given back.
        weights: Folder of the `NoiseShare`; ``package:`` paths lie in an installed package.

    Raises:
        ValueError: If patch_px or num_rounds is below 1, strength is negative, or stride_px does not divide patch_px.

    References:
        Yaroslavsky et al. 2001, Transform domain image restoration methods (local cosine filter); Dabov et al. 2007,
        BM3D, Eq. 9 (the empirical Wiener weights, here without groups).
    """

    def __init__(
        self,
        patch_px: int = 8,
        stride_px: int = 2,
        num_rounds: int = 3,
        strength: float = 0.9,
        weights: str = "package:ldrps/pretrained/mini/noise_share",
    ) -> None:
        super().__init__()
        if patch_px < 1 or stride_px < 1 or patch_px % stride_px:
            raise ValueError(f"stride_px={stride_px} must divide patch_px={patch_px}, both at least 1")
        if num_rounds < 1:
            raise ValueError(f"num_rounds={num_rounds} must be at least 1; use the output Decoded for none")
        self.patch_px = patch_px
        self.stride_px = stride_px
        self.num_rounds = num_rounds
        self.noise = UndoneNoise(weights, strength)
        # Each round looks at the patches of each pixel.
        self.reach_px = num_rounds * patch_px
        self.grid_px = patch_px

    def load(self) -> None:
        """See `Output.load`."""
        self.noise.load()

    @torch.no_grad()
    def look(self, degraded: Tensor, undo_at: UndoAt, windows: Sequence[Window]) -> Noise:
        """Find the noise; see `Output.look`."""
        return self.noise.find(degraded, undo_at, windows)

    @torch.no_grad()
    def forward(self, decoded: Tensor, degraded: Tensor, undo: Undo, facts: Noise | None = None) -> Tensor:
        """See `Output.forward`."""
        noise = self.look_at_whole(degraded, undo) if facts is None else facts
        opponent = decoded.new_tensor(OPPONENT)
        undone = rotated(undo(degraded), opponent)
        estimate = rotated(decoded, opponent)
        ratio = noise.coarseness.clamp(max=COARSEST)
        finest = noise.variance * share_of_finest(ratio)
        for _ in range(self.num_rounds):
            estimate = self.filter(undone, estimate, finest, ratio)
        return rotated(estimate, opponent.T)

    def filter(self, noisy: Tensor, pilot: Tensor, noise_variance: Tensor, ratio: Tensor) -> Tensor:
        """Filter once.

        Args:
            noisy: Channels with independent noise, shape (B, C, H, W).
            pilot: Estimate of them without noise, same shape.
            noise_variance: Variance of the noise at the finest scale, same shape.
            ratio: Factor of its standard deviation from each scale to the next coarser one, shape (B, C, 1, 1).
        """
        height, width = noisy.shape[-2:]
        patch = self.patch_px
        # Room for a whole patch beyond every border, so that border pixels lie in as many patches as others.
        padding = (patch, patch + -width % patch, patch, patch + -height % patch)
        noisy, pilot, noise_variance = (
            F.pad(channels, padding, mode="replicate") for channels in (noisy, pilot, noise_variance)
        )
        basis = cosine_basis(patch).to(noisy)
        spectrum = ratio[..., None, None] ** (2 * octaves(patch).to(noisy)[:, None])
        total, weights = torch.zeros_like(noisy), torch.zeros_like(noisy)
        # One shift of the patch grid at a time: the memory of one image instead of one of every patch.
        for top in range(0, patch, self.stride_px):
            for left in range(0, patch, self.stride_px):
                area = (..., slice(top, top - patch or None), slice(left, left - patch or None))
                filtered, weight = _filter_patches(noisy[area], pilot[area], noise_variance[area], spectrum, basis)
                total[area] += filtered
                weights[area] += weight
        return (total / weights)[..., patch : patch + height, patch : patch + width]


def share_of_finest(ratio: Tensor) -> Tensor:
    """Variance of the finest scale, as if all were like it, of noise whose scales together have variance 1.

    Three quarters of white noise lie at the finest scale, three quarters of the rest at the next, and so on.

    Args:
        ratio: Factor of its standard deviation from each scale to the next coarser one, below 2.
    """
    return (1 - ratio**2 / 4) / 0.75


def octaves(size: int) -> Tensor:
    """How many scales below the finest each cosine lies, shape (size, size), at most 1.5.

    Example:
        >>> octaves(8)[0, [0, 2, 4, 7]]
        tensor([1.5000, 1.4594, 0.4594, 0.0000])
    """
    frequency = torch.maximum(torch.arange(size)[:, None], torch.arange(size))
    # The finest diagonal wavelets see the upper half of the frequencies, around 11/16 of the highest.
    return (11 / 16 * size / frequency.clamp(min=1e-6)).log2().clamp(0, 1.5)


def cosine_basis(size: int) -> Tensor:
    """Orthonormal cosines, shape (size, size), one a row.

    Example:
        >>> torch.dist(cosine_basis(8) @ cosine_basis(8).T, torch.eye(8)).item() < 1e-5
        True
    """
    places = torch.arange(size, dtype=torch.float64)
    basis = torch.cos(math.pi * (2 * places + 1) * places[:, None] / (2 * size)) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis.float()


def _filter_patches(
    noisy: Tensor, pilot: Tensor, noise_variance: Tensor, spectrum: Tensor, basis: Tensor
) -> tuple[Tensor, Tensor]:
    """Filter the patches of one grid; returns their weighted pixels and weights, both shape (B, C, H, W)."""
    variance = F.avg_pool2d(noise_variance, len(basis))[..., :, None, :, None] * spectrum
    power = _to_cosines(pilot, basis) ** 2
    gain = power / (power + variance).clamp(min=1e-12)
    # The mean of a patch is left alone: a gain on it would darken the picture. Without noise everything is.
    gain = torch.where(variance <= 1e-12, 1.0, gain)
    gain[..., 0, :, 0] = 1
    # Patches whose noise is shrunk most say most (Dabov et al., Eq. 11).
    weight = 1 / (gain**2).sum(dim=(-3, -1), keepdim=True)
    filtered = _from_cosines(_to_cosines(noisy, basis) * gain, basis)
    weight = weight.expand_as(gain).reshape(filtered.shape)
    return filtered * weight, weight


def _to_cosines(channels: Tensor, basis: Tensor) -> Tensor:
    size = len(basis)
    batch, count, height, width = channels.shape
    patches = channels.reshape(batch, count, height // size, size, width // size, size)
    return torch.einsum("ki,bcyixj,lj->bcykxl", basis, patches, basis)


def _from_cosines(coefficients: Tensor, basis: Tensor) -> Tensor:
    patches = torch.einsum("ki,bcykxl,lj->bcyixj", basis, coefficients, basis)
    batch, count, rows, size, columns, _ = patches.shape
    return patches.reshape(batch, count, rows * size, columns * size)
