"""The best prior there is for each image."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from modules.priors.base import Prior, Semantics
from modules.priors.da_clip import DACLIP
from modules.priors.prompt_file import PromptFile

LOGGER = logging.getLogger("ldrps.prior")


class Auto(Prior):
    """A text file beside the image if there is one, else DA-CLIP if the backbone's folder holds one, else nothing.

    Args:
        suffix: Ending of the text files.
    """

    def __init__(self, suffix: str = ".txt") -> None:
        super().__init__()
        self.suffix = suffix
        self.prompt_file = PromptFile(suffix=suffix)
        self.da_clip: DACLIP | None = None
        self._is_loaded = False

    def load(self, backbone_folder: Path | None = None) -> None:
        """See `Prior.load`; tells in one line what was found."""
        if self._is_loaded:
            return
        if backbone_folder is not None and (backbone_folder / "da_clip" / "config.json").is_file():
            self.da_clip = DACLIP()
            self.da_clip.load(backbone_folder)
        otherwise = "no text" if self.da_clip is None else "DA-CLIP of the backbone"
        LOGGER.info(
            "prior: a text file beside the photo (photo%s) if there is one, otherwise %s", self.suffix, otherwise
        )
        self._is_loaded = True

    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Describe each image by the first means that there is."""
        described = [self._describe(image[None], path) for image, path in zip(degraded, paths, strict=True)]
        if all(semantics.prompts is None for semantics in described):
            return Semantics()
        known = [semantics.image_embeddings for semantics in described if semantics.image_embeddings is not None]
        embeddings = None
        if known:
            nothing = torch.zeros_like(known[0])
            rows = [nothing if own.image_embeddings is None else own.image_embeddings for own in described]
            embeddings = torch.cat(rows)
        return Semantics(
            image_embeddings=embeddings,
            prompts=[(semantics.prompts or [""])[0] for semantics in described],
            negative_prompts=[(semantics.negative_prompts or [""])[0] for semantics in described],
            words=[(semantics.words or [()])[0] for semantics in described],
        )

    def _describe(self, image: Tensor, path: Path | None) -> Semantics:
        if path is not None and (file := self.prompt_file.prompt_file(path)).is_file():
            try:
                described = self.prompt_file(image, [path])
            except ValueError as error:
                # A file that nobody wrote for this must not keep a photo from being restored.
                LOGGER.warning("prior: %s", error)
            else:
                LOGGER.info("prior: %s is described by %s", path.name, file.name)
                return described
        if self.da_clip is None or min(image.shape[-2:]) < self.da_clip.network.patch_size:
            return Semantics()
        with torch.no_grad():
            return self.da_clip(image, [path])
