"""Official U-Nets of IR-SDE (``wild-ir.pth``, ``universal-ir.pth``) to our network."""

import re
from collections.abc import Mapping

from torch import Tensor

from modules.networks.conditional_unet import ConditionalUNet

RENAMED = (
    (r"^time_mlp\.1\.", "time.0."),
    (r"^time_mlp\.3\.", "time.2."),
    (r"^prompt$", "prompt.prompt"),
    (r"^text_mlp\.", "prompt.weigh."),
    (r"^prompt_mlp\.", "prompt.project."),
    (r"^init_conv\.", "enter."),
    (r"^downsample\.", "shrink."),
    (r"^upsample\.", "enlarge."),
    (r"^mid_block1\.", "middle.0."),
    (r"^mid_block2\.", "middle.1."),
    (r"^mid_attn\.", "middle_attention."),
    (r"^final_res_block\.", "final."),
    (r"^final_conv\.", "leave."),
    (r"^(down|up)s\.(\d+)\.0\.", r"\1.\2.first."),
    (r"^(down|up)s\.(\d+)\.1\.", r"\1.\2.second."),
    (r"^(down|up)s\.(\d+)\.2\.", r"\1.\2.attention."),
    (r"^(down|up)s\.(\d+)\.3\.", r"\1.\2.resample."),
    # Inside a block.
    (r"\.mlp\.1\.", ".tell."),
    (r"\.block1\.proj\.", ".first."),
    (r"\.block2\.proj\.", ".second."),
    (r"\.res_conv\.", ".shortcut."),
    # Inside an attention slot.
    (r"attention\.fn\.norm\.g$", "attention.norm.gain"),
    (r"attention\.fn\.fn\.to_qkv\.", "attention.linear.to_qkv."),
    (r"attention\.fn\.fn\.to_out\.0\.", "attention.linear.to_out."),
    (r"attention\.fn\.fn\.to_out\.1\.g$", "attention.linear.out_norm.gain"),
    (r"attention\.fn\.fn\.", "attention.transformer."),
)
"""Official names to ours; levels on the way up are counted from the deepest there, from the shallowest here."""


def convert_conditional_unet(state: Mapping[str, Tensor]) -> ConditionalUNet:
    """Build our network from an official state; every entry is used exactly once.

    Args:
        state: Tensors by official name, such as ``downs.0.0.block1.proj.weight``; a prefix ``module.`` is dropped.

    Raises:
        ValueError: If the state is not such a U-Net's; names the first missing, left or misshapen entries.
    """
    official = {name.removeprefix("module."): values.detach().float() for name, values in state.items()}
    try:
        network = _network(official)
    except KeyError as error:
        raise ValueError(f"the checkpoint is not a conditional U-Net's: it lacks {error.args[0]}") from error
    depth = len(network.down)
    ours = {_renamed(name, depth): values for name, values in official.items()}
    expected = network.state_dict()
    if missing := sorted(expected.keys() - ours.keys()):
        raise ValueError(f"the checkpoint is not a conditional U-Net's: it lacks {len(missing)}, first {missing[:3]}")
    if left := sorted(ours.keys() - expected.keys()):
        raise ValueError(f"the checkpoint is not a conditional U-Net's: {len(left)} entries are left, first {left[:3]}")
    for name, values in ours.items():
        if values.shape != expected[name].shape:
            raise ValueError(
                f"the checkpoint is not a conditional U-Net's: {name} has shape {list(values.shape)}, "
                f"not {list(expected[name].shape)}"
            )
    network.load_state_dict(ours)
    return network.eval().requires_grad_(False)


def _network(state: Mapping[str, Tensor]) -> ConditionalUNet:
    """Read every size from the shapes."""
    width = len(state["init_conv.weight"])
    depth = len({name.split(".")[1] for name in state if name.startswith("downs.")})
    multipliers = tuple(len(state[f"downs.{level}.3.weight"]) // width for level in range(depth))
    keys = state.get("mid_attn.fn.fn.transformer_blocks.0.attn2.to_k.weight")
    weights = state.get("text_mlp.0.weight")
    context = keys if keys is not None else weights
    return ConditionalUNet(
        width=width,
        multipliers=multipliers,
        context_dim=None if context is None else context.shape[1],
        has_content=keys is not None,
        has_degradation=weights is not None,
        is_half_resolution="downsample.weight" in state,
    )


def _renamed(name: str, depth: int) -> str:
    if found := re.match(r"ups\.(\d+)\.", name):
        name = f"ups.{depth - 1 - int(found[1])}.{name[found.end() :]}"
    for pattern, ours in RENAMED:
        name = re.sub(pattern, ours, name)
    return name
