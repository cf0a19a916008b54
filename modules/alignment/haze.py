"""Haze over a smooth map, guessed from how dark each neighbourhood gets and refined while sampling."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.ordinary_photos import COLOR, GREY, black_and_white, damage, greyness, unusual

MAP_CELLS = 64
"""Cells a side of the map of darkest values that the guess works on, whatever the size of the picture."""

NATURAL_DARKNESS = {8: 0.14, 16: 0.09, 32: 0.06}
"""Darkest value to expect in a neighbourhood of that many cells a side; about two thirds of the mean over photos, since
the few bright skies and walls should not count (300 of the training photos)."""

NEIGHBOURHOOD_WEIGHTS = {8: 0.5, 16: 1.0, 32: 2.0}
"""Weight of one neighbourhood of each side in the guess."""

THICKNESS_GATE, NEAREST_GATE = (0.50, 0.65), (0.08, 0.14)
"""Two more gates: the mean optical thickness, -log t, of the guess, and the darkest value of the neighbourhood that is
darker than nine in ten others, where haze should be thinnest. Below the first number the guess says more of the photo
than of haze, above the second it is believed. All gates together take 1.7 in a hundred of 1,600 training photos for
hazy (4 when blurred), and of the same photos 72 in a hundred behind a map like that of the suite `haze`, 70 behind haze
that grows from nothing at the bottom."""

OMEGA = 0.85
"""Share of the guessed optical thickness that is undone, since undoing too much costs more than leaving some: 1.0 and
1.7 dB above all of it (50 training photos each, behind maps of 4, and of 2 to 6 knots a side). He et al. 2009, Eq. 12,
leave a little haze for looks."""

WHITE = 0.985
"""Brighter than any haze: what is white is seen through clear air."""

AIRLIGHT, AIRLIGHT_SPREAD = 0.88, 0.04
"""Brightness of haze, and how much it differs."""


class Haze(Alignment):
    """psi(x) = t x + (1 - t) A, with a smooth map t of transmission and a grey airlight A per image.

    Where many textured neighbourhoods hold nothing dark, though the picture as a whole does, the guess takes haze for
    the reason: t and A are those under which the darkest values of all neighbourhoods, small and large, become those of
    ordinary photos, none negative, with as smooth a map as possible; a little of it is left. Otherwise psi starts as
    the identity; even haze, which a stretch of the whole picture undoes, is left to `ToneCurve`.

    Args:
        grid_size: Knots a side of the map.
        smoothness: Weight of the squared differences between neighbouring knots of log t in the guess.
        num_iterations: Steps of Adam that the guess takes.

    Raises:
        ValueError: If grid_size is below 2, smoothness negative, or num_iterations below 1.

    References:
        Koschmieder 1924; He et al. 2009, Single Image Haze Removal Using Dark Channel Prior, Eq. 1, 5 and 12.
    """

    def __init__(self, grid_size: int = 32, smoothness: float = 10.0, num_iterations: int = 150) -> None:
        super().__init__()
        if grid_size < 2:
            raise ValueError(f"grid_size={grid_size} must be at least 2; for even haze use ToneCurve")
        if smoothness < 0:
            raise ValueError(f"smoothness={smoothness} must not be negative")
        if num_iterations < 1:
            raise ValueError(f"num_iterations={num_iterations} must be at least 1")
        self.grid_size = grid_size
        self.smoothness = smoothness
        self.num_iterations = num_iterations

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        # At one size, since the larger a picture, the darker the darkest pixel of a cell.
        small = F.adaptive_avg_pool2d(degraded, 2 * MAP_CELLS)
        stretched = _smooth(_stretched(small))
        darkness = _textured_darkness(_darkest(stretched), _brightness(stretched))
        hazy = damage(darkness, greyness(small), COLOR.darkness, GREY.darkness)
        smooth = _smooth(small)
        darkest = torch.where(_brightest(smooth) > WHITE, 0, _darkest(smooth))
        nearest = torch.quantile(-F.adaptive_max_pool2d(-darkest, 8).flatten(1), 0.1, dim=1)
        hazy = hazy * unusual(nearest, NEAREST_GATE)

        log_transmission = darkest.new_zeros(len(degraded), 1, self.grid_size, self.grid_size)
        airlight = darkest.new_full((len(degraded), 1, 1, 1), AIRLIGHT)
        rows = hazy > 0
        if rows.any():
            log_transmission[rows], airlight[rows] = self._guess(darkest[rows])
        believed = OMEGA * hazy * unusual(-log_transmission.mean(dim=(1, 2, 3)), THICKNESS_GATE)
        self.log_transmission = nn.Parameter(log_transmission * believed.view(-1, 1, 1, 1))
        self.airlight = nn.Parameter(airlight)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        chains = len(images) // len(self.airlight)
        transmission = self._map(images).repeat(chains, 1, 1, 1)
        return torch.lerp(self.airlight.repeat(chains, 1, 1, 1), images, transmission)

    @torch.no_grad()
    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        transmission = self._map(degraded)
        return ((degraded - self.airlight) / transmission + self.airlight).clamp(0, 1)

    def _map(self, images: Tensor) -> Tensor:
        return self.place(self.log_transmission, images).exp()

    @torch.enable_grad()
    def _guess(self, darkest: Tensor) -> tuple[Tensor, Tensor]:
        """Find the map and the airlight, one independent problem a row."""
        shape = len(darkest), 1, self.grid_size, self.grid_size
        log_transmission = darkest.new_full(shape, -0.3).requires_grad_()
        airlight = darkest.new_full((len(darkest), 1, 1, 1), AIRLIGHT).requires_grad_()
        optimizer = torch.optim.Adam([{"params": [log_transmission], "lr": 0.05}, {"params": [airlight], "lr": 0.005}])
        for _ in range(self.num_iterations):
            transmission = F.interpolate(log_transmission.exp(), size=darkest.shape[-2:], mode="bilinear")
            restored = (darkest - airlight) / transmission + airlight
            energy = sum(
                weight * (MAP_CELLS / cells) ** 2 * _surprise(_minima(restored, cells), NATURAL_DARKNESS[cells]).mean()
                for cells, weight in NEIGHBOURHOOD_WEIGHTS.items()
            ) * len(darkest)
            for axis in (-1, -2):
                energy = energy + self.smoothness / 2 * log_transmission.diff(dim=axis).square().sum()
            energy = energy + ((airlight - AIRLIGHT) / AIRLIGHT_SPREAD).square().sum() / 2
            # Haze neither adds contrast (t > 1) nor leaves nothing to see.
            energy = energy + 10 * (F.relu(log_transmission) ** 2 + F.relu(-2.5 - log_transmission) ** 2).sum()
            optimizer.zero_grad()
            energy.backward()
            optimizer.step()
        return log_transmission.detach().clamp(-3, 0), airlight.detach()


def _stretched(images: Tensor) -> Tensor:
    """Take the darkest and brightest hundredth of each picture to black and white."""
    black, white = (level.view(-1, 1, 1, 1) for level in black_and_white(images, 0.01))
    return ((images - black) / (white - black)).clamp(0, 1)


def _smooth(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)


def _darkest(images: Tensor) -> Tensor:
    """Darkest value of each cell."""
    return -F.adaptive_max_pool2d(-images.amin(dim=1, keepdim=True), MAP_CELLS)


def _brightest(images: Tensor) -> Tensor:
    """Brightest value of each cell."""
    return F.adaptive_max_pool2d(images.amax(dim=1, keepdim=True), MAP_CELLS)


def _brightness(images: Tensor) -> Tensor:
    """Mean brightness of each cell."""
    return F.adaptive_avg_pool2d(images.mean(dim=1, keepdim=True), MAP_CELLS)


def _textured_darkness(darkest: Tensor, brightness: Tensor) -> Tensor:
    """Mean darkest value of neighbourhoods, weighted by their contrast: a bright wall or sky has none; shape (B,)."""
    cells = 8
    highest = F.max_pool2d(brightness, cells, stride=cells // 2)
    contrast = highest - _minima(brightness, cells) + 0.01
    return (contrast * _minima(darkest, cells)).sum(dim=(1, 2, 3)) / contrast.sum(dim=(1, 2, 3))


def _minima(values: Tensor, cells: int) -> Tensor:
    return -F.max_pool2d(-values, cells, stride=cells // 2)


def _surprise(darkness: Tensor, natural: float) -> Tensor:
    """Negative log-likelihood of darkest values: exponential above 0, and hardly ever below."""
    return torch.where(darkness > 0, darkness / natural, (darkness / 0.02) ** 2)
