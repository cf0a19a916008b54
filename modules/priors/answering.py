"""Priors that ask a multimodal model about the photo."""

import json
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from modules.pictures import to_pil
from modules.priors.base import Prior, Semantics, fingerprint
from modules.safe_files import complete_or_absent

CONTENT_QUESTION = (
    "This photo is of low quality. Describe in at most 20 words what it would show if its quality were good: "
    "the main subject, its colours and its orientation. Do not mention the quality."
)
"""After the question of the released code (get_prompts.py), which asks InternVL 1.5 for the same."""


class Answering(Prior):
    """Asks for the content, which becomes the prompt, and perhaps for the damage, the negative prompt.

    Answers are kept in files by image, model and question, so that a second run asks nothing.

    Args:
        question: What is asked for the prompt.
        damage_question: What is asked for the negative prompt; None asks nothing.
        cache_dir: Folder of the answers; None takes ``ldrps/answers`` in the user's cache folder, "" keeps none.
    """

    def __init__(
        self, question: str = CONTENT_QUESTION, damage_question: str | None = None, cache_dir: str | None = None
    ) -> None:
        super().__init__()
        if not question.strip():
            raise ValueError("question is empty: ask what the photo shows")
        self.question = question
        self.damage_question = damage_question
        self.cache_dir = cache_dir

    @abstractmethod
    def identity(self) -> list[Any]:
        """What decides an answer besides the picture and the question, as JSON can hold it."""

    @abstractmethod
    def ask(self, pictures: Sequence[Image.Image], question: str) -> Iterator[str]:
        """Answer one question about each picture, one after another, so that what was answered is kept at once.

        Raises:
            ValueError: If there is no answer; one sentence with the remedy.
        """

    def forward(self, degraded: Tensor, paths: Sequence[Path | None]) -> Semantics:
        """Ask about the images that were not asked about before.

        Raises:
            ValueError: If an answer is empty or there is none; the message names the file.
        """
        prompts = self._answers(degraded, paths, self.question)
        if not self.damage_question:
            return Semantics(prompts)
        return Semantics(prompts, self._answers(degraded, paths, self.damage_question))

    def _answers(self, degraded: Tensor, paths: Sequence[Path | None], question: str) -> list[str]:
        files = [self._file(image, question) for image in degraded]
        answers = [_kept(file) for file in files]
        rows = [row for row, answer in enumerate(answers) if answer is None]
        if rows:
            for row, answer in zip(rows, self.ask([to_pil(degraded[row]) for row in rows], question), strict=True):
                text = " ".join(answer.split())
                if not text:
                    raise ValueError(
                        f"the model answered nothing about {paths[row] or 'an image'}: ask another question"
                    )
                answers[row] = text
                _keep(files[row], question, text)
        return [str(answer) for answer in answers]

    def _file(self, image: Tensor, question: str) -> Path | None:
        if self.cache_dir == "":
            return None
        folder = Path(self.cache_dir) if self.cache_dir else user_cache() / "answers"
        return folder / f"{fingerprint([type(self).__qualname__, self.identity(), question], image)}.json"


def user_cache() -> Path:
    """Folder for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ldrps"


def _kept(file: Path | None) -> str | None:
    if file is None or not file.is_file():
        return None
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["answer"])
    except (OSError, ValueError, KeyError, TypeError):
        # A damaged file is as good as none: the question is asked again.
        return None


def _keep(file: Path | None, question: str, answer: str) -> None:
    if file is None:
        return
    try:
        with complete_or_absent(file) as stream:
            stream.write(json.dumps({"question": question, "answer": answer}).encode())
    except OSError:
        # A cache that cannot be written only costs the next run its time.
        return
