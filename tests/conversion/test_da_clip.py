"""Official DA-CLIP checkpoints: converted, they compute what a plain forward over the official names computes."""

import json
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from ldrps.cli import main
from modules.conversion.da_clip import convert_da_clip
from modules.networks.da_clip import load_da_clip


def official_state(
    width=64, layers=3, patch=8, side=24, embed=24, text_width=64, text_layers=2, vocab=99, context=10, tied=True
):
    """Random weights under the official names, as open_clip and the released code write them."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(shape, generator=generator) * 0.2

    def blocks(prefix, depth, size):
        for layer in range(depth):
            name = f"{prefix}resblocks.{layer}."
            yield from ((f"{name}ln_1.weight", 1 + draw(size)), (f"{name}ln_1.bias", draw(size)))
            yield from (
                (f"{name}attn.in_proj_weight", draw(3 * size, size)),
                (f"{name}attn.in_proj_bias", draw(3 * size)),
            )
            yield from ((f"{name}attn.out_proj.weight", draw(size, size)), (f"{name}attn.out_proj.bias", draw(size)))
            yield from ((f"{name}ln_2.weight", 1 + draw(size)), (f"{name}ln_2.bias", draw(size)))
            yield from ((f"{name}mlp.c_fc.weight", draw(4 * size, size)), (f"{name}mlp.c_fc.bias", draw(4 * size)))
            yield from ((f"{name}mlp.c_proj.weight", draw(size, 4 * size)), (f"{name}mlp.c_proj.bias", draw(size)))

    def tower(prefix, transformer):
        yield f"{prefix}class_embedding", draw(width)
        yield f"{prefix}positional_embedding", draw((side // patch) ** 2 + 1, width)
        yield f"{prefix}proj", draw(width, embed)
        yield f"{prefix}conv1.weight", draw(width, 3, patch, patch)
        for norm in ("ln_pre", "ln_post"):
            yield from ((f"{prefix}{norm}.weight", 1 + draw(width)), (f"{prefix}{norm}.bias", draw(width)))
        yield from blocks(f"{prefix}{transformer}", layers, width)

    state = dict(tower("clip.visual.", "transformer."))
    if tied:
        state |= {name.removeprefix("clip."): values for name, values in state.items()}
    state |= dict(tower("visual_control.", "transformer.transformer."))
    for layer in range(layers):
        name = f"visual_control.transformer.zero_modules.{layer}"
        state |= {f"{name}.weight": draw(width, width), f"{name}.bias": draw(width)}
    state |= dict(blocks("clip.transformer.", text_layers, text_width))
    state |= {
        "clip.token_embedding.weight": draw(vocab, text_width),
        "clip.positional_embedding": draw(context, text_width),
        "clip.ln_final.weight": 1 + draw(text_width),
        "clip.ln_final.bias": draw(text_width),
        "clip.text_projection": draw(text_width, embed),
        "clip.logit_scale": draw(),
        "logit_scale": draw(),
    }
    return state


def block(state, name, hidden, heads, activation, mask=None):
    """One pre-norm block on (B, L, width)."""
    batch, length, width = hidden.shape

    def norm(which, values):
        return F.layer_norm(values, (width,), state[f"{name}{which}.weight"], state[f"{name}{which}.bias"])

    stacked = F.linear(norm("ln_1", hidden), state[f"{name}attn.in_proj_weight"], state[f"{name}attn.in_proj_bias"])
    query, key, value = stacked.view(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    scores = query @ key.transpose(-1, -2) * (width // heads) ** -0.5
    scores = scores if mask is None else scores + mask
    mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, width)
    hidden = hidden + F.linear(mixed, state[f"{name}attn.out_proj.weight"], state[f"{name}attn.out_proj.bias"])
    inner = F.linear(norm("ln_2", hidden), state[f"{name}mlp.c_fc.weight"], state[f"{name}mlp.c_fc.bias"])
    inner = F.gelu(inner) if activation == "gelu" else inner * torch.sigmoid(1.702 * inner)
    return hidden + F.linear(inner, state[f"{name}mlp.c_proj.weight"], state[f"{name}mlp.c_proj.bias"])


def tower(state, prefix, transformer, pixels, layers, activation, add=None):
    """Class token after projection, and the outputs of the blocks."""
    patches = F.conv2d(pixels, state[f"{prefix}conv1.weight"], stride=state[f"{prefix}conv1.weight"].shape[-1])
    patches = patches.flatten(2).transpose(1, 2)
    width = patches.shape[-1]
    token = state[f"{prefix}class_embedding"].expand(len(pixels), 1, -1)
    hidden = torch.cat([token, patches], dim=1) + state[f"{prefix}positional_embedding"]
    hidden = F.layer_norm(hidden, (width,), state[f"{prefix}ln_pre.weight"], state[f"{prefix}ln_pre.bias"])
    outputs = []
    for layer in range(layers):
        hidden = block(state, f"{prefix}{transformer}resblocks.{layer}.", hidden, width // 64, activation)
        if add is not None:
            hidden = hidden + add[layer]
        outputs.append(hidden)
    pooled = F.layer_norm(hidden[:, 0], (width,), state[f"{prefix}ln_post.weight"], state[f"{prefix}ln_post.bias"])
    return pooled @ state[f"{prefix}proj"], outputs


def plain_forward(state, pixels, layers, activation):
    """Content and degradation embedding by the official names alone."""
    degradation, outputs = tower(state, "visual_control.", "transformer.transformer.", pixels, layers, activation)
    name = "visual_control.transformer.zero_modules"
    told = [
        F.linear(output, state[f"{name}.{layer}.weight"], state[f"{name}.{layer}.bias"])
        for layer, output in enumerate(outputs)
    ]
    content, _ = tower(state, "clip.visual.", "transformer.", pixels, layers, activation, told[::-1])
    return content, degradation


def plain_text(state, tokens, layers, activation):
    hidden = state["clip.token_embedding.weight"][tokens] + state["clip.positional_embedding"]
    width = hidden.shape[-1]
    mask = torch.full((tokens.shape[1],) * 2, float("-inf")).triu(1)
    for layer in range(layers):
        hidden = block(state, f"clip.transformer.resblocks.{layer}.", hidden, width // 64, activation, mask)
    hidden = F.layer_norm(hidden, (width,), state["clip.ln_final.weight"], state["clip.ln_final.bias"])
    return hidden[torch.arange(len(tokens)), tokens.argmax(-1)] @ state["clip.text_projection"]


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_agrees_with_a_plain_forward_over_the_official_names(activation):
    state = official_state()
    network = convert_da_clip(state, activation)
    images = torch.rand(2, 3, 24, 24)
    expected = plain_forward(state, network.prepare(images), 3, activation)
    for ours, theirs in zip(network(images), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    plain, _ = tower(state, "clip.visual.", "transformer.", network.prepare(images), 3, activation)
    torch.testing.assert_close(network.image_embedding(images), plain, atol=1e-4, rtol=0)
    assert not torch.allclose(plain, expected[0], atol=1e-2)
    tokens = torch.randint(98, (2, 10))
    tokens[0, 4], tokens[1, 9] = 98, 98
    torch.testing.assert_close(
        network.text_embedding(tokens), plain_text(state, tokens, 2, activation), atol=1e-4, rtol=0
    )
    assert float(network.logit_scale) == float(state["logit_scale"])
    assert float(network.clip.logit_scale) == float(state["clip.logit_scale"])


@pytest.mark.parametrize(("layers", "count"), [(12, 631), (24, 1087)])
def test_every_name_of_the_released_files_is_used_once(layers, count):
    """ViT-B/32 and ViT-L/14 have 631 and 1087 entries; towers of their depth, but narrow, convert without a rest."""
    state = official_state(layers=layers, text_layers=12)
    assert len(state) == count
    network = convert_da_clip({f"module.{name}": values for name, values in state.items()})
    distinct = {name: values for name, values in state.items() if not name.startswith("visual.")}
    assert sum(parameter.numel() for parameter in network.parameters()) == sum(map(torch.numel, distinct.values()))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda state: state.pop("visual_control.ln_pre.weight"), "it lacks visual_control.ln_pre.weight"),
        (lambda state: state.update(extra=torch.zeros(1)), r"1 entries are left, first \['extra'\]"),
        (lambda state: state.update({"visual.proj": torch.zeros(64, 24)}), "should be the same tensor and differ"),
        (lambda state: state.clear(), "it lacks clip.visual"),
    ],
)
def test_what_is_no_da_clip_is_named(change, sentence):
    state = official_state()
    change(state)
    with pytest.raises(ValueError, match=sentence):
        convert_da_clip(state)


def test_the_official_cases(tmp_path):
    """Against inputs and outputs of the original code, where someone has them: LDRPS_GOLDEN=folder."""
    folder = Path(os.environ.get("LDRPS_GOLDEN", "nowhere"))
    if not (folder / "da_clip.safetensors").is_file():
        pytest.skip("LDRPS_GOLDEN names no folder with da_clip.safetensors")
    case = load_file(folder / "da_clip.safetensors")
    sizes = json.loads((folder / "meta.json").read_text())["da_clip"]
    state = {name.removeprefix("weights."): values for name, values in case.items() if name.startswith("weights.")}
    text_head_width = sizes["text_width"] // sizes["text_heads"]
    network = convert_da_clip(state, sizes["activation"], sizes["vision_head_width"], text_head_width)
    network.prepare = lambda images: images
    content, degradation = network(case["image"])
    torch.testing.assert_close(content, case["content_embedding"], atol=1e-4, rtol=0)
    torch.testing.assert_close(degradation, case["degradation_embedding"], atol=1e-4, rtol=0)
    torch.testing.assert_close(network.text_embedding(case["tokens"]), case["text_embedding"], atol=1e-4, rtol=0)


def test_convert_makes_a_folder_that_a_restoration_uses(tmp_path, told_folder, capfd, photo_file):
    limits = json.loads((told_folder / "da_clip" / "config.json").read_text())["clip_config"]["text_config"]
    state = official_state(vocab=limits["vocab_size"], context=limits["max_position_embeddings"])
    for wrapped in ("plain", "wrapped"):
        torch.save(state if wrapped == "plain" else {"state_dict": state}, tmp_path / f"{wrapped}.pt")
        arguments = [str(tmp_path / f"{wrapped}.pt"), "--output", str(tmp_path / wrapped)]
        assert main(["convert", *arguments, "--tokenizer", str(told_folder / "tokenizer")]) == 0
    assert "DA-CLIP with" in capfd.readouterr().out
    images = torch.rand(1, 3, 24, 24)
    first, second = (load_da_clip(tmp_path / name)(images)[0] for name in ("plain", "wrapped"))
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first, convert_da_clip(state)(images)[0])

    settings = ["--prior", "da_clip", "--model.prior.path", str(tmp_path / "plain"), "--backbone", str(told_folder)]
    arguments = ["restore", str(photo_file), "-o", str(tmp_path / "out"), "--device", "cpu", *settings]
    assert main([*arguments, "--model.sampling.num_inference_steps", "3"]) == 0
    assert (tmp_path / "out" / "cat.jpg").is_file()


class Foreign:
    def __reduce__(self):
        return (print, ("foreign code ran",))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("missing", "does not exist"),
        ("foreign", "holds more than weights"),
        ("damaged", "is damaged or"),
        ("other", "it looks like something else, with ['conv.weight']"),
        ("list", "holds no state dict"),
        ("text", "cannot be read: it is cut short or no checkpoint"),
        ("cut", "cannot be read: it is cut short or no checkpoint"),
        ("empty", "is empty (0 bytes)"),
    ],
)
def test_bad_checkpoints_are_one_sentence(tmp_path, capfd, content, sentence):
    file = tmp_path / "checkpoint.pt"
    match content:
        case "foreign":
            torch.save({"state_dict": Foreign()}, file)
        case "damaged":
            file.write_bytes(b"no checkpoint")
        case "other":
            file = tmp_path / "other.safetensors"
            save_file({"conv.weight": torch.zeros(3)}, file)
        case "list":
            torch.save([torch.zeros(3)], file)
        case "text":
            file.write_text("export me")
        case "cut":
            torch.save({"weight": torch.zeros(1000)}, file)
            file.write_bytes(file.read_bytes()[:2000])
        case "empty":
            file.touch()
    assert main(["convert", str(file), "--output", str(tmp_path / "out")]) == 2
    captured = capfd.readouterr()
    assert sentence in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert "foreign code ran" not in captured.out
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_left_alone(tmp_path, capfd):
    torch.save(official_state(), tmp_path / "checkpoint.pt")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    arguments = ["convert", str(tmp_path / "checkpoint.pt"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "is not empty" in capfd.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    assert "without a tokenizer" in capfd.readouterr().out
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "config.json",
        "mine.txt",
        "model.safetensors",
    ]
