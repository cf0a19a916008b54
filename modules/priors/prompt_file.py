"""A text file beside each image, as a captioning run or a person wrote it."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from modules.priors.base import Prior, Semantics

NEGATIVE_SUFFIX = ".negative"
"""Stands before the suffix of the file that says what a picture should not show."""


class PromptFile(Prior):
    """Reads the prompt of ``photo.jpg`` from ``photo.txt``, and what it should not show from ``photo.negative.txt``.

    Args:
        folder: Where the text files are; None looks beside each image.
        suffix: Ending of the text files.
        negative_prompt: What restored images should not show that have no file to say so.
    """

    def __init__(self, folder: str | None = None, suffix: str = ".txt", negative_prompt: str = "") -> None:
        super().__init__()
        self.folder = folder
        self.suffix = suffix
        self.negative_prompt = negative_prompt

    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Return the texts of each image's files.

        Raises:
            ValueError: If an image has no file name, or its text file is missing, empty or not UTF-8.
        """
        prompts, negative_prompts = [], []
        for path in paths:
            if path is None:
                raise ValueError("the prior PromptFile needs images that come from files: use the prior Text instead")
            prompts.append(_read(self.prompt_file(path)))
            negative = self.prompt_file(path, NEGATIVE_SUFFIX)
            negative_prompts.append(_read(negative) if negative.is_file() else self.negative_prompt)
        return Semantics(prompts, negative_prompts)

    def prompt_file(self, image: Path, kind: str = "") -> Path:
        """Path of an image's text file.

        Args:
            image: The image.
            kind: "" for the prompt, `NEGATIVE_SUFFIX` for what the picture should not show.
        """
        return (Path(self.folder) if self.folder else image.parent) / f"{image.stem}{kind}{self.suffix}"


def _read(file: Path) -> str:
    try:
        text = " ".join(file.read_text(encoding="utf-8").split())
    except FileNotFoundError as error:
        raise ValueError(f"prompt file {file} is missing: write it, or use another prior") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"prompt file {file} is not UTF-8 text: save it as UTF-8") from error
    if not text:
        raise ValueError(f"prompt file {file} is empty: write what the photo shows, or remove it")
    return text
