"""LD-RPS as a LightningModule of test-time optimisation."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ldrps.data.image_generator import image_generator
from ldrps.methods.ld_rps.algorithm import Run, restore
from ldrps.methods.ld_rps.colorization import Colorization
from ldrps.methods.ld_rps.guidance import Guidance, GuidanceSettings, OptimizerFactory
from ldrps.methods.ld_rps.sampling import SamplingSettings
from ldrps.methods.ld_rps.strength import Strength
from ldrps.methods.ld_rps.working_size import WorkingSize
from ldrps.methods.restorer import Restorer, Step, hash_weights
from modules.alignment.base import Alignment
from modules.backbones.base import Backbone
from modules.losses.base import LossTerm
from modules.outputs.base import Output
from modules.priors.base import Prior


class LDRPS(Restorer):
    """Restores images without knowing the damage and without training on pairs.

    A pretrained latent diffusion model is sampled; at every step the alignment net learns to turn the predicted clean
    image into the degraded one, and the gradient of the losses pulls the sample towards an image that explains it.

    Args:
        backbone: The pretrained model.
        prior: What is known about the content of each image.
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
        colorization: How photos without colour are coloured; None leaves them grey.
        strength: How much of the change of light and colour is kept; None keeps all of it.
        seed: Seed of the run.

    Raises:
        ValueError: If working_scale is not positive, or guidance.strength is negative.

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
        colorization: Colorization | None = None,
        strength: Strength | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if working_scale <= 0:
            raise ValueError(f"working_scale={working_scale} must be positive; 1 restores at the image's own size")
        if guidance.strength < 0:
            raise ValueError(f"guidance.strength={guidance.strength} must not be negative; 0 switches guidance off")
        self.backbone = backbone
        self.prior = prior
        self.alignment = alignment
        self.loss_modules = torch.nn.ModuleList(term.loss for term in [*losses.values(), *alignment_losses.values()])
        self.guidance = Guidance(backbone, alignment, losses, alignment_losses, alignment_optimizer, guidance)
        self.output = output
        self.sampling = sampling
        self.guidance_scale = guidance_scale
        self.working_scale = working_scale
        self.colorization = colorization
        self.strength = strength

    def load(self) -> None:
        """See `Restorer.load`."""
        self.backbone.load()
        self.prior.load(self.backbone.folder)
        self.alignment.load()
        self.output.load()

    def weights_sha256(self) -> str:
        """See `Restorer.weights_sha256`."""
        self.load()
        return hash_weights(torch.nn.ModuleList([self.backbone, self.prior, self.alignment.pretrained, self.output]))

    @torch.no_grad()
    def restore(
        self, degraded: Tensor, paths: Sequence[Path | None], observe: Callable[[Step], None] = lambda step: None
    ) -> Tensor:
        """See `Restorer.restore`."""
        generators = [image_generator(image, self.seed) for image in degraded]
        height, width = degraded.shape[-2:]
        size = WorkingSize(height, width, self.working_scale, self.backbone.size_multiple)
        semantics = self.prior(degraded, paths)
        conditioning = self.backbone.condition(semantics, len(degraded), self.sampling.num_chains, self.guidance_scale)
        index = iter(range(self.sampling.num_steps))

        def observe_step(timestep: float, x0_prediction: Tensor) -> None:
            def images() -> Tensor:
                return size.leave(self.backbone.decode(x0_prediction))

            observe(Step(next(index), self.sampling.num_steps, timestep, images))

        run = Run(self.backbone, conditioning, self.guidance, self.sampling, generators, observe_step)
        decoded = size.leave(restore(size.enter(degraded), run))
        restored = self.output(decoded, degraded, lambda images: size.leave(self.alignment.invert(size.enter(images))))
        restored = restored.clamp(0, 1)
        if self.strength is not None:
            restored = self.strength(restored, degraded)
        if self.colorization is not None and self.colorization.is_wanted(restored):
            chains = self.colorization.num_samples
            conditioning = self.backbone.condition(semantics, len(degraded), chains, self.guidance_scale)
            restored = self.colorization(restored, self.backbone, conditioning, generators)
        return restored
