"""Alignment update and loss gradient at the x0 prediction: what makes sampling a posterior."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modules.alignment.base import Alignment
from modules.backbones.base import Backbone
from modules.losses.base import LossTerm, State

OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass(frozen=True)
class GuidanceSettings:
    """How the degraded image pulls at the sample.

    Attributes:
        strength: Factor of the gradient. With ``scale="per_latent"`` useful values are about 0.5 to 8.
        scale: What the gradient is taken of. "per_latent": every loss is a mean over the image, so its gradient
            shrinks with the number of latents; it is multiplied by that number, and a strength means the same at any
            image size. "raw": as the released code does, where a strength of 80000 belongs to 4 x 64 x 64 latents.
        alignment_until: At and above this timestep only the alignment net learns (first stage of the paper).
        alignment_steps: Optimiser steps of the alignment net at every timestep.
        alignment_size_px: Longer side to which images are reduced before the alignment net is fitted to them; None
            fits at full size. A convolution net then models what is seen at the smaller size.
    """

    strength: float = 1.0
    scale: Literal["per_latent", "raw"] = "per_latent"
    alignment_until: int = 700
    alignment_steps: int = 1
    alignment_size_px: int | None = None


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
        self.fit_target = self._reduce(degraded)
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

    def update(self, x0_prediction: Tensor, timestep: float) -> Tensor | None:
        """Fit the alignment net to the current prediction, then say where the sample should go.

        Args:
            x0_prediction: Clean latents of all chains, rows ``chain * B + image``, shape (K * B, C, h, w).
            timestep: Current timestep.

        Returns:
            What to subtract from the guided latents, shape (B, C, h, w); None where nothing pulls.
        """
        batch_size = len(self.degraded)
        is_guiding = self._is_guiding(timestep)
        is_fitting = "alignment" in self._optimizers and self._is_any_active(self.alignment_losses, timestep)
        if not (is_guiding or is_fitting):
            return None
        guided, free = x0_prediction[:batch_size].detach(), x0_prediction[batch_size:].detach()
        with torch.enable_grad():
            guided.requires_grad_(is_guiding)
            restored = self.backbone.decode_for_gradients(guided) if is_guiding else self.backbone.decode(guided)
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
    def fit_alignment(self, samples: Tensor, timestep: float) -> None:
        """Make the alignment net turn the current predictions into the degraded image, one step per image.

        Args:
            samples: Decoded predictions of all chains, shape (K * B, 3, H, W), without graph.
            timestep: Current timestep, which selects the active terms.
        """
        samples = self._reduce(samples)
        target = self.fit_target.repeat(len(samples) // len(self.fit_target), 1, 1, 1)
        for _ in range(self.settings.alignment_steps):
            redegraded = self.alignment(samples)
            state = State(samples, redegraded, target, samples, redegraded.detach())
            self._train_discriminators("alignment_loss", self.alignment_losses, state, timestep)
            loss = self._sum(self.alignment_losses, state, timestep)
            # Every chain of an image counts alike; images are summed, never averaged, so that they stay independent.
            chains = len(samples) // len(self.fit_target)
            self._minimize("alignment", loss / chains)

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
        redegraded = self.alignment(restored)
        with torch.no_grad():
            redegraded_samples = torch.cat([redegraded.detach(), self.alignment(samples)[len(restored) :]])
        state = State(restored, redegraded, self.degraded, samples, redegraded_samples)
        self._train_discriminators("loss", self.losses, state, timestep)
        (gradient,) = torch.autograd.grad(self._sum(self.losses, state, timestep), latents)
        for parameter in parameters:
            parameter.requires_grad_(True)
        size = gradient[0].numel() if self.settings.scale == "per_latent" else 1
        return self.settings.strength * size * gradient

    def _is_guiding(self, timestep: float) -> bool:
        is_joint_phase = timestep < self.settings.alignment_until
        return self.settings.strength != 0 and is_joint_phase and self._is_any_active(self.losses, timestep)

    @staticmethod
    def _is_any_active(terms: Mapping[str, LossTerm], timestep: float) -> bool:
        return any(term.is_active(timestep) for term in terms.values())

    @staticmethod
    def _sum(terms: Mapping[str, LossTerm], state: State, timestep: float) -> Tensor:
        active = [term for term in terms.values() if term.is_active(timestep)]
        return torch.stack([term.weight * term.loss(state).sum() for term in active]).sum()

    def _train_discriminators(self, kind: str, terms: Mapping[str, LossTerm], state: State, timestep: float) -> None:
        for name, term in terms.items():
            key = f"{kind}.{name}"
            if key not in self._optimizers or not term.is_active(timestep):
                continue
            loss = term.loss.training_loss(state)
            assert loss is not None, f"{type(term.loss).__name__} has parameters but no training_loss"
            self._minimize(key, loss.sum())

    def _minimize(self, name: str, loss: Tensor) -> None:
        optimizer = self._optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def _reduce(self, images: Tensor) -> Tensor:
        longer = max(images.shape[-2:])
        if self.settings.alignment_size_px is None or longer <= self.settings.alignment_size_px:
            return images
        factor = self.settings.alignment_size_px / longer
        size = [max(1, round(side * factor)) for side in images.shape[-2:]]
        return F.interpolate(images, size=size, mode="area")
