"""Parts of a pipeline folder: earlier ones are kept, files are as readable as others, a failure changes nothing."""

import os
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderTiny

from ldrps.training.autoencoder import AutoencoderTraining
from ldrps.training.parts import write_parts
from tests.training.recipe import fit


def written(**files):
    """What writes a part, ``net``, of these files."""

    def write(folder):
        for name, text in files.items():
            file = folder / "net" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)

    return write


def contents(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_earlier_parts_are_kept_under_names_of_their_own(tmp_path):
    folder = tmp_path / "mini"
    assert write_parts(folder, written(a="1", b="1")) == []
    assert write_parts(folder, written(a="2")) == [folder / "net.before"]
    assert write_parts(folder, written(a="3")) == [folder / "net.before-2"]
    assert contents(folder) == {
        "net/a": "3", "net.before/a": "1", "net.before/b": "1", "net.before-2/a": "2",
    }  # fmt: skip


def test_what_did_not_change_is_kept_once(tmp_path):
    for _ in range(2):
        assert write_parts(tmp_path, written(a="1")) == []
    assert contents(tmp_path) == {"net/a": "1"}


def test_a_folder_that_somebody_put_into_a_part_stays_in_it(tmp_path):
    write_parts(tmp_path, written(a="1"))
    (tmp_path / "net" / "da_clip").mkdir()
    (tmp_path / "net" / "da_clip" / "weights").write_text("w")
    write_parts(tmp_path, written(a="2"))
    assert contents(tmp_path / "net") == {"a": "2", "da_clip/weights": "w"}


def test_what_cannot_be_written_leaves_everything_as_it_was(tmp_path):
    def fail(folder):
        written(a="2")(folder)
        raise OSError("the disk is full")

    write_parts(tmp_path, written(a="1"))
    with pytest.raises(OSError, match="the disk is full"):
        write_parts(tmp_path, fail)
    assert contents(tmp_path) == {"net/a": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


@pytest.mark.skipif(os.name == "nt", reason="needs modes")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_weights_are_as_readable_as_other_files(tmp_path, umask, mode):
    training = AutoencoderTraining(channels=8)
    training.trainer = SimpleNamespace(
        datamodule=SimpleNamespace(val_dataloader=lambda: [{"image": torch.rand(1, 3, 8, 8)}])
    )
    before = os.umask(umask)
    try:
        training.export_into(tmp_path)
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "vae").iterdir()}
    assert modes == {"config.json": mode, "diffusion_pytorch_model.safetensors": mode}


def test_a_training_keeps_what_an_earlier_one_exported(tmp_path, capfd):
    options = ["--model.channels", "8", "--trainer.max_steps", "1"]
    for seed in ("0", "1"):
        assert fit("autoencoder", tmp_path, 32, *options, "--seed_everything", seed) == 0
    told = " ".join(capfd.readouterr().out.split())
    mini = tmp_path / "mini"
    assert told.endswith(f"what was trained is in {mini}; what was there before is in {mini / 'vae.before'}")
    first, second = (AutoencoderTiny.from_pretrained(mini / name).state_dict() for name in ("vae.before", "vae"))
    assert any(not torch.equal(first[name], second[name]) for name in first)
