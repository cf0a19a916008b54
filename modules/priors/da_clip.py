"""Words for content and damage, found by DA-CLIP among those of a vocabulary."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoTokenizer

from modules.networks.da_clip import load_da_clip
from modules.priors.base import Prior, Semantics

SHIPPED_VOCABULARY = Path(__file__).with_name("vocabulary.txt")

CLEAN = "clean"
"""The word of an image without damage, which is no reason for a negative prompt."""


class DACLIP(Prior):
    """The captions nearest to the content embedding become the prompt, the damage found the negative prompt.

    Nothing is trained for a backbone: what passes from one to the other is text.

    Args:
        path: DA-CLIP folder, as ``ldrps convert`` makes it; None takes ``da_clip`` in the backbone's folder.
        vocabulary: Text file of captions, one a line; None takes the shipped one.
        num_captions: Captions that make up the prompt.
        min_probability: A damage counts as found from this probability on; the words of one image sum to 1.
        names_damage: Whether the damage found becomes the negative prompt.

    Raises:
        ValueError: If num_captions is below 1, or min_probability outside [0, 1].

    References:
        Luo et al. 2024, Controlling Vision-Language Models for Multi-Task Image Restoration, Sec. 3.1.
    """

    def __init__(
        self,
        path: str | None = None,
        vocabulary: str | None = None,
        num_captions: int = 1,
        min_probability: float = 0.4,
        names_damage: bool = True,
    ) -> None:
        super().__init__()
        if num_captions < 1:
            raise ValueError(f"num_captions={num_captions} must be at least 1; for no text use the prior null")
        if not 0 <= min_probability <= 1:
            raise ValueError(f"min_probability={min_probability} must lie in [0, 1]")
        self.path = path
        self.vocabulary = vocabulary
        self.num_captions = num_captions
        self.min_probability = min_probability
        self.names_damage = names_damage
        self.captions: list[str] = []
        self.caption_embeddings: Tensor
        self.word_embeddings: Tensor

    def load(self, backbone_folder: Path | None = None) -> None:
        """See `Prior.load`."""
        if self.captions:
            return
        folder = part_folder("da_clip", self.path, backbone_folder)
        captions = read_vocabulary(Path(self.vocabulary or SHIPPED_VOCABULARY))
        self.network = load_da_clip(folder)
        if not (folder / "tokenizer").is_dir():
            raise ValueError(
                f"DA-CLIP {str(folder)!r} has no tokenizer, which texts need: convert it again with "
                "--tokenizer FOLDER, a folder or hub id of the CLIP it was trained from"
            )
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
        config = self.network.config
        self.words: list[str] = config.words
        # Fingerprints of weights take the texts: the last bits of their embeddings differ from CPU to CPU.
        texts = "\n".join([*captions, config.word_template, *self.words])
        self.register_buffer("texts", torch.frombuffer(bytearray(texts.encode()), dtype=torch.uint8))
        self.register_buffer("caption_embeddings", self._embed(captions), persistent=False)
        words = [config.word_template.format(word) for word in self.words]
        self.register_buffer("word_embeddings", self._embed(words), persistent=False)
        self.captions = captions

    @torch.no_grad()
    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Name content and damage.

        Raises:
            ValueError: If an image is too small for the image tower.
        """
        content, degradation = self.network(degraded)
        damage_embedding = self.network.with_detail(degradation, degraded)
        similarity = F.normalize(content, dim=1) @ self.caption_embeddings.T
        nearest = similarity.topk(min(self.num_captions, len(self.captions)), dim=1).indices.tolist()
        words = [
            [word for word, probability in own.items() if probability >= self.min_probability]
            for own in self.probabilities(damage_embedding)
        ]
        damage = [", ".join(word for word in own if word != CLEAN) if self.names_damage else "" for own in words]
        return Semantics(
            prompts=[", ".join(self.captions[index] for index in row) for row in nearest],
            negative_prompts=damage,
            image_embeddings=content,
            words=words,
        )

    @torch.no_grad()
    def probabilities(self, degradation: Tensor) -> list[dict[str, float]]:
        """Probability of each damage word, the likeliest first.

        Args:
            degradation: What `DACLIPModel.damage` says, shape (B, D).
        """
        logits = self.network.logit_scale.exp() * F.normalize(degradation, dim=1) @ self.word_embeddings.T
        rows = logits.softmax(dim=1).tolist()
        return [dict(sorted(zip(self.words, row, strict=True), key=lambda pair: pair[1], reverse=True)) for row in rows]

    @torch.no_grad()
    def _embed(self, texts: Sequence[str]) -> Tensor:
        limit = self.network.max_tokens
        tokens = self.tokenizer(
            list(texts), padding="max_length", max_length=limit, truncation=True, return_tensors="pt"
        ).input_ids
        return F.normalize(self.network.text_embedding(tokens.to(self.network.device)), dim=1)


def part_folder(part: str, path: str | None, backbone_folder: Path | None) -> Path:
    """Folder of a part that was made for a backbone.

    Args:
        part: Name of its folder inside the backbone's.
        path: What the user said.
        backbone_folder: Where to look otherwise.

    Raises:
        ValueError: If neither is known.
    """
    if path is not None:
        return Path(path)
    if backbone_folder is None:
        raise ValueError(f"the backbone is no local folder that could hold {part}: give its path to the prior")
    return backbone_folder / part


def read_vocabulary(file: Path) -> list[str]:
    """Read captions, one a line; empty lines and lines that begin with # do not count.

    Raises:
        ValueError: If the file cannot be read or holds none.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"vocabulary {str(file)!r} cannot be read: give a UTF-8 text file, one caption a line"
        ) from error
    captions = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not captions:
        raise ValueError(f"vocabulary {str(file)!r} holds no caption: write one a line")
    return captions
