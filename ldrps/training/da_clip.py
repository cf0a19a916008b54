"""Training of DA-CLIP's controller."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import CLIPConfig, CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from degradations.base import Degradation
from degradations.drawing import Generators, generators_for
from ldrps.training.base import Training, existing_folder
from ldrps.training.contrastive import caption_loss, caption_numbers, keep_in_bounds
from ldrps.training.tokenizer import tokenize
from modules.networks.da_clip import DACLIPConfig, DACLIPModel
from modules.priors.da_clip import CLEAN


class DACLIPTraining(Training):
    """Trains the controller on degraded photos, with the CLIP of a pipeline folder frozen.

    The content embedding of a degraded photo learns to match the photo's caption and, as in the robust training for
    damage in the wild, what the frozen CLIP says of the clean photo; the degradation embedding learns to match the word
    of the damage.

    Args:
        pipeline_dir: Folder with ``text_encoder``, ``image_encoder`` and ``tokenizer``.
        degradation: How photos are damaged; those that it spares (`degradations.pipeline.Maybe`) are called "clean".
        words: The damage to name; other words of the degradation are not asked for.
        word_template: Text whose embedding stands for a word.
        content_weight: Weight of the L1 distance to the clean photo's embedding, relative to that embedding's size.
        image_mean: What the image tower's pixels were normalised with, one number a channel: of pixels in [0, 1] it is
            subtracted. The default is the embedded CLIP's; those of others stand in their ``preprocessor_config.json``.
        image_std: What the difference is divided by.
        logit_scale: Logarithm of the cosines' factor at the start; CLIPs that were trained for long have ln 100.
        piece_size: Photos that go through the towers at once; their activations are forgotten and computed again in the
            backward pass, so that a batch may be as large as its embeddings fit. None takes all at once. The gradient
            is the same (Gao et al. 2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup).
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Pipeline folder that receives ``da_clip``.
        seed: See `Training`.

    Raises:
        ValueError: If "clean" is not among the words.

    References:
        Luo et al. 2024, Controlling Vision-Language Models for Multi-Task Image Restoration, Eq. 3 and 4; Luo et al.
        2024, Photo-Realistic Image Restoration in the Wild with Controlled Vision-Language Models (the L1 distance).
    """

    def __init__(
        self,
        pipeline_dir: str,
        degradation: Degradation,
        words: Sequence[str],
        word_template: str = "{}",
        content_weight: float = 1.0,
        image_mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
        image_std: tuple[float, float, float] = (0.5, 0.5, 0.5),
        logit_scale: float = 2.6592,
        piece_size: int | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup_steps: int = 100,
        export_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir, seed)
        if CLEAN not in words:
            raise ValueError(f"words={list(words)} must hold {CLEAN!r}, the word of a photo without damage")
        self.pipeline_dir = pipeline_dir
        self.degradation = degradation
        self.words = list(words)
        self.word_template = word_template
        self.content_weight = content_weight
        self.image_mean = image_mean
        self.image_std = image_std
        self.logit_scale = logit_scale
        self.piece_size = piece_size

    def configure_model(self) -> None:
        """Put the two towers together and copy the controller from the image tower."""
        if hasattr(self, "network"):
            return
        folder = existing_folder("model.pipeline_dir", self.pipeline_dir)
        text = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        vision = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder", dtype=torch.float32)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        clip = CLIPConfig(
            # Without the folders of this machine, which the configurations remember.
            text_config=text.config.to_dict() | {"_name_or_path": ""},
            vision_config=vision.config.to_dict() | {"_name_or_path": ""},
            projection_dim=text.config.projection_dim,
            logit_scale_init_value=self.logit_scale,
        )
        config = DACLIPConfig(clip.to_dict(), self.image_mean, self.image_std, self.words, self.word_template)
        self.network = DACLIPModel(config)
        towers = {**text.state_dict(), **vision.state_dict()}
        self.network.clip.load_state_dict(towers, strict=False)
        self.network.begin_training()

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Sum of the three distances."""
        degraded, words = self._degrade(batch["image"], self._generators(len(batch["image"])))
        content, degradation = self._embed(degraded)
        with torch.no_grad():
            clean = self.network.image_embedding(batch["image"])
        losses = {
            "caption": self._caption_loss(content, batch["caption"]),
            "word": F.cross_entropy(self._word_logits(degradation), word_targets(words, self.words).to(self.device)),
            "content": (content - clean).abs().mean() / clean.abs().mean(),
        }
        for name, loss in losses.items():
            self.log(f"train/{name}", loss, prog_bar=True)
        return losses["caption"] + losses["word"] + self.content_weight * losses["content"]

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Keep the scale of the cosines in bounds."""
        keep_in_bounds(self.network.logit_scale)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """How often the likeliest word is right, and how near the content comes to that of the clean photo."""
        size = len(batch["image"])
        keys = range(batch_idx * size, (batch_idx + 1) * size)
        degraded, words = self._degrade(batch["image"], generators_for(0, keys))
        content, degradation = self.network(degraded)
        clean = self.network.image_embedding(batch["image"])
        likeliest = self._word_logits(degradation).argmax(dim=1)
        hits = word_targets(words, self.words).to(self.device).gather(1, likeliest[:, None]) > 0
        plain = self.network.image_embedding(degraded)
        figures = {
            "val/word_accuracy": hits.float().mean(),
            "val/cosine": F.cosine_similarity(content, clean).mean(),
            "val/cosine_without_controller": F.cosine_similarity(plain, clean).mean(),
        }
        self.log_dict(figures, prog_bar=True, batch_size=size, sync_dist=True)

    def export(self, folder: Path) -> None:
        """Write ``da_clip`` with its tokenizer."""
        self.network.half().save_pretrained(folder / "da_clip")
        self.tokenizer.save_pretrained(folder / "da_clip" / "tokenizer")

    def _degrade(self, images: Tensor, generators: Generators) -> tuple[Tensor, list[tuple[str, ...]]]:
        degraded, words = self._damaged(self.degradation, images, generators)
        return degraded, [own or (CLEAN,) for own in words]

    def _word_logits(self, degradation: Tensor) -> Tensor:
        texts = [self.word_template.format(word) for word in self.words]
        with torch.no_grad():
            words = F.normalize(self.network.text_embedding(tokenize(self.tokenizer, texts, self.device)), dim=1)
        return self.network.logit_scale.exp() * F.normalize(degradation, dim=1) @ words.T

    def _embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Content and degradation embedding; of pieces only the embeddings are kept until the backward pass."""
        if self.piece_size is None or len(images) <= self.piece_size:
            content, degradation = self.network(images)
            return content, degradation
        pieces = [checkpoint(self.network, piece, use_reentrant=False) for piece in images.split(self.piece_size)]
        content, degradation = (torch.cat(embeddings) for embeddings in zip(*pieces, strict=True))
        return content, degradation

    def _caption_loss(self, content: Tensor, captions: Sequence[str]) -> Tensor:
        with torch.no_grad():
            texts = self.network.text_embedding(tokenize(self.tokenizer, list(captions), self.device))
        return caption_loss(content, texts, caption_numbers(captions), self.network.logit_scale.exp())


def word_targets(words: Sequence[Sequence[str]], known: Sequence[str]) -> Tensor:
    """Spread evenly over the words of each photo, shape (B, known words); nothing for words that are not asked for.

    Example:
        >>> word_targets([("noise", "rain"), ("fog",)], ["clean", "noise", "rain"]).tolist()
        [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
    """
    counts = torch.tensor([[float(word in own) for word in known] for own in words])
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
