"""A small byte-pair vocabulary in CLIP's format, learnt from captions."""

import json
from collections.abc import Iterable, Sequence

import torch
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE
from torch import Tensor
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(captions: Iterable[str], vocab_size: int = 2048, max_length: int = 32) -> CLIPTokenizer:
    """Learn a CLIP tokenizer whose vocabulary is small enough for a small text encoder.

    Args:
        captions: Texts to learn from.
        vocab_size: Number of tokens, the 512 byte symbols and the two marks included.
        max_length: Longest caption in tokens, marks included.

    Returns:
        The tokenizer; every text can be written in it, because all bytes are tokens.

    Example:
        >>> tokenizer = train_tokenizer(["a photo of a cat", "a photo of a dog"] * 3, vocab_size=540)
        >>> tokenizer.decode(tokenizer("a photo of a cat").input_ids, skip_special_tokens=True)
        'a photo of a cat'
    """
    learner = Tokenizer(BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Lowercase()
    # CLIP splits words, digits and runs of punctuation before it merges bytes; the learner must split alike.
    words = pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", True)
    learner.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(byte_symbols()) - 2, end_of_word_suffix="</w>", show_progress=False
    )
    learner.train_from_iterator(captions, trainer)

    return made_of_merges(merges_of(learner), max_length)


def made_of_merges(merges: Sequence[Sequence[str]], max_length: int) -> CLIPTokenizer:
    """A CLIP tokenizer whose vocabulary is the byte symbols, what merges make of them, and the two marks.

    Args:
        merges: Pairs of tokens that become one, in order.
        max_length: Longest caption in tokens, marks included.
    """
    pairs = [tuple(merge) for merge in merges]
    tokens = [*byte_symbols(), *dict.fromkeys("".join(pair) for pair in pairs), START, END]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocab, merges=pairs, model_max_length=max_length)  # type: ignore[arg-type]


def tokenize(tokenizer: CLIPTokenizer, captions: Sequence[str], device: torch.device) -> Tensor:
    """Return token ids of shape (B, max_length), padded and truncated as Stable Diffusion pipelines do."""
    tokens = tokenizer(
        list(captions),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return tokens.input_ids.to(device)


def byte_symbols() -> list[str]:
    """The tokens of single bytes, inside words and at their ends."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return [*alphabet, *(f"{symbol}</w>" for symbol in alphabet)]


def merges_of(tokenizer: Tokenizer) -> list[list[str]]:
    """Pairs of tokens that become one, in order."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
