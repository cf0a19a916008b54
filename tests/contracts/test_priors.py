"""What every prior must keep."""

import pytest
import torch

import modules.priors
from modules.priors.base import Prior, Semantics
from modules.priors.prompt_file import PromptFile
from tests.contracts.discover import concrete_subclasses

CLASSES = concrete_subclasses(modules.priors, Prior)


@pytest.fixture
def paths(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"a photo\n of {name} ", encoding="utf-8")
    return [tmp_path / "a.png", tmp_path / "b.png"]


@pytest.mark.parametrize("cls", CLASSES)
def test_each_part_has_one_entry_an_image_and_does_not_depend_on_the_batch(cls, paths):
    prior = cls()
    images = torch.rand(2, 3, 8, 8)
    together = prior(images, paths)
    assert isinstance(together, Semantics)
    assert prior(images, paths) == together
    for part in (together.prompts, together.negative_prompts, together.words):
        assert part is None or len(part) == 2
    if together.prompts is not None:
        assert [prior(images[row : row + 1], paths[row : row + 1]).prompts[0] for row in range(2)] == together.prompts


def test_prompt_files_are_read_beside_the_image(paths):
    assert PromptFile()(torch.rand(2, 3, 8, 8), paths).prompts == ["a photo of a", "a photo of b"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "is missing"), (b"\xff\xfe\x00bad", "is not UTF-8"), ("no file", "come from files")],
)
def test_prompt_file_trouble_is_one_sentence(tmp_path, content, sentence):
    path = None if content == "no file" else tmp_path / "c.png"
    if isinstance(content, bytes):
        (tmp_path / "c.txt").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        PromptFile()(torch.rand(1, 3, 8, 8), [path])
