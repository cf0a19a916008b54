"""Fingerprints of weights, by which results say what made them."""

import hashlib

import torch


def hash_weights(module: torch.nn.Module) -> str:
    """Hash names, types and values of a module's parameters and buffers."""
    digest = hashlib.sha256()
    for name, values in sorted(module.state_dict().items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
