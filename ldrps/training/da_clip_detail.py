"""Training of what DA-CLIP says of crops at full resolution."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPTokenizer

from degradations.base import Degradation
from degradations.drawing import Generators, generators_for, integers
from ldrps.training.base import Training, existing_folder
from ldrps.training.da_clip import CLEAN, word_targets
from ldrps.training.tokenizer import tokenize
from modules.networks.da_clip import DACLIPModel, load_da_clip


class DACLIPDetailTraining(Training):
    """Trains the `DetailTower` of a finished DA-CLIP to name damage that a photo of 64 pixels does not show.

    All else is frozen: content and degradation embedding, which other networks were trained with, stay as they are.

    Args:
        pipeline_dir: Folder with ``da_clip``; its words are asked for.
        degradation: How photos are damaged; those that it spares (`degradations.pipeline.Maybe`) are called "clean".
        num_crops: Crops of each photo in a step, anywhere in it.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Pipeline folder that receives ``da_clip``.
        seed: See `Training`.
    """

    words: Tensor
    """Embeddings of DA-CLIP's words, shape (words, D), normalised."""

    def __init__(
        self,
        pipeline_dir: str,
        degradation: Degradation,
        num_crops: int = 2,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        warmup_steps: int = 50,
        export_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        self.pipeline_dir = pipeline_dir
        self.degradation = degradation
        self.num_crops = num_crops

    def configure_model(self) -> None:
        """Read DA-CLIP and give it a tower for details, if it has none; keep the embeddings of its words."""
        if hasattr(self, "network"):
            return
        folder = existing_folder("model.pipeline_dir", self.pipeline_dir) / "da_clip"
        finished = load_da_clip(folder)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        config: Any = finished.config
        config.has_detail = True
        self.network = DACLIPModel(config)
        self.network.load_state_dict(finished.state_dict(), strict=finished.detail is not None)
        self.network.requires_grad_(False)
        assert self.network.detail is not None
        self.network.detail.requires_grad_(True)
        texts = [config.word_template.format(word) for word in config.words]
        with torch.no_grad():
            embeddings = self.network.text_embedding(tokenize(self.tokenizer, texts, torch.device("cpu")))
        self.register_buffer("words", F.normalize(embeddings, dim=1), persistent=False)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Cross-entropy with the words of the damage."""
        generators = self._generators(len(batch["image"]))
        degraded, targets = self._degrade(batch["image"], generators)
        assert self.network.detail is not None
        said = [self.network.detail.look(self._crop(degraded, generators)) for _ in range(self.num_crops)]
        with torch.no_grad():
            _, degradation = self.network(degraded)
        loss = self._loss(F.normalize(degradation, dim=1) + torch.stack(said).mean(dim=0), targets)
        self.log("train/word", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """How often the likeliest word is right, with the crops and without."""
        size = len(batch["image"])
        degraded, targets = self._degrade(
            batch["image"], generators_for(0, range(batch_idx * size, (batch_idx + 1) * size))
        )
        _, degradation = self.network(degraded)
        damage = self.network.damage(degraded)
        figures = {"val/word": self._loss(damage, targets)}
        for name, embedding in (("", damage), ("_without_crops", degradation)):
            likeliest = self._logits(embedding).argmax(dim=1)
            figures[f"val/word_accuracy{name}"] = (targets.gather(1, likeliest[:, None]) > 0).float().mean()
        self.log_dict(figures, prog_bar=True, batch_size=size, sync_dist=True)

    def export(self, folder: Path) -> None:
        """Write ``da_clip`` with its tokenizer."""
        self.network.half().save_pretrained(folder / "da_clip")
        self.tokenizer.save_pretrained(folder / "da_clip" / "tokenizer")

    def _degrade(self, images: Tensor, generators: Generators) -> tuple[Tensor, Tensor]:
        degraded, words = self._damaged(self.degradation, images, generators)
        targets = word_targets([own or (CLEAN,) for own in words], self.network.config.words)
        return degraded.clamp(0, 1), targets.to(degraded.device)

    def _crop(self, images: Tensor, generators: Generators) -> Tensor:
        """A crop anywhere in each image, so that the blocks of a file lie anywhere too."""
        assert self.network.detail is not None
        side = min(self.network.detail.crop_px, *images.shape[-2:])
        tops, lefts = (integers((0, length - side), generators).tolist() for length in images.shape[-2:])
        return torch.stack(
            [
                image[:, top : top + side, left : left + side]
                for image, top, left in zip(images, tops, lefts, strict=True)
            ]
        )

    def _logits(self, embedding: Tensor) -> Tensor:
        return self.network.logit_scale.exp() * F.normalize(embedding, dim=1) @ self.words.T

    def _loss(self, embedding: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self._logits(embedding), targets)
