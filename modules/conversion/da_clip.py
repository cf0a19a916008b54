"""Official DA-CLIP checkpoints, in open_clip's names, to our folder layout."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from transformers import CLIPConfig

from modules.networks.da_clip import DACLIPConfig, DACLIPModel

OFFICIAL_WORDS = (
    "motion-blurry",
    "hazy",
    "jpeg-compressed",
    "low-light",
    "noisy",
    "raindrop",
    "rainy",
    "shadowed",
    "snowy",
    "uncompleted",
)
"""What the released checkpoints were trained to name."""

END_IS_HIGHEST = 2
"""Value of ``eos_token_id`` by which transformers pools text at the highest token, as the original code does."""


def convert_da_clip(
    state: Mapping[str, Tensor],
    activation: Literal["gelu", "quick_gelu"] = "gelu",
    vision_head_width: int = 64,
    text_head_width: int = 64,
) -> DACLIPModel:
    """Build our network from an official state; every entry is used exactly once.

    Args:
        state: Tensors by official name, such as ``visual_control.conv1.weight``; a prefix ``module.`` is dropped.
        activation: Of all towers: "gelu" for CLIPs trained on LAION, "quick_gelu" for OpenAI's.
        vision_head_width: Width of one attention head of the image towers.
        text_head_width: Width of one attention head of the text tower.

    Raises:
        ValueError: If the state is not a DA-CLIP's, names the first missing or left entries.
    """
    left = {name.removeprefix("module."): values.detach().float() for name, values in state.items()}
    _drop_aliases(left)
    try:
        network = DACLIPModel(_config(left, activation, vision_head_width, text_head_width))
        ours = {
            **_tower(left, "clip.visual.", "clip.visual.transformer.", "clip.vision_model.", "clip.visual_projection"),
            **_tower(
                left,
                "visual_control.",
                "visual_control.transformer.transformer.",
                "controller.vision_model.",
                "controller.visual_projection",
            ),
            **_text(left),
        }
        for layer in range(len(network.zero_layers)):
            for kind in ("weight", "bias"):
                ours[f"zero_layers.{layer}.{kind}"] = left.pop(
                    f"visual_control.transformer.zero_modules.{layer}.{kind}"
                )
        ours["logit_scale"] = left.pop("logit_scale")
        ours["clip.logit_scale"] = left.pop("clip.logit_scale", ours["logit_scale"])
    except KeyError as error:
        raise ValueError(f"the checkpoint is not a DA-CLIP's: it lacks {error.args[0]}") from error
    if left:
        raise ValueError(f"the checkpoint is not a DA-CLIP's: {len(left)} entries are left, first {sorted(left)[:3]}")
    network.load_state_dict(ours)
    return network.eval().requires_grad_(False)


def _drop_aliases(state: dict[str, Tensor]) -> None:
    """Remove ``visual.*``, the second name of ``clip.visual.*``.

    Raises:
        ValueError: If the two differ.
    """
    for alias in [name for name in state if name.startswith("visual.")]:
        values = state.pop(alias)
        if f"clip.{alias}" in state and not torch.equal(values, state[f"clip.{alias}"]):
            raise ValueError(f"the checkpoint's {alias} and clip.{alias} should be the same tensor and differ")
        state.setdefault(f"clip.{alias}", values)


def _config(state: Mapping[str, Tensor], activation: str, vision_head_width: int, text_head_width: int) -> DACLIPConfig:
    """Read every size from the shapes."""
    vision_width, _, patch_size, _ = state["clip.visual.conv1.weight"].shape
    num_patches = len(state["clip.visual.positional_embedding"]) - 1
    vocab_size, text_width = state["clip.token_embedding.weight"].shape
    projection = state["clip.visual.proj"].shape[1]

    def tower(width: int, head_width: int, prefix: str) -> dict[str, int | str]:
        layers = {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}
        return {
            "hidden_size": width,
            "intermediate_size": len(state[f"{prefix}0.mlp.c_fc.weight"]),
            "num_hidden_layers": len(layers),
            "num_attention_heads": width // head_width,
            "projection_dim": projection,
            "hidden_act": activation,
        }

    vision = tower(vision_width, vision_head_width, "clip.visual.transformer.resblocks.")
    text = tower(text_width, text_head_width, "clip.transformer.resblocks.")
    vision |= {"image_size": patch_size * round(num_patches**0.5), "patch_size": patch_size}
    text |= {"vocab_size": vocab_size, "max_position_embeddings": len(state["clip.positional_embedding"])}
    text |= {"eos_token_id": END_IS_HIGHEST, "bos_token_id": vocab_size - 2, "pad_token_id": vocab_size - 1}
    clip = CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
    return DACLIPConfig(clip.to_dict(), words=OFFICIAL_WORDS)


def _tower(left: dict[str, Tensor], source: str, blocks: str, target: str, projection: str) -> dict[str, Tensor]:
    ours = {
        f"{target}embeddings.class_embedding": left.pop(f"{source}class_embedding"),
        f"{target}embeddings.patch_embedding.weight": left.pop(f"{source}conv1.weight"),
        f"{target}embeddings.position_embedding.weight": left.pop(f"{source}positional_embedding"),
        f"{projection}.weight": left.pop(f"{source}proj").T.contiguous(),
    }
    for theirs, name in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        ours |= _pair(left, f"{source}{theirs}", f"{target}{name}")
    return ours | _blocks(left, f"{blocks}resblocks.", f"{target}encoder.layers.")


def _text(left: dict[str, Tensor]) -> dict[str, Tensor]:
    target = "clip.text_model."
    ours = {
        f"{target}embeddings.token_embedding.weight": left.pop("clip.token_embedding.weight"),
        f"{target}embeddings.position_embedding.weight": left.pop("clip.positional_embedding"),
        "clip.text_projection.weight": left.pop("clip.text_projection").T.contiguous(),
    }
    ours |= _pair(left, "clip.ln_final", f"{target}final_layer_norm")
    return ours | _blocks(left, "clip.transformer.resblocks.", f"{target}encoder.layers.")


def _blocks(left: dict[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    names = (
        ("ln_1", "layer_norm1"),
        ("ln_2", "layer_norm2"),
        ("attn.out_proj", "self_attn.out_proj"),
        ("mlp.c_fc", "mlp.fc1"),
        ("mlp.c_proj", "mlp.fc2"),
    )
    ours: dict[str, Tensor] = {}
    for layer in sorted({name.removeprefix(source).split(".")[0] for name in left if name.startswith(source)}):
        for theirs, name in names:
            ours |= _pair(left, f"{source}{layer}.{theirs}", f"{target}{layer}.{name}")
        for kind in ("weight", "bias"):
            # open_clip stacks the three projections.
            stacked = left.pop(f"{source}{layer}.attn.in_proj_{kind}").chunk(3)
            for name, values in zip(("q_proj", "k_proj", "v_proj"), stacked, strict=True):
                ours[f"{target}{layer}.self_attn.{name}.{kind}"] = values.clone()
    return ours


def _pair(left: dict[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    return {f"{target}.{kind}": left.pop(f"{source}.{kind}") for kind in ("weight", "bias")}
