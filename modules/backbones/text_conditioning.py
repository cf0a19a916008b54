"""What a Stable Diffusion denoiser is told: tokens of texts, tokens of an adapter, an image embedding."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modules.priors.base import Semantics

LOGGER = logging.getLogger("ldrps.prior")


@dataclass(frozen=True)
class TextConditioning:
    """Cross-attention tokens of N = chains * B rows.

    Attributes:
        hidden_states: Tokens every row is denoised with, shape (N, L, D).
        guided_hidden_states: Tokens of the guided half, shape (M, L, D).
        guided_rows: The M rows whose guided half differs from the plain one.
        guidance_scale: Weight of the difference between the halves.
        image_embeddings: What the IP-Adapter reads for every row, shape (N, E); None without one.
        guided_image_embeddings: The same of the guided half, shape (M, E).
    """

    hidden_states: Tensor
    guided_hidden_states: Tensor
    guided_rows: Tensor
    guidance_scale: float
    image_embeddings: Tensor | None = None
    guided_image_embeddings: Tensor | None = None


class TextConditioner:
    """Turns `Semantics` into what the denoiser of a pipeline reads.

    Args:
        pipeline: A diffusers ``StableDiffusionPipeline``.
        name: What messages call the backbone.
    """

    def __init__(self, pipeline: Any, name: str) -> None:
        self.pipeline = pipeline
        self.name = name

    @torch.no_grad()
    def __call__(
        self, semantics: Semantics, batch_size: int, num_chains: int, guidance_scale: float
    ) -> TextConditioning:
        """Encode the texts; rows whose two halves would be equal get one half only.

        Raises:
            ValueError: If embeddings do not fit the cross-attention or the IP-Adapter, or are not numbers.
        """
        prompts = list(semantics.prompts or [""] * batch_size)
        negative_prompts = list(semantics.negative_prompts or [""] * batch_size)
        is_guided = [prompt != negative for prompt, negative in zip(prompts, negative_prompts, strict=True)]
        plain, guided = self.encode(negative_prompts), self.encode(prompts)
        if semantics.embeddings is not None:
            embeddings = self._fitting_tokens(semantics.embeddings, guided)
            guided, plain = torch.cat([guided, embeddings], 1), torch.cat([plain, torch.zeros_like(embeddings)], 1)
            is_guided = [True] * batch_size
        image = self._image_embeddings(semantics.image_embeddings, batch_size)
        plain_image = None if image is None else torch.zeros_like(image)
        if image is not None and bool(image.any()):
            is_guided = [True] * batch_size
        if guidance_scale == 1:
            plain, plain_image, is_guided = guided, image, [False] * batch_size
        rows = torch.tensor(is_guided, device=plain.device).repeat(num_chains).nonzero().flatten()

        def for_chains(values: Tensor) -> Tensor:
            return values.repeat(num_chains, *[1] * (values.ndim - 1))

        return TextConditioning(
            hidden_states=for_chains(plain),
            guided_hidden_states=for_chains(guided)[rows],
            guided_rows=rows,
            guidance_scale=guidance_scale,
            image_embeddings=None if plain_image is None else for_chains(plain_image),
            guided_image_embeddings=None if image is None else for_chains(image)[rows],
        )

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Tokens of texts, shape (B, L, D); words beyond the tokenizer's limit are left out and named in a warning."""
        # Equal texts are encoded once: most batches hold one text, the empty one.
        distinct = list(dict.fromkeys(texts))
        for text in distinct:
            self._warn_of_lost_words(text)
        encoded, _ = self.pipeline.encode_prompt(distinct, self.pipeline.unet.device, 1, False)
        rows: Tensor = encoded[[distinct.index(text) for text in texts]]
        return rows

    def _warn_of_lost_words(self, text: str) -> None:
        tokenizer = self.pipeline.tokenizer
        limit = tokenizer.model_max_length
        tokens = tokenizer(text, truncation=False, verbose=False).input_ids
        if len(tokens) > limit:
            lost = tokenizer.decode(tokens[limit - 1 : -1], skip_special_tokens=True).strip()
            LOGGER.warning("a prompt is longer than the %d tokens the text encoder reads: %r is left out", limit, lost)

    def _fitting_tokens(self, embeddings: Tensor, texts: Tensor) -> Tensor:
        width = texts.shape[-1]
        if embeddings.ndim != 3 or embeddings.shape[-1] != width:
            raise ValueError(
                f"the prior gives embeddings of shape {tuple(embeddings.shape)}, but backbone {self.name!r} takes "
                f"(batch, tokens, {width}): use an adapter trained for it, or a prior that gives text"
            )
        return _finite(embeddings).to(texts)

    def _image_embeddings(self, embeddings: Tensor | None, batch_size: int) -> Tensor | None:
        """What an IP-Adapter reads, if there is one; zeros where the prior has nothing to say."""
        projection = getattr(self.pipeline.unet, "encoder_hid_proj", None)
        if projection is None or not hasattr(projection, "image_projection_layers"):
            return None
        width = next(
            layer.in_features
            for layer in projection.image_projection_layers[0].modules()
            if hasattr(layer, "in_features")
        )
        if embeddings is None:
            LOGGER.warning("the prior gives no image embedding, so the IP-Adapter has nothing to read: use da_clip")
            return torch.zeros(batch_size, width, device=self.pipeline.unet.device)
        if embeddings.shape[-1] != width:
            raise ValueError(
                f"the prior gives image embeddings of {embeddings.shape[-1]} numbers, but the IP-Adapter reads "
                f"{width}: use one that was made for this image encoder"
            )
        return _finite(embeddings)


def _finite(embeddings: Tensor) -> Tensor:
    if not bool(embeddings.isfinite().all()):
        raise ValueError("the prior gives embeddings that are not numbers: check its weights, or use the prior null")
    return embeddings
