"""What light and air did to a photo: guessed by a network that learnt it from photos, refined while sampling."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.alignment.framing import Box, by_frame, in_order, is_plain
from modules.alignment.onlooker import Onlooker
from modules.alignment.ordinary_photos import greyness
from modules.networks.first_guess import Guess


class LightAndHaze(Alignment):
    """psi(x) = t (L x ** gamma) + (1 - t) A, with smooth maps t and L of transmission and illumination.

    A small network looks at a small copy of the photo and says how psi starts; where it is not sure that anything
    is wrong, and in a picture of one colour, psi starts as the identity. All maps have 8 x 8 knots, whatever the
    size of the picture. What is restored keeps ``t >= 1 - min(y / A)``, so that no channel becomes negative.

    Args:
        weights: Folder of the `FirstGuess`; ``package:`` paths lie in an installed package.
        light_belief: Share of the guessed light that psi starts with, in [0, 1]; None is as far as the network is sure
            that the light is wrong.
        haze_belief: The same for haze.

    Raises:
        ValueError: If a belief lies outside [0, 1].

    References:
        Koschmieder 1924 (haze); Land and McCann 1971, Lightness and Retinex Theory (smooth illumination); He et al.
        2009, Single Image Haze Removal Using Dark Channel Prior, Eq. 1.
    """

    onlooker: Onlooker
    """Who guesses; `Likeliest` gives its candidates one that remembers what it saw."""

    presence: Tensor
    """What the network said of the photos that `begin` was given, see `Guess`."""

    def __init__(
        self,
        weights: str = "package:ldrps/pretrained/mini/first_guess",
        light_belief: float | None = None,
        haze_belief: float | None = None,
    ) -> None:
        super().__init__()
        for name, belief in (("light_belief", light_belief), ("haze_belief", haze_belief)):
            if belief is not None and not 0 <= belief <= 1:
                raise ValueError(f"{name}={belief} must lie in [0, 1]; null asks the network how sure it is")
        self.onlooker = Onlooker(weights)
        self.light_belief = light_belief
        self.haze_belief = haze_belief

    def load(self) -> None:
        """See `Alignment.load`."""
        self.onlooker.load()

    @property
    def pretrained(self) -> nn.ModuleList:
        """See `Alignment.pretrained`."""
        return self.onlooker.pretrained

    @property
    def light_share(self) -> Tensor:
        """How far the guessed light is believed, shape (B,), range [0, 1]."""
        return _share(self.presence[:, 0], self.light_belief)

    @property
    def haze_share(self) -> Tensor:
        """How far the guessed haze is believed, shape (B,), range [0, 1]."""
        return _share(self.presence[:, 1], self.haze_belief)

    @torch.no_grad()
    def limit(self, light: Tensor, haze: Tensor) -> None:
        """Keep these shares of the light's logarithms and of the haze's thickness, both of shape (B,)."""
        less = self.damage.believed(light, haze)
        for name in ("log_gain", "log_gamma", "thickness"):
            getattr(self, name).copy_(getattr(less, name))

    @torch.no_grad()
    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`."""
        self.load()
        frames = by_frame(degraded)
        guesses = [self._guess(degraded[rows].float(), box) for box, rows in frames.items()]
        self.presence, log_gain, log_gamma, thickness, airlight = (
            in_order(parts, frames).to(degraded) for parts in zip(*guesses, strict=True)
        )
        self.log_gain = nn.Parameter(log_gain)
        self.log_gamma = nn.Parameter(log_gamma)
        self.thickness = nn.Parameter(thickness)
        self.airlight = nn.Parameter(airlight)

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        return self._damage_at(images).apply(images)

    @torch.no_grad()
    def invert(self, degraded: Tensor) -> Tensor:
        """See `Alignment.invert`."""
        return self._damage_at(degraded).undo(degraded).clamp(0, 1)

    def _damage_at(self, images: Tensor) -> Guess:
        """The damage with its maps at every pixel of the images."""
        damage = self.damage
        log_gain, thickness = (self.place(grid, images) for grid in (damage.log_gain, damage.thickness))
        return damage._replace(log_gain=log_gain, thickness=thickness)

    @property
    def damage(self) -> Guess:
        """What psi does, as far as it is learnt; shapes in `Guess`."""
        return Guess(self.presence, self.log_gain, self.log_gamma, self.thickness, self.airlight)

    def _guess(self, images: Tensor, box: Box) -> Guess:
        """Guess pictures, shape (B, 3, H, W), by what lies inside their frame."""
        height, width = images.shape[-2:]
        top, bottom, left, right = box
        inside = images[..., top:bottom, left:right]
        # In the dark colours are small, and noise has colours of its own.
        look = self.onlooker.look(inside)
        small = look.copy
        mean = small.mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)
        bright = (small * (0.5 / mean).clamp(min=1)).clamp(max=1)
        guess = self._believed(self.onlooker.guess(look), shows_something=~is_plain(images))
        guess = _without_tint(guess, greyness(bright).view(-1, 1, 1, 1))
        if (bottom - top, right - left) == (height, width):
            return guess
        # The knots lie where they are looked for: evenly over the whole picture, those outside as the nearest inside.
        knots = guess.thickness.shape[-1]
        scale = height / (bottom - top), width / (right - left)
        shift = (height - top - bottom) / (bottom - top), (width - left - right) / (right - left)
        matrix = images.new_tensor([[[scale[1], 0, shift[1]], [0, scale[0], shift[0]]]]).expand(len(images), 2, 3)
        places = F.affine_grid(matrix, [len(images), 1, knots, knots], align_corners=False)
        log_gain, thickness = (
            F.grid_sample(grid, places, padding_mode="border", align_corners=False)
            for grid in (guess.log_gain, guess.thickness)
        )
        return guess._replace(log_gain=log_gain, thickness=thickness)

    def _believed(self, guess: Guess, shows_something: Tensor) -> Guess:
        light, haze = guess.presence.unbind(dim=1)
        return guess.believed(
            _share(light, self.light_belief) * shows_something, _share(haze, self.haze_belief) * shows_something
        )


def _share(presence: Tensor, belief: float | None) -> Tensor:
    """How far a guess is believed, shape (B,): as set, or as sure as the network is."""
    return presence.sigmoid() if belief is None else torch.full_like(presence, belief)


def _without_tint(guess: Guess, share: Tensor) -> Guess:
    """The guess with this share of the channels' differences gone: what has no colour has no colour cast either."""
    means = (values.mean(dim=1, keepdim=True) for values in (guess.log_gain, guess.log_gamma, guess.airlight))
    log_gain, log_gamma, airlight = (
        torch.lerp(values, mean.expand_as(values), share)
        for values, mean in zip((guess.log_gain, guess.log_gamma, guess.airlight), means, strict=True)
    )
    return guess._replace(log_gain=log_gain, log_gamma=log_gamma, airlight=airlight)
