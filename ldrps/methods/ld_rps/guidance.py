"""Alignment update and loss gradient at the x0 prediction: what makes sampling a posterior."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Literal

import torch
from torch import Tensor, nn

from ldrps.methods.ld_rps.working_size import reduced
from modules.alignment.base import Alignment
from modules.backbones.base import Backbone
from modules.backbones.precision import finite_rows
from modules.losses.base import Loss, LossTerm, State
from modules.windows import Window, split

View = Callable[[], State]
"""Makes what is seen in one window."""

OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass(frozen=True)
class GuidanceSettings:
    """How the degraded image pulls at the sample.

    Attributes:
        strength: Factor of the gradient. With ``scale="per_latent"`` useful values go from about 0.1, for few steps
            from the photo, to 8.
        scale: What the gradient is taken of. "per_latent": every loss is a mean over the image, so its gradient
            shrinks with the number of latents; it is multiplied by that number, and a strength means the same at any
            image size. "raw": as the released code does, where a strength of 80000 belongs to 4 x 64 x 64 latents.
        alignment_until: At and above this timestep only the alignment net learns (first stage of the paper).
        alignment_steps: Optimiser steps of the alignment net at every timestep.
        alignment_size_px: Longer side to which images are reduced before the alignment net is fitted to them; None
            fits at full size. A convolution net then models what is seen at the smaller size.
        every: The gradient is taken at every so many steps, and the alignment net learns at these; 1 takes it at all.

    Raises:
        ValueError: If a number does not fit.
    """

    strength: float = 1.0
    scale: Literal["per_latent", "raw"] = "per_latent"
    alignment_until: int = 700
    alignment_steps: int = 1
    alignment_size_px: int | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if self.strength < 0:
            raise ValueError(f"guidance.strength={self.strength} must not be negative; 0 switches guidance off")
        if self.every < 1:
            raise ValueError(f"guidance.every={self.every} must be at least 1, which guides every step")
        if self.alignment_steps < 0:
            raise ValueError(
                f"guidance.alignment_steps={self.alignment_steps} must not be negative; 0 leaves the net as it starts"
            )
        if self.alignment_size_px is not None and self.alignment_size_px < 1:
            raise ValueError(
                f"guidance.alignment_size_px={self.alignment_size_px} must be at least 1; null fits at full size"
            )


@dataclass
class Guidance:
    """Learns the damage of B images and pulls their samples towards what was seen.

    Attributes:
        backbone: Decodes the x0 prediction; gives the features that losses compare.
        alignment: Model of the damage.
        losses: Terms whose gradient guides the sample.
        alignment_losses: Terms the alignment net is fitted by.
        make_optimizer: Optimiser of the alignment net; it must work element by element (Adam, SGD), so that the images
            of a batch stay independent.
        settings: Strength and phases.
    """

    backbone: Backbone
    alignment: Alignment
    losses: Mapping[str, LossTerm]
    alignment_losses: Mapping[str, LossTerm]
    make_optimizer: OptimizerFactory
    settings: GuidanceSettings
    _optimizers: dict[str, torch.optim.Optimizer] = field(default_factory=dict)

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """Forget the last images: new alignment nets, discriminators and optimisers.

        Args:
            degraded: Images, shape (B, 3, H, W), range [0, 1].
            generators: One per image.
        """
        self.degraded = degraded
        self.fit_target = reduced(degraded, self.settings.alignment_size_px)
        self._num_updates = 0
        self.alignment.begin(degraded, generators)
        self._optimizers = {}
        if parameters := self.alignment.learnt_parameters():
            self._optimizers["alignment"] = self.make_optimizer(parameters)
        for kind, terms, target in (
            ("loss", self.losses, degraded),
            ("alignment_loss", self.alignment_losses, self.fit_target),
        ):
            for name, term in terms.items():
                if term.weight == 0:
                    continue
                term.loss.begin(target, self.backbone.features, generators)
                if parameters := term.loss.learnable():
                    self._optimizers[f"{kind}.{name}"] = torch.optim.Adam(parameters, lr=term.loss.learning_rate)

    @property
    def is_learning(self) -> bool:
        """Whether the alignment nets of the images have anything to learn."""
        return "alignment" in self._optimizers and self.settings.alignment_steps > 0

    def undo(self, images: Tensor, sample: Tensor | None = None) -> Tensor:
        """Take the learnt damage out of images, shape (B, 3, H, W), range [0, 1], as far as the alignment net can.

        Args:
            images: What was seen.
            sample: Undamaged images, same shape, that say what the damage leaves open; None fills it simply.
        """
        windows = split(images.shape[-2:], self.backbone.windows.side_px)
        return self.alignment.invert_in(windows, self.alignment.fill(images, sample))

    def update(self, x0_prediction: Tensor, timestep: float, is_moving: bool = True) -> Tensor | None:
        """Fit the alignment net to the current prediction, then say where the sample should go.

        Args:
            x0_prediction: Clean latents of all chains, rows ``chain * B + image``, shape (K * B, C, h, w).
            timestep: Current timestep.
            is_moving: Whether the sample moves at all; otherwise only the alignment net learns.

        Returns:
            What to subtract from the guided latents, shape (B, C, h, w); None where nothing pulls.
        """
        self._num_updates += 1
        if self._num_updates % self.settings.every:
            return None
        batch_size = len(self.degraded)
        is_guiding = is_moving and self._is_guiding(timestep)
        is_fitting = "alignment" in self._optimizers and self._is_any_active(self.alignment_losses, timestep)
        if not (is_guiding or is_fitting):
            return None
        guided, free = x0_prediction[:batch_size].detach(), x0_prediction[batch_size:].detach()
        restored = self.decoded(guided) if is_guiding else self.backbone.decode(guided)
        samples = restored.detach()
        if len(free):
            with torch.no_grad():
                samples = torch.cat([samples, self.backbone.decode(free)])
        if is_fitting:
            self.fit_alignment(samples, timestep)
        if not is_guiding:
            return None
        return self.gradient(guided, restored, samples, timestep)

    @torch.enable_grad()
    def decoded(self, latents: Tensor) -> Tensor:
        """The guided prediction as an image, in the form that `gradient` takes; latents as there."""
        return self.backbone.decode_for_gradients(latents.requires_grad_())

    @torch.enable_grad()
    def fit_alignment(self, samples: Tensor, timestep: float) -> None:
        """Make the alignment net turn the current predictions into the degraded image, one step per image.

        Args:
            samples: Decoded predictions of all chains, shape (K * B, 3, H, W), without graph.
            timestep: Current timestep, which selects the active terms.
        """
        samples = reduced(samples, self.settings.alignment_size_px)
        chains = len(samples) // len(self.fit_target)
        target = self.fit_target.repeat(chains, 1, 1, 1)

        def state_of(window: Window) -> State:
            part = window.outer(samples)
            with self.alignment.at(window):
                redegraded = self.alignment(part)
            seen = State(part, redegraded, window.outer(target), part, redegraded.detach())
            return seen.of(window, samples)

        def loss_of(state: State) -> Tensor:
            # Every chain of an image counts alike; images are summed, never averaged, so that they stay independent.
            return self._sum(self.alignment_losses, state, timestep) / chains

        for _ in range(self.settings.alignment_steps):
            states = views(self._windows(samples), state_of)
            self._train_discriminators("alignment_loss", self.alignment_losses, states, timestep)
            self._minimize("alignment", states, loss_of)

    @torch.enable_grad()
    def gradient(self, latents: Tensor, restored: Tensor, samples: Tensor, timestep: float) -> Tensor:
        """Gradient of the weighted losses with respect to the x0 prediction.

        Args:
            latents: x0 prediction of the guided chains, shape (B, C, h, w), a leaf that requires gradients.
            restored: Its decoded image, with graph.
            samples: Decoded predictions of all chains, without graph.
            timestep: Current timestep.
        """
        parameters = self.alignment.learnt_parameters()
        for parameter in parameters:
            parameter.requires_grad_(False)
        pixels = restored.detach()

        def state_of(window: Window) -> State:
            part, parts = window.outer(pixels).clone().requires_grad_(), window.outer(samples)
            with self.alignment.at(window):
                redegraded = self.alignment(part)
                with torch.no_grad():
                    redegraded_samples = torch.cat([redegraded.detach(), self.alignment(parts)[len(part) :]])
            seen = State(part, redegraded, window.outer(self.degraded), parts, redegraded_samples)
            return seen.of(window, pixels)

        windows = self._windows(pixels)
        states = views(windows, state_of)
        self._train_discriminators("loss", self.losses, states, timestep)
        pull = torch.zeros_like(pixels)
        for window, make in zip(windows, states, strict=True):
            state = make()
            (own,) = torch.autograd.grad(self._sum(self.losses, state, timestep), state.restored)
            window.outer(pull).add_(own)
        gradient = self._pulled_back(restored, latents, pull)
        for parameter in parameters:
            parameter.requires_grad_(True)
        size = gradient[0].numel() if self.settings.scale == "per_latent" else 1
        return self.settings.strength * size * gradient

    def _pulled_back(self, restored: Tensor, latents: Tensor, pull: Tensor) -> Tensor:
        """The gradient with respect to the latents, given that with respect to the decoded image."""
        # Of unit size, so that half precision neither loses nor overflows it.
        size = pull.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-30)
        (gradient,) = torch.autograd.grad(restored, latents, pull / size)
        if self.backbone.is_low and not bool(gradient.isfinite().all()):
            with self.backbone.in_full():
                decoded = self.backbone.decode_for_gradients(latents)
                (precise,) = torch.autograd.grad(decoded, latents, pull / size)
            gradient = finite_rows(gradient, precise)
        return gradient * size

    def _is_guiding(self, timestep: float) -> bool:
        is_joint_phase = timestep < self.settings.alignment_until
        return self.settings.strength != 0 and is_joint_phase and self._is_any_active(self.losses, timestep)

    @staticmethod
    def _is_any_active(terms: Mapping[str, LossTerm], timestep: float) -> bool:
        return any(term.is_active(timestep) for term in terms.values())

    @staticmethod
    def _sum(terms: Mapping[str, LossTerm], state: State, timestep: float) -> Tensor:
        active = [term for term in terms.values() if term.is_active(timestep)]
        return torch.stack([term.weight * _of_rows(term.loss, state).sum() for term in active]).sum()

    def _train_discriminators(
        self, kind: str, terms: Mapping[str, LossTerm], states: Sequence[View], timestep: float
    ) -> None:
        for name, term in terms.items():
            key = f"{kind}.{name}"
            if key not in self._optimizers or not term.is_active(timestep):
                continue

            def loss_of(state: State, loss: Loss = term.loss) -> Tensor:
                values = loss.training_loss(state)
                assert values is not None, f"{type(loss).__name__} has parameters but no training_loss"
                return values.sum()

            self._minimize(key, states, loss_of)

    def _minimize(self, name: str, states: Sequence[View], loss_of: Callable[[State], Tensor]) -> None:
        """One optimiser step on the sum of the windows' losses."""
        optimizer = self._optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        for make in states:
            loss_of(make()).backward()
        optimizer.step()

    def _windows(self, images: Tensor) -> list[Window]:
        """Windows in which images of this size are compared, with a margin as wide as what compares them looks."""
        losses = [term.loss for term in [*self.losses.values(), *self.alignment_losses.values()] if term.weight]
        margin = self.alignment.reach_px + max((loss.reach_px for loss in losses), default=0)
        grid = math.lcm(*(loss.grid_px for loss in losses))
        return split(images.shape[-2:], self.backbone.windows.side_px, margin, grid)


def views(windows: Sequence[Window], state_of: Callable[[Window], State]) -> list[View]:
    """What is seen in each window, made anew each time that it is asked for; in a single window it is made once."""
    made: list[View] = [partial(state_of, window) for window in windows]
    return [cache(made[0])] if len(made) == 1 else made


def _of_rows(loss: Loss, state: State) -> Tensor:
    """A loss of each image; a mean over them would make the result of one depend on the others."""
    values = loss(state)
    if values.shape != (len(state.restored),):
        raise ValueError(
            f"{type(loss).__name__} gave shape {tuple(values.shape)} for {len(state.restored)} image(s): a loss gives "
            "one number an image, shape (N,), and no mean over them"
        )
    return values
