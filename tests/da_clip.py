"""A DA-CLIP folder with tiny random weights, beside a micro pipeline."""

import shutil

import torch
from transformers import CLIPConfig, CLIPTokenizer

from modules.networks.da_clip import DACLIPConfig, DACLIPModel
from modules.networks.prior_adapter import PriorAdapter

WORDS = ["clean", "noise", "haze"]


def make_da_clip(folder, tokenizer_folder, width=16):
    """Write a DA-CLIP whose controller has something to say."""
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    tower = {"hidden_size": width, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = tower | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 12,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    clip = CLIPConfig(text_config=text, vision_config=tower | {"image_size": 16, "patch_size": 8}, projection_dim=width)
    torch.manual_seed(0)
    network = DACLIPModel(DACLIPConfig(clip.to_dict(), words=WORDS))
    for layer in network.zero_layers:
        torch.nn.init.normal_(layer.weight, std=0.5)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder / "tokenizer")
    return folder


def with_da_clip(pipeline, folder):
    """Copy a pipeline and give it a DA-CLIP and an adapter."""
    shutil.copytree(pipeline, folder)
    make_da_clip(folder / "da_clip", folder / "tokenizer")
    torch.manual_seed(0)
    PriorAdapter(embedding_dim=16, cross_attention_dim=16, num_tokens=2, hidden_dim=8).save_pretrained(
        folder / "prior_adapter"
    )
    return folder
