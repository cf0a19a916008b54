"""Training of the embedded text-image model."""

import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

from ldrps.training.base import Training
from ldrps.training.contrastive import caption_loss, caption_numbers, keep_in_bounds
from ldrps.training.tokenizer import made_of_merges, merges_of, tokenize, train_tokenizer


class TextImageTraining(Training):
    """Trains a small CLIP on captioned photos (symmetric contrastive loss).

    Captions that occur twice in a batch ("a photo of a dog") are no negatives of each other, in whichever process; see
    `caption_loss`.

    Args:
        hidden_size: Width of both towers.
        num_layers: Transformer layers of each tower.
        image_size: Side in pixels of the photos as the vision tower sees them.
        patch_size: Side in pixels of one patch.
        vocab_size: Tokens of the vocabulary that is learnt from the captions.
        max_length: Longest caption in tokens.
        learning_rate: See `Training`.
        weight_decay: See `Training`.
        warmup_steps: See `Training`.
        export_dir: Pipeline folder that receives ``text_encoder``, ``image_encoder`` and ``tokenizer``; None exports
            nothing.
    """

    exports_with_photos = True

    def __init__(
        self,
        hidden_size: int = 128,
        num_layers: int = 4,
        image_size: int = 64,
        patch_size: int = 8,
        vocab_size: int = 2048,
        max_length: int = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.1,
        warmup_steps: int = 200,
        export_dir: str | None = None,
    ) -> None:
        super().__init__(learning_rate, weight_decay, warmup_steps, export_dir)
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.image_size = image_size
        self.patch_size = patch_size
        self.vocab_size = vocab_size
        self.max_length = max_length

    def configure_model(self) -> None:
        """Learn the vocabulary from the training captions, then build the towers for it."""
        if hasattr(self, "clip"):
            return
        self.tokenizer = train_tokenizer(self.trainer.datamodule.captions, self.vocab_size, self.max_length)
        tower = {
            "hidden_size": self.hidden_size,
            "intermediate_size": 4 * self.hidden_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": 4,
            "projection_dim": self.hidden_size,
            "hidden_act": "gelu",
        }
        text = {
            "vocab_size": len(self.tokenizer),
            "max_position_embeddings": self.max_length,
            "bos_token_id": self.tokenizer.bos_token_id,
            "eos_token_id": self.tokenizer.eos_token_id,
            "pad_token_id": self.tokenizer.pad_token_id,
        }
        vision = {"image_size": self.image_size, "patch_size": self.patch_size}
        self.clip = CLIPModel(
            CLIPConfig(text_config=tower | text, vision_config=tower | vision, projection_dim=self.hidden_size)
        )

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Contrastive loss of one batch."""
        seen = self._look(batch)
        numbers = caption_numbers(batch["caption"])
        loss = caption_loss(seen.image_embeds, seen.text_embeds, numbers, self.clip.logit_scale.exp())
        self.log("train/contrastive", loss, prog_bar=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Keep the scale of the cosines in bounds."""
        keep_in_bounds(self.clip.logit_scale)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Share of held-out photos whose own caption ranks first in their batch, equal captions counted as hits."""
        similarity = self._look(batch).logits_per_image
        captions = batch["caption"]
        best = similarity.argmax(dim=1).tolist()
        hits = [captions[row] == captions[column] for row, column in enumerate(best)]
        self.log("val/retrieval", sum(hits) / len(hits), prog_bar=True, batch_size=len(hits), sync_dist=True)
        self.log("val/chance", 1 / len(set(captions)), batch_size=len(hits), sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the vocabulary: learnt again from other captions, it would give the weights other words."""
        checkpoint["merges"] = merges_of(self.tokenizer.backend_tokenizer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the vocabulary of the weights; checkpoints of earlier versions hold none."""
        super().on_load_checkpoint(checkpoint)
        if "merges" in checkpoint:
            self.tokenizer = made_of_merges(checkpoint["merges"], self.max_length)

    def export(self, folder: Path) -> None:
        """Write both towers with their projections, and the tokenizer, where pipelines look for them."""
        export_towers(self.clip, folder)
        self.tokenizer.save_pretrained(folder / "tokenizer")

    def _look(self, batch: dict[str, Any]) -> Any:
        """What CLIP says of photos and their captions."""
        tokens = tokenize(self.tokenizer, batch["caption"], self.device)
        pixels = F.interpolate(batch["image"], size=self.image_size, mode="area") * 2 - 1
        return self.clip(input_ids=tokens, pixel_values=pixels)


def export_towers(clip: CLIPModel, folder: Path) -> None:
    """Write a CLIP's towers to ``text_encoder`` and ``image_encoder``, in half precision, each with its projection.

    A pipeline reads the first as a plain ``CLIPTextModel`` and ignores the projection.
    """
    with tempfile.TemporaryDirectory() as temporary:
        clip.half().save_pretrained(temporary)
        for name, tower in (
            ("text_encoder", CLIPTextModelWithProjection),
            ("image_encoder", CLIPVisionModelWithProjection),
        ):
            tower.from_pretrained(temporary, dtype=torch.float16).save_pretrained(folder / name)
