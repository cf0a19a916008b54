"""Priors that ask a model: real generation with micro models, a real server, and its troubles."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from modules.priors import endpoint as endpoint_module
from modules.priors.endpoint import Endpoint
from modules.priors.mllm import MLLM
from tests.micro_mllm import FAMILIES
from tests.server import Script, serving


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(endpoint_module, "FIRST_PAUSE_S", 0.0)


@pytest.fixture(scope="module", params=FAMILIES)
def micro(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mllm") / request.param
    FAMILIES[request.param](folder)
    return folder


def test_real_models_answer_about_each_picture(micro, pictures):
    prior = MLLM(str(micro), max_new_tokens=8, cache_dir="")
    said = prior(pictures, [None] * 4)
    assert all(said.prompts)
    assert said.negative_prompts is None
    # The picture reaches the model: with random weights, noise and a photo are not the same to it.
    model_inputs = prior.processor.apply_chat_template(
        [[{"role": "user", "content": [{"type": "image", "image": Image.new("RGB", (32, 32))}]}]],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    assert (model_inputs["input_ids"] == prior.model.config.image_token_id).sum() > 1


def test_the_answer_is_the_model_s_own_generation(micro, pictures):
    prior = MLLM(str(micro), question="what is it?", max_new_tokens=5, cache_dir="")
    prior.load()
    chat = [
        {
            "role": "user",
            "content": [
                {
                    "type": "image",
                    "image": Image.fromarray((pictures[0] * 255).round().byte().permute(1, 2, 0).numpy()),
                },
                {"type": "text", "text": "what is it?"},
            ],
        }
    ]
    inputs = prior.processor.apply_chat_template(
        [chat], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    tokens = inputs["input_ids"]
    for _ in range(5):
        output = prior.model(input_ids=tokens, pixel_values=inputs["pixel_values"]).logits[:, -1].argmax(-1)
        tokens = torch.cat([tokens, output[:, None]], dim=1)
    expected = prior.processor.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert prior(pictures[:1], [None]).prompts == [" ".join(expected.split())]


def test_a_model_without_chat_template_or_of_a_family_that_needs_torchvision_is_one_sentence(
    micro, tmp_path, monkeypatch
):
    import transformers

    def needs_torchvision(*_, **__):
        raise ImportError("Qwen2VLVideoProcessor requires the torchvision library but it was not found")

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", needs_torchvision)
    with pytest.raises(ValueError, match="needs torchvision, which is not installed"):
        MLLM(str(micro)).load()


def test_the_second_question_becomes_the_negative_prompt_and_answers_are_kept(pictures, tmp_path):
    script = Script("a cat", "noise", "something else")
    with serving(script) as url:
        prior = Endpoint(url, damage_question="what is wrong?", cache_dir=str(tmp_path))
        first = prior(pictures[:1], [None])
        assert (first.prompts, first.negative_prompts) == (["a cat"], ["noise"])
        again = Endpoint(url, damage_question="what is wrong?", cache_dir=str(tmp_path))(pictures[:1], [None])
        assert again == first
        assert len(script.requests) == 2
        # Another picture, question or model is another matter.
        assert Endpoint(url, model="other", cache_dir=str(tmp_path))(pictures[:1], [None]).prompts == ["something else"]
        for file in tmp_path.glob("*.json"):
            file.write_text("{", encoding="utf-8")
        assert prior(pictures[:1], [None]).prompts == ["something else"]


def test_the_server_gets_the_picture_the_question_and_the_key(pictures, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    script = Script("a cat")
    with serving(script) as url:
        Endpoint(url, "llava", "what?", key_variable="MY_KEY", cache_dir="")(pictures[:1], [None])
    path, body = script.requests[0]
    assert path == "/v1/chat/completions"
    assert (body["model"], body["temperature"]) == ("llava", 0)
    assert script.headers[0]["Authorization"] == "Bearer secret"
    text, image = body["messages"][0]["content"]
    assert text["text"] == "what?"
    content = base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,"))
    sent = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(sent, (pictures[0] * 255).round().byte().permute(1, 2, 0).numpy())


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(pictures):
    script = Script(503, 429, "a cat")
    with serving(script) as url:
        assert Endpoint(url, cache_dir="")(pictures[:1], [None]).prompts == ["a cat"]
    assert len(script.requests) == 3
    script = Script(401)
    with serving(script) as url, pytest.raises(ValueError, match=r"status 401.*OPENAI_API_KEY"):
        Endpoint(url, cache_dir="")(pictures[:1], [None])
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (b"<html>", "not JSON"),
        (b"{}", "without choices"),
        ("  ", "empty answer"),
        (404, "does it serve the model"),
        (500, "refused with status 500"),
        (2.0, "did not reply within 0.3 s"),
    ],
)
def test_server_trouble_is_one_sentence(pictures, reply, sentence):
    with serving(Script(reply)) as url, pytest.raises(ValueError, match=sentence):
        Endpoint(url, cache_dir="", timeout_s=0.3, num_retries=1)(pictures[:1], [None])


def test_a_key_that_cannot_be_sent_is_not_shown(pictures, monkeypatch):
    script = Script("a cat")
    with serving(script) as url:
        monkeypatch.setenv("OPENAI_API_KEY", " secret\r\n")
        Endpoint(url, cache_dir="")(pictures[:1], [None])
        assert script.headers[0]["Authorization"] == "Bearer secret"
        monkeypatch.setenv("OPENAI_API_KEY", "sec\rret")
        with pytest.raises(ValueError, match="OPENAI_API_KEY") as caught:
            Endpoint(url, cache_dir="")(pictures[:1], [None])
    assert "ret" not in str(caught.value)


def test_answers_belong_to_model_and_question_and_not_to_the_rest(pictures, tmp_path):
    script = Script("a cat", "another")
    with serving(script) as url:
        first = Endpoint(url, cache_dir=str(tmp_path), timeout_s=9)(pictures[:1], [None])
        assert Endpoint(url, cache_dir=str(tmp_path), num_retries=7)(pictures[:1], [None]) == first
        assert len(script.requests) == 1
        asked = Endpoint(url, question="colours?", cache_dir=str(tmp_path))(pictures[:1], [None])
        assert asked.prompts == ["another"]


def test_another_model_in_the_same_folder_is_asked_anew(pictures, tmp_path):
    folder, cache = tmp_path / "model", tmp_path / "cache"
    said = []
    for make in FAMILIES.values():
        make(folder)
        said.append(MLLM(str(folder), max_new_tokens=4, cache_dir=str(cache))(pictures[:1], [None]).prompts)
    assert len(list(cache.glob("*.json"))) == 2


def test_a_server_that_is_down_is_one_sentence(pictures):
    with serving(Script("x")) as url:
        pass
    with pytest.raises(ValueError, match="cannot be reached"):
        Endpoint(url, cache_dir="", num_retries=1)(pictures[:1], [None])


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Endpoint("localhost:8000"), "url='localhost:8000'"),
        (lambda: Endpoint(timeout_s=0), "timeout_s=0"),
        (lambda: Endpoint(question=" "), "question is empty"),
        (lambda: MLLM(batch_size=0), "batch_size=0"),
    ],
)
def test_wrong_settings_are_named(make, named):
    with pytest.raises(ValueError, match=named):
        make()


def test_an_answer_is_kept_whatever_becomes_of_the_next(pictures, tmp_path):
    script = Script("a cat", 404)
    with serving(script) as url:
        with pytest.raises(ValueError, match="does it serve the model"):
            Endpoint(url, cache_dir=str(tmp_path))(pictures[:2], [None, None])
        said = Endpoint(url, cache_dir=str(tmp_path))(pictures[:1], [None])
    assert said.prompts == ["a cat"]
    assert len(script.requests) == 2
