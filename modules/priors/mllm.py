"""Text from a multimodal language model on this machine."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image

from modules.priors.answering import CONTENT_QUESTION, Answering


class MLLM(Answering):
    """Any image-to-text model of transformers with a chat template: LLaVA, Idefics3, Gemma 3.

    Args:
        path: Folder or hub id of the model.
        question: See `Answering`.
        damage_question: See `Answering`.
        cache_dir: See `Answering`.
        max_new_tokens: Longest answer.
        batch_size: Pictures asked about together; above 1 it is faster on a GPU, but in half precision an answer may
            then depend on the other pictures.
        dtype: Precision of the weights; "auto" takes bfloat16 on a GPU and float32 on a CPU.
        trust_remote_code: Run Python code that comes with the model; only for sources you trust.

    Raises:
        ValueError: If max_new_tokens or batch_size is below 1, or the question empty.
    """

    def __init__(
        self,
        path: str = "llava-hf/llava-1.5-7b-hf",
        question: str = CONTENT_QUESTION,
        damage_question: str | None = None,
        cache_dir: str | None = None,
        max_new_tokens: int = 60,
        batch_size: int = 1,
        dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto",
        trust_remote_code: bool = False,
    ) -> None:
        super().__init__(question, damage_question, cache_dir)
        if max_new_tokens < 1 or batch_size < 1:
            raise ValueError(f"max_new_tokens={max_new_tokens} and batch_size={batch_size} must be at least 1")
        self.path = path
        self.max_new_tokens = max_new_tokens
        self.batch_size = batch_size
        self.dtype = dtype
        self.trust_remote_code = trust_remote_code

    def load(self, backbone_folder: Path | None = None) -> None:
        """See `Prior.load`."""
        if hasattr(self, "model"):
            return
        from transformers import AutoModelForImageTextToText, AutoProcessor
        from transformers.utils import cached_file

        dtype = ("bfloat16" if torch.cuda.is_available() else "float32") if self.dtype == "auto" else self.dtype
        trust = {"trust_remote_code": self.trust_remote_code}
        try:
            # Asked for first and alone: without a network every file would be tried for half a minute.
            cached_file(self.path, "config.json")
            processor: Any = AutoProcessor.from_pretrained(self.path, **trust)
            loaded: Any = AutoModelForImageTextToText.from_pretrained(
                self.path, dtype=getattr(torch, dtype), output_loading_info=True, **trust
            )
        except (ImportError, OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            needed = " and ".join(name for name in ("torchvision", "timm", "num2words") if name in str(error).lower())
            if needed or isinstance(error, ImportError):
                raise ValueError(
                    f"the model {self.path!r} needs {needed or _shortened(error)}, which is not installed: install it, "
                    "or choose a LLaVA or Idefics3 model, which do without"
                ) from error
            raise ValueError(
                f"the model {self.path!r} cannot be read ({_shortened(error)}): give a folder made with "
                "`hf download MODEL_ID --local-dir FOLDER`, or a hub id while online"
            ) from error
        model, report = loaded
        if missing_keys := sorted(report["missing_keys"]):
            raise ValueError(f"the model {self.path!r} lacks weights, the first are {', '.join(missing_keys[:3])}")
        if getattr(processor, "chat_template", None) is None:
            raise ValueError(
                f"the model {self.path!r} has no chat template: choose one that was tuned to follow instructions"
            )
        # Answers begin at the end of the question, so shorter questions are filled up on the left.
        processor.tokenizer.padding_side = "left"
        self.processor = processor
        self.model = model.eval().requires_grad_(False)

    def identity(self) -> list[Any]:
        """See `Answering.identity`; another model in the same folder is another model."""
        folder = Path(self.path)
        files = sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []
        described = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
        return [str(folder.resolve()) if described else self.path, described, self.max_new_tokens, self.dtype]

    @torch.no_grad()
    def ask(self, pictures: Sequence[Image.Image], question: str) -> Iterator[str]:
        """See `Answering.ask`; the likeliest answer, so that it is the same every time."""
        self.load()
        for first in range(0, len(pictures), self.batch_size):
            chats = [
                [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": question}]}]
                for picture in pictures[first : first + self.batch_size]
            ]
            inputs = self.processor.apply_chat_template(
                chats, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", padding=True
            ).to(self.model.device, self.model.dtype)
            tokens = self.model.generate(**inputs, do_sample=False, max_new_tokens=self.max_new_tokens)
            new = tokens[:, inputs["input_ids"].shape[1] :]
            yield from self.processor.batch_decode(new, skip_special_tokens=True)


def _shortened(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
