"""DA-CLIP as a network and as a prior."""

import json
import shutil

import pytest
import torch
import torch.nn.functional as F
from transformers import CLIPModel

from ldrps.methods.hash_weights import hash_weights
from modules.networks.da_clip import DACLIPModel, load_da_clip
from modules.networks.prior_adapter import PriorAdapter
from modules.priors.da_clip import DACLIP
from modules.priors.da_clip_adapter import DACLIPAdapter


@pytest.fixture
def network(told_folder):
    return load_da_clip(told_folder / "da_clip")


def test_without_a_word_from_the_controller_the_content_is_clip_s(network, pictures):
    network.begin_training()
    content, degradation = network(pictures)
    torch.testing.assert_close(content, network.image_embedding(pictures), atol=1e-6, rtol=0)
    torch.testing.assert_close(degradation, content, atol=1e-6, rtol=0)
    assert {name.split(".")[0] for name, values in network.named_parameters() if values.requires_grad} >= {
        "controller",
        "zero_layers",
    }
    assert not any(values.requires_grad for values in network.clip.parameters())


def test_the_controller_changes_the_content(network, pictures):
    content, _ = network(pictures)
    assert float((content - network.image_embedding(pictures)).abs().max()) > 1e-3


def test_the_frozen_half_is_transformers_clip(network, pictures):
    assert isinstance(network.clip, CLIPModel)
    pixels = network.prepare(pictures)
    torch.testing.assert_close(
        network.image_embedding(pictures), network.clip.get_image_features(pixel_values=pixels).pooler_output
    )


@pytest.mark.parametrize(("height", "width"), [(16, 16), (40, 28), (9, 30), (100, 8)])
def test_any_shape_is_resized_and_its_centre_taken(network, height, width):
    pixels = network.prepare(torch.rand(2, 3, height, width))
    assert pixels.shape == (2, 3, 16, 16)
    # A picture with a bright middle stripe: the middle is what is seen.
    image = torch.zeros(1, 3, 16, 48)
    image[..., 16:32] = 1
    mean, std = (torch.tensor(row).view(3, 1, 1) for row in (network.config.image_mean, network.config.image_std))
    assert float((network.prepare(image) * std + mean).mean()) > 0.95


def test_too_small_an_image_is_one_sentence(network):
    with pytest.raises(ValueError, match="30 x 7 pixels is too small"):
        network(torch.rand(1, 3, 7, 30))


def test_missing_and_damaged_weights_are_one_sentence(told_folder, tmp_path):
    (tmp_path / "config.json").write_text((told_folder / "da_clip" / "config.json").read_text())
    with pytest.raises(ValueError, match="cannot be read"):
        load_da_clip(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="cannot be read"):
        load_da_clip(tmp_path)
    # Of another architecture: one block more than the file holds.
    network = DACLIPModel.from_pretrained(told_folder / "da_clip")
    network.save_pretrained(tmp_path / "deep")
    config = json.loads((tmp_path / "deep" / "config.json").read_text())
    config["clip_config"]["vision_config"]["num_hidden_layers"] = 3
    (tmp_path / "deep" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"lacks \d+ weights, the first are clip\.vision_model"):
        load_da_clip(tmp_path / "deep")


def test_the_nearest_caption_and_the_likeliest_words_are_said(told_folder, tmp_path, pictures):
    vocabulary = tmp_path / "mine.txt"
    vocabulary.write_text("# mine\na photo of a cat\n\na cup of coffee\na rocket\n", encoding="utf-8")
    prior = DACLIP(vocabulary=str(vocabulary), num_captions=2, min_probability=0.0)
    prior.load(told_folder)
    assert prior.captions == ["a photo of a cat", "a cup of coffee", "a rocket"]
    said = prior(pictures, [None] * 4)
    content, degradation = prior.network(pictures)
    texts = prior.tokenizer(prior.captions, padding="max_length", max_length=12, return_tensors="pt").input_ids
    similarity = F.cosine_similarity(content[:, None], prior.network.text_embedding(texts)[None], dim=2)
    for row, prompt in enumerate(said.prompts):
        first, second = (prior.captions[index] for index in similarity[row].argsort(descending=True)[:2])
        assert prompt == f"{first}, {second}"
    for row, probabilities in enumerate(prior.probabilities(degradation)):
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
        assert said.words[row] == list(probabilities)
        assert said.negative_prompts[row] == ", ".join(word for word in probabilities if word != "clean")
    torch.testing.assert_close(said.image_embeddings, content)
    quiet = DACLIP(vocabulary=str(vocabulary), names_damage=False)
    quiet.load(told_folder)
    assert quiet(pictures, [None] * 4).negative_prompts == [""] * 4


def test_the_fingerprint_is_of_the_texts_not_of_what_a_cpu_computes_of_them(told_folder, tmp_path):
    vocabulary = tmp_path / "mine.txt"

    def loaded(captions, words=("clean", "noise", "haze")):
        vocabulary.write_text(captions, encoding="utf-8")
        shutil.copytree(told_folder / "da_clip", tmp_path / "da_clip", dirs_exist_ok=True)
        config = json.loads((told_folder / "da_clip" / "config.json").read_text())
        (tmp_path / "da_clip" / "config.json").write_text(json.dumps(config | {"words": words}))
        prior = DACLIP(str(tmp_path / "da_clip"), str(vocabulary))
        prior.load()
        return prior

    first, other = loaded("a cat\na rocket"), loaded("a cat\na rocket")
    # Another type of CPU adds in another order.
    other.caption_embeddings += 1e-7
    other.word_embeddings += 1e-7
    assert hash_weights(first) == hash_weights(other)
    others = [loaded("a cat\na dog"), loaded("a cat"), loaded("a cat\na rocket", ("clean", "noise", "fog"))]
    assert len({hash_weights(prior) for prior in (first, *others)}) == 4


def test_a_vocabulary_that_is_missing_or_empty_is_one_sentence(told_folder, tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        DACLIP(vocabulary=str(tmp_path / "none.txt")).load(told_folder)
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    with pytest.raises(ValueError, match="holds no caption"):
        DACLIP(vocabulary=str(tmp_path / "empty.txt")).load(told_folder)


@pytest.mark.parametrize(
    ("settings", "named"), [({"num_captions": 0}, "num_captions=0"), ({"min_probability": 2}, "=2")]
)
def test_wrong_settings_are_named(settings, named):
    with pytest.raises(ValueError, match=named):
        DACLIP(**settings)


def test_the_adapter_s_tokens_are_those_of_its_network(told_folder, pictures):
    prior = DACLIPAdapter()
    prior.load(told_folder)
    said = prior(pictures, [None] * 4)
    assert said.embeddings.shape == (4, 2, 16)
    assert said.prompts is None
    torch.testing.assert_close(said.embeddings, prior.network(prior.da_clip.network(pictures)[0]))
    both = DACLIPAdapter(with_text=True)
    both.load(told_folder)
    assert len(both(pictures, [None] * 4).prompts) == 4
    # The length of an embedding says nothing: CLIP compares angles.
    embedding = torch.randn(2, 16)
    torch.testing.assert_close(prior.network(embedding), prior.network(5 * embedding), atol=1e-5, rtol=1e-4)


def test_an_adapter_for_another_da_clip_or_none_is_one_sentence(told_folder, tmp_path):
    PriorAdapter(embedding_dim=24).save_pretrained(tmp_path / "wide")
    with pytest.raises(ValueError, match="takes embeddings of 24 numbers, but this DA-CLIP gives 16"):
        DACLIPAdapter(adapter=str(tmp_path / "wide")).load(told_folder)
    with pytest.raises(ValueError, match="holds no adapter"):
        DACLIPAdapter(adapter=str(tmp_path / "none")).load(told_folder)
