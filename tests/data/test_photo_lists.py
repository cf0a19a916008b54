"""Lists of training photos: the same photos as their folder, captions, and what is wrong in one sentence."""

import json
import tarfile

import pytest
import torch
from PIL import Image

from ldrps.data.photos import Photos


@pytest.fixture
def folder(tmp_path, pictures):
    (tmp_path / "photos").mkdir()
    for number, picture in enumerate(pictures):
        array = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        Image.fromarray(array).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path


def test_both_kinds_hold_the_photos_of_their_folder_with_captions(folder):
    (folder / "list.csv").write_text("path,caption\nphotos/0.png,a woman\nphotos/1.png,\n")
    lines = [{"path": "photos/2.png", "captions": ["coffee", "a cup"]}, {"path": "photos/3.png"}]
    (folder / "list.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    listed = Photos([str(folder / "list.csv"), str(folder / "list.jsonl")], crop_size_px=24, is_training=False)
    whole = Photos([str(folder / "photos")], crop_size_px=24, is_training=False)
    assert [record.captions for record in listed.records] == [("a woman",), (), ("coffee", "a cup"), ()]
    for index in range(4):
        assert torch.equal(listed[index]["image"], whole[index]["image"])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("list.csv", "file,caption\nphotos/0.png,x\n", "cannot be read"),
        ("list.jsonl", "photos/0.png\n", "cannot be read"),
        (
            "list.csv",
            "path\nphotos/0.png\nphotos/9.png\n",
            "names 1 of 2 photos that do not exist, first .*9.png",
        ),
    ],
)
def test_lists_that_are_wrong_are_named(folder, name, content, sentence):
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=sentence):
        Photos([str(folder / name)])


def test_a_shard_that_is_cut_off_is_named(folder):
    with tarfile.open(folder / "whole.tar", "w") as archive:
        archive.add(folder / "photos" / "0.png", "0.png")
    (folder / "cut.tar").write_bytes((folder / "whole.tar").read_bytes()[:700])
    with pytest.raises(ValueError, match=r"cut.tar' is damaged or cut off"):
        Photos([str(folder / "cut.tar")])
