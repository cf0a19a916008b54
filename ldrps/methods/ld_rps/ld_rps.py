"""LD-RPS as a LightningModule of test-time optimisation."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ldrps.data.image_generator import image_generator
from ldrps.methods.economies import Economy
from ldrps.methods.found import what_changed
from ldrps.methods.hash_weights import hash_weights
from ldrps.methods.ld_rps.algorithm import Run, restore
from ldrps.methods.ld_rps.colorization import Colorization
from ldrps.methods.ld_rps.guidance import Guidance, GuidanceSettings, OptimizerFactory
from ldrps.methods.ld_rps.sampling import SamplingSettings
from ldrps.methods.ld_rps.strength import Strength
from ldrps.methods.ld_rps.working_size import WorkingSize, reduced
from ldrps.methods.less_memory import less_memory
from ldrps.methods.mixed_precision import networks_only
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step
from modules.alignment.base import Alignment
from modules.backbones.base import Backbone, Conditioning
from modules.colourless import without_tint
from modules.losses.base import LossTerm
from modules.outputs.base import Output, Undo
from modules.priors.base import Prior, Semantics, asked
from modules.priors.null import Null
from modules.windows import Window, WindowSettings, split

LOGGER = logging.getLogger("ldrps.prior")


class LDRPS(Restorer):
    """Restores images without knowing the damage and without training on pairs.

    A pretrained latent diffusion model is sampled; at every step the alignment net learns to turn the predicted clean
    image into the degraded one, and the gradient of the losses pulls the sample towards an image that explains it.

    Args:
        backbone: The pretrained model.
        prior: What is known about the content of each image; it is not asked where nothing is drawn, such as of a
            photo that nothing is wrong with.
        alignment: Model of the damage, learnt anew for each image.
        losses: Terms whose gradient guides the sample.
        alignment_losses: Terms the alignment net is fitted by.
        output: What is made of the decoded sample and the input in the end.
        alignment_optimizer: Optimiser of the alignment net, element-wise (Adam, SGD).
        sampling: Steps, start and recurrences.
        guidance: Strength and phases of the guidance.
        guidance_scale: Classifier-free guidance towards the prompt; without a prompt it has no effect.
        working_scale: Images are enlarged by this factor, restored, and reduced again. The autoencoder keeps more
            detail at 2, at four times the cost.
        windows: How pictures are cut that are too large to be restored at once.
        max_side_px: Longer pictures are restored at this size; light, haze and what else is smooth is undone at full
            size, detail finer than that is the input's own, noise included. None restores every picture at its size.
        guidance_class: What pulls the sample: `Guidance` by the losses' gradient, as in the paper, or
            `ldrps.methods.ld_rps.proximal_guidance.ProximalGuidance`, without a backward pass.
        colorization: How photos without colour are coloured; None leaves them grey.
        strength: How much of the change of light and colour is kept; None keeps all of it.
        seed: Seed of the run.

    Raises:
        ValueError: If working_scale or max_side_px is not positive.

    References:
        LD-RPS: Zero-Shot Unified Image Restoration via Latent Diffusion Recurrent Posterior Sampling, ICCV 2025.
    """

    def __init__(
        self,
        backbone: Backbone,
        prior: Prior,
        alignment: Alignment,
        losses: dict[str, LossTerm],
        alignment_losses: dict[str, LossTerm],
        output: Output,
        alignment_optimizer: OptimizerFactory = torch.optim.Adam,
        sampling: SamplingSettings = SamplingSettings(),
        guidance: GuidanceSettings = GuidanceSettings(),
        guidance_scale: float = 1.0,
        working_scale: float = 1.0,
        windows: WindowSettings = WindowSettings(),
        max_side_px: int | None = None,
        guidance_class: type[Guidance] = Guidance,
        colorization: Colorization | None = None,
        strength: Strength | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if working_scale <= 0:
            raise ValueError(f"working_scale={working_scale} must be positive; 1 restores at the image's own size")
        if max_side_px is not None and max_side_px < 1:
            raise ValueError(f"max_side_px={max_side_px} must be at least 1; null restores every picture at its size")
        self.backbone = backbone
        self.backbone.windows = windows
        self.prior = prior
        self.alignment = alignment
        self.loss_modules = torch.nn.ModuleList(term.loss for term in [*losses.values(), *alignment_losses.values()])
        self.guidance = guidance_class(backbone, alignment, losses, alignment_losses, alignment_optimizer, guidance)
        self.output = output
        self.sampling = sampling
        self.guidance_scale = guidance_scale
        self.working_scale = working_scale
        self.max_side_px = max_side_px
        self.colorization = colorization
        self.strength = strength
        self._is_told = False

    def load(self) -> None:
        """See `Restorer.load`.

        Raises:
            ValueError: If the backbone knows no schedule of so many steps, besides.
        """
        self.backbone.load()
        if self.sampling.num_steps:
            try:
                self.backbone.begin(self.sampling.num_inference_steps, self.sampling.first_strength)
            except ValueError as error:
                steps = self.sampling.num_inference_steps
                raise ValueError(f"sampling.num_inference_steps={steps} does not fit the schedule: {error}") from error
        if self._asks_prior:
            self.prior.load(self.backbone.folder)
        elif not isinstance(self.prior, Null) and not self._is_told:
            LOGGER.warning("the prior is not asked: sampling.num_inference_steps=0 draws nothing that it could change")
            self._is_told = True
        self.alignment.load()
        self.output.load()

    def weights_sha256(self) -> str:
        """See `Restorer.weights_sha256`."""
        self.load()
        return hash_weights(torch.nn.ModuleList([self.backbone, self.prior, self.alignment.pretrained, self.output]))

    def economies(self, degraded: Tensor) -> Iterable[Economy]:
        """See `Restorer.economies`."""
        height, width = reduced(degraded, self.max_side_px).shape[-2:]
        return less_memory(self.backbone, (height, width), degraded.device, lambda: self.backbone.is_low)

    @torch.no_grad()
    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """See `Restorer.restore`."""
        with networks_only(self, degraded.device):
            return self._restore_at_size(degraded, paths, observe)

    def _restore_at_size(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None]
    ) -> Tensor:
        small = reduced(degraded, self.max_side_px)
        if small is degraded:
            return self._restore(degraded, paths, observe)
        if self.alignment.leaves_open:
            raise ValueError(
                f"max_side_px={self.max_side_px} is smaller than the photo, and what is missing cannot be carried over "
                "from a smaller one: leave it out"
            )
        restored = self._restore(small, paths, observe)
        size = self._size(small)
        undone, undone_small = (self._undo_in_windows(images, size) for images in (degraded, small))
        # What the small picture cannot show is the input's own, with the damage undone.
        smooth = F.interpolate(restored - undone_small, size=degraded.shape[-2:], mode="bilinear")
        return (undone + smooth).clamp(0, 1)

    @torch.no_grad()
    def explain(self, degraded: Tensor) -> Tensor:
        """See `Restorer.explain`: what the alignment net undoes before anything is sampled."""
        generators = [image_generator(image, self.seed) for image in degraded]
        small = reduced(degraded, self.max_side_px)
        size = self._size(small)
        with torch.autocast(degraded.device.type, enabled=False):
            self.alignment.begin(size.enter(small), generators)
            return self._undo_in_windows(degraded, size).clamp(0, 1)

    def _size(self, degraded: Tensor) -> WorkingSize:
        height, width = degraded.shape[-2:]
        return WorkingSize(height, width, self.working_scale, self.backbone.size_multiple)

    def _restore(self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None]) -> Tensor:
        generators = [image_generator(image, self.seed) for image in degraded]
        size = self._size(degraded)
        # Only once something is drawn that the answer can change: a large model takes longer than all the rest.
        semantics = cache(lambda: asked(self.prior, degraded, paths))
        entered = size.enter(degraded)
        sample = self._sample(entered, size, semantics, generators, observe)
        decoded = degraded if sample is None else size.leave(sample)
        seen = degraded
        if self.alignment.leaves_open:
            seen = size.leave(self.alignment.fill(entered, sample if self.sampling.num_steps else None))

        def undo_at(window: Window) -> Undo:
            return lambda images: self._undo(images, window, size)

        restored = self.output.in_windows(decoded, seen, undo_at, self.backbone.windows.side_px).clamp(0, 1)
        restored = without_tint(restored, degraded)
        if not self.alignment.leaves_open:
            found = what_changed(degraded, self._undo_in_windows(degraded, size))
            self.remarks = [f"undone: {words}" if words else "" for words in found]
        if self.strength is not None:
            restored = self.strength(restored, seen)
        if self.colorization is not None and self.colorization.is_wanted(restored):
            chains = self.colorization.num_samples
            conditioning = self.backbone.condition(semantics(), len(degraded), chains, self.guidance_scale)
            restored = self.colorization(restored, self.backbone, conditioning, generators)
        return restored

    def _sample(
        self,
        entered: Tensor,
        size: WorkingSize,
        semantics: Callable[[], Semantics],
        generators: list[torch.Generator],
        observe: Callable[[Step], None],
    ) -> Tensor | None:
        """Fit the alignment net to the images while sampling; the mean of the samples, None if none is needed."""

        @cache
        def condition() -> Conditioning:
            return self.backbone.condition(semantics(), len(entered), self.sampling.num_chains, self.guidance_scale)

        index = iter(range(self.sampling.num_steps))

        def observe_step(timestep: float, x0_prediction: Tensor) -> None:
            def images() -> Tensor:
                return size.leave(self.backbone.decode(x0_prediction))

            observe(Step(next(index), self.sampling.num_steps, timestep, images))

        needs_sample = self.output.uses_sample or self.alignment.leaves_open
        # Colours are drawn after the sample, from the same random numbers.
        needs_steps = needs_sample or self.is_watched or self.colorization is not None
        run = Run(
            self.backbone,
            condition,
            self.guidance,
            self.sampling,
            generators,
            observe_step,
            needs_sample,
            needs_steps,
        )
        # One generator an image goes on from sample to sample, so that each is another.
        samples = [restore(entered, run) for _ in range(self.sampling.num_samples)]
        drawn = [sample for sample in samples if sample is not None]
        return torch.stack(drawn).mean(dim=0) if drawn else None

    @property
    def _asks_prior(self) -> bool:
        """Whether anything is drawn that what the prior says could change."""
        return self.sampling.num_steps > 0 or self.colorization is not None

    def _undo_in_windows(self, images: Tensor, size: WorkingSize) -> Tensor:
        """Take the learnt damage out of whole pictures of any size."""
        windows = split(images.shape[-2:], self.backbone.windows.side_px)
        return self.alignment.invert_in([size.window(window) for window in windows], images)

    def _undo(self, images: Tensor, window: Window, size: WorkingSize) -> Tensor:
        """Take the learnt damage out of a window of the pictures, at their own size."""
        with self.alignment.at(size.window(window)):
            return self.alignment.invert(images)
