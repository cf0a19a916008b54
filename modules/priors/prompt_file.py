"""A text file beside each image, as a captioning run or a person wrote it."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from modules.priors.base import Prior, Semantics


class PromptFile(Prior):
    """Reads the prompt of ``photo.jpg`` from ``photo.txt``.

    Args:
        folder: Where the text files are; None looks beside each image.
        suffix: Ending of the text files.
        negative_prompt: What no restored image should show.
    """

    def __init__(self, folder: str | None = None, suffix: str = ".txt", negative_prompt: str = "") -> None:
        super().__init__()
        self.folder = folder
        self.suffix = suffix
        self.negative_prompt = negative_prompt

    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Return the text of each image's file.

        Raises:
            ValueError: If an image has no file name, or its text file is missing or not UTF-8.
        """
        return Semantics([self._read(path) for path in paths], [self.negative_prompt] * len(degraded))

    def _read(self, image: Path | None) -> str:
        if image is None:
            raise ValueError("the prior PromptFile needs images that come from files: use the prior Text instead")
        prompt_file = (Path(self.folder) if self.folder else image.parent) / f"{image.stem}{self.suffix}"
        try:
            return " ".join(prompt_file.read_text(encoding="utf-8").split())
        except FileNotFoundError as error:
            raise ValueError(f"prompt file {prompt_file} is missing: write it, or use another prior") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"prompt file {prompt_file} is not UTF-8 text: save it as UTF-8") from error
