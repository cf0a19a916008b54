"""What every prior must keep."""

import socket

import pytest
import torch

import modules.priors
from modules.priors.auto import Auto
from modules.priors.base import Prior, Semantics, asked
from modules.priors.da_clip import DACLIP
from modules.priors.da_clip_adapter import DACLIPAdapter
from modules.priors.endpoint import Endpoint
from modules.priors.mllm import MLLM
from modules.priors.prompt_file import PromptFile
from tests.contracts.discover import concrete_subclasses
from tests.micro_mllm import make_llava
from tests.server import Script, serving

CLASSES = concrete_subclasses(modules.priors, Prior)


@pytest.fixture
def paths(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"a photo\n of {name} ", encoding="utf-8")
    return [tmp_path / "a.png", tmp_path / "b.png"]


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mllm") / "llava"
    make_llava(folder)
    return folder


@pytest.fixture(scope="module")
def url():
    with serving(Script("a photo of a cat")) as address:
        yield address


@pytest.fixture
def settings(llava, url):
    """Settings that a class cannot do without, for those that need any."""
    return {MLLM: {"path": str(llava), "max_new_tokens": 6, "cache_dir": ""}, Endpoint: {"url": url, "cache_dir": ""}}


def parts(semantics):
    return {name: getattr(semantics, name) for name in Semantics.__dataclass_fields__}


def check_same(first, second):
    for name, part in parts(first).items():
        other = getattr(second, name)
        if isinstance(part, torch.Tensor):
            torch.testing.assert_close(part, other, atol=1e-5, rtol=1e-4)
        else:
            assert part == other, name


def row_of(semantics, row):
    return Semantics(**{name: None if part is None else part[row : row + 1] for name, part in parts(semantics).items()})


@pytest.mark.parametrize("cls", CLASSES)
def test_each_part_has_one_entry_an_image_and_does_not_depend_on_the_batch(cls, settings, paths, told_folder, pictures):
    prior = cls(**settings.get(cls, {}))
    prior.load(told_folder)
    prior.load(told_folder)
    images = pictures[:2]
    together = prior(images, paths)
    check_same(prior(images, paths), together)
    assert isinstance(together, Semantics)
    for name, part in parts(together).items():
        assert part is None or len(part) == 2, name
    for part in (together.prompts, together.negative_prompts):
        assert part is None or all(isinstance(text, str) for text in part)
    for part in (together.embeddings, together.image_embeddings):
        assert part is None or (part.dtype == torch.float32 and bool(part.isfinite().all()) and not part.requires_grad)
    for row in range(2):
        check_same(prior(images[row : row + 1], paths[row : row + 1]), row_of(together, row))


@pytest.mark.parametrize("cls", CLASSES)
def test_nothing_is_fetched_before_an_image_is_asked_about(cls, settings, monkeypatch, told_folder):
    def refuse(*_):
        raise AssertionError("a prior went online")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    cls(**settings.get(cls, {})).load(told_folder)


@pytest.mark.parametrize(
    ("prior", "sentence"),
    [
        (DACLIP("nowhere"), "'nowhere' holds no DA-CLIP: make such a folder"),
        (DACLIP(), "no local folder that could hold da_clip"),
        (DACLIPAdapter(), "no local folder that could hold prior_adapter"),
        (MLLM("nowhere/at-all"), "'nowhere/at-all' cannot be read"),
    ],
)
def test_missing_weights_are_one_sentence(prior, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        prior.load(None)
    assert "\n" not in str(caught.value)


def test_prompt_files_are_read_beside_the_image(paths):
    paths[1].with_name("b.negative.txt").write_text("noise\n", encoding="utf-8")
    said = PromptFile(negative_prompt="blur")(torch.rand(2, 3, 8, 8), paths)
    assert said.prompts == ["a photo of a", "a photo of b"]
    assert said.negative_prompts == ["blur", "noise"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "is missing"), (b"\xff\xfe\x00bad", "is not UTF-8"), ("no file", "come from files"), (b" \n", "is empty")],
)
def test_prompt_file_trouble_is_one_sentence(tmp_path, content, sentence):
    path = None if content == "no file" else tmp_path / "c.png"
    if isinstance(content, bytes):
        (tmp_path / "c.txt").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        PromptFile()(torch.rand(1, 3, 8, 8), [path])


def test_auto_takes_the_text_file_then_da_clip_then_nothing(paths, told_folder, micro_folder, pictures, caplog):
    auto = Auto()
    with caplog.at_level("INFO", "ldrps"):
        auto.load(told_folder)
    assert "DA-CLIP of the backbone" in caplog.text
    said = auto(pictures[:2], [paths[0], None])
    assert said.prompts[0] == "a photo of a"
    assert said.prompts[1] == auto.da_clip(pictures[1:2], [None]).prompts[0]

    caplog.clear()
    plain = Auto()
    with caplog.at_level("INFO", "ldrps"):
        plain.load(micro_folder)
    assert "otherwise no text" in caplog.text
    assert plain(pictures[:2], [None, None]) == Semantics()
    assert plain(pictures[:2], [None, paths[1]]).prompts == ["", "a photo of b"]
    # A file that nobody meant as a prompt keeps no photo from being restored.
    paths[0].with_suffix(".txt").write_text("")
    assert auto(pictures[:1], [paths[0]]).prompts == auto.da_clip(pictures[:1], [None]).prompts
    # Too small for a patch of the image tower: nothing is said rather than nothing restored.
    assert auto(torch.rand(1, 3, 4, 40), [None]) == Semantics()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (Semantics(["a cat"]), r"prior Own gave 1 prompts for 2 image\(s\): give one each"),
        (Semantics(embeddings=torch.zeros(3, 4, 8)), r"prior Own gave 3 embeddings for 2 image\(s\): give one each"),
        (["a cat", "a dog"], "prior Own gave list: its forward must return Semantics"),
    ],
)
def test_what_a_prior_says_wrongly_is_one_sentence(said, sentence, pictures):
    class Own(Prior):
        def forward(self, degraded, paths):
            return said

    with pytest.raises(ValueError, match=sentence):
        asked(Own(), pictures[:2], [None, None])
