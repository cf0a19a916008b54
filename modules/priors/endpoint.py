"""Text from a multimodal model that is served elsewhere."""

import base64
import io
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image

from modules.priors.answering import CONTENT_QUESTION, Answering

FIRST_PAUSE_S = 0.5
"""Before the first repetition; each further pause is twice as long."""

BUSY = (408, 409, 429, 500, 502, 503, 504)
"""Replies after which asking again may help."""


class Endpoint(Answering):
    """An OpenAI-compatible server: vLLM, Ollama, ``transformers serve``, or a service.

    Pictures are sent to that server.

    Args:
        url: Base of the interface, up to and with its version, such as ``http://localhost:11434/v1``.
        model: Name of the model there.
        question: See `Answering`.
        damage_question: See `Answering`.
        cache_dir: See `Answering`.
        key_variable: Environment variable that holds the key; without it none is sent.
        timeout_s: Seconds until a reply counts as lost.
        num_retries: Repetitions after a lost reply or a busy server.
        max_tokens: Longest answer.

    Raises:
        ValueError: If a number lies outside its range, or the question is empty.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000/v1",
        model: str = "default",
        question: str = CONTENT_QUESTION,
        damage_question: str | None = None,
        cache_dir: str | None = None,
        key_variable: str = "OPENAI_API_KEY",
        timeout_s: float = 60.0,
        num_retries: int = 2,
        max_tokens: int = 60,
    ) -> None:
        super().__init__(question, damage_question, cache_dir)
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"url={url!r} must begin with http:// or https://, such as http://localhost:11434/v1")
        if timeout_s <= 0 or num_retries < 0 or max_tokens < 1:
            raise ValueError(
                f"timeout_s={timeout_s} must be positive, num_retries={num_retries} not negative and "
                f"max_tokens={max_tokens} at least 1"
            )
        self.url = url
        self.model = model
        self.key_variable = key_variable
        self.timeout_s = timeout_s
        self.num_retries = num_retries
        self.max_tokens = max_tokens

    def identity(self) -> list[Any]:
        """See `Answering.identity`."""
        return [self.url, self.model, self.max_tokens]

    def ask(self, pictures: Sequence[Image.Image], question: str) -> Iterator[str]:
        """See `Answering.ask`."""
        return (self._answer(picture, question) for picture in pictures)

    def _answer(self, picture: Image.Image, question: str) -> str:
        content = [
            {"type": "text", "text": question},
            {"type": "image_url", "image_url": {"url": data_url(picture)}},
        ]
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.max_tokens,
            "temperature": 0,
        }
        reply = self._post(body)
        try:
            answer = reply["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(
                f"the server {self.url} replied without choices[0].message.content: is it an OpenAI-compatible one?"
            ) from error
        if not isinstance(answer, str) or not answer.strip():
            raise ValueError(f"the server {self.url} sent an empty answer: try another model than {self.model!r}")
        return answer

    def _post(self, body: dict[str, Any]) -> Any:
        import httpx

        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ValueError(
                f"the environment variable {self.key_variable} holds no key: it has letters keys never have"
            )
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        trouble = ""
        for attempt in range(self.num_retries + 1):
            if attempt:
                time.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
            try:
                url = f"{self.url.rstrip('/')}/chat/completions"
                reply = httpx.post(url, json=body, headers=headers, timeout=self.timeout_s)
            except httpx.TimeoutException:
                trouble = (
                    f"did not reply within {self.timeout_s:g} s: raise timeout_s, or look whether it is overloaded"
                )
                continue
            except httpx.HTTPError as error:
                trouble = f"cannot be reached ({error}): is it running, and is the URL right?"
                continue
            if reply.is_success:
                try:
                    return reply.json()
                except ValueError as error:
                    raise ValueError(f"the server {self.url} replied with something that is not JSON") from error
            said = " ".join(reply.text.split())[:160]
            trouble = f"refused with status {reply.status_code} ({said}){self._advice(reply.status_code)}"
            if reply.status_code not in BUSY:
                break
        raise ValueError(f"the server {self.url} {trouble}")

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            return f": put a valid key into the environment variable {self.key_variable}"
        return f": does it serve the model {self.model!r}?" if status == 404 else ""


def data_url(picture: Image.Image) -> str:
    """The picture as a PNG inside a URL."""
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
