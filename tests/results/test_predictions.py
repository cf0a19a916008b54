"""`trainer.predict` from Python, with nothing of ours but model and data."""

import shutil

import pytest
import torch
from PIL import Image
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import LambdaCallback
from torch.utils.data import DataLoader

from ldrps.callbacks.failures import Failures
from ldrps.callbacks.image_writer import ImageWriter
from ldrps.data.images import ImageData, ImageFiles
from ldrps.methods.baselines.gain import Gain


def trainer_of(*callbacks, **more):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(inference_mode=False, accelerator="cpu", callbacks=[*callbacks], **quiet, **more)


def test_it_returns_what_became_of_each_photo(photo_file):
    [[outcome]] = trainer_of().predict(Gain(), datamodule=ImageData([str(photo_file)]))
    assert outcome.error is None
    assert outcome.sample.path == photo_file
    assert outcome.restored.shape == (3, 28, 40)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_data_loader_of_ones_own_cannot_have_an_original_replaced(photo_file, overwrite):
    before = photo_file.read_bytes()
    model, loader = Gain(), DataLoader(ImageFiles([(photo_file, "cat")], 10**9), collate_fn=list)
    trainer_of(ImageWriter(str(photo_file.parent), compare=True, overwrite=overwrite)).predict(model, loader)
    assert photo_file.read_bytes() == before
    assert list(photo_file.parent.iterdir()) == [photo_file]
    [record] = model.records
    assert "is one of the inputs, which are never replaced" in record.error


def test_a_data_loader_of_ones_own_replaces_what_exists_only_when_told_to(photo_file, tmp_path):
    loader = DataLoader(ImageFiles([(photo_file, "cat")], 10**9), collate_fn=list)
    picture = tmp_path / "out" / "cat.jpg"
    picture.parent.mkdir()
    for overwrite in (False, True):
        picture.write_bytes(b"kept")
        trainer_of(ImageWriter(str(picture.parent), overwrite=overwrite)).predict(model := Gain(), loader)
        assert [record.error is None for record in model.records] == [overwrite]
        assert (picture.read_bytes() == b"kept") != overwrite


def test_a_second_run_with_the_same_objects_tells_nothing_of_the_first(photo_file, tmp_path, capsys):
    empty = photo_file.with_name("empty.png")
    empty.touch()
    note = tmp_path / "animation.gif"
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(note, save_all=True, append_images=frames[1:])
    model, writer = Gain(), ImageWriter(str(tmp_path / "out"), resume=True)
    trainer = trainer_of(writer, Failures())
    trainer.predict(model, datamodule=ImageData([str(photo_file), str(empty), str(note)]))
    told = capsys.readouterr()
    assert "2 restored picture(s)" in told.out
    assert "1 of 3 images failed" in told.err
    assert "only the first is restored" in told.err
    other = shutil.copy(photo_file, photo_file.with_name("other.jpg"))
    trainer.predict(model, datamodule=ImageData([str(other)]))
    told = capsys.readouterr()
    assert "1 restored picture(s)" in told.out
    assert "failed" not in told.err
    assert "only the first" not in told.err


def test_pictures_are_counted_where_only_what_lies_on_gpus_is_added_up(photo_file, tmp_path, monkeypatch, capsys):
    def refuse(tensor, *options, **more):
        raise RuntimeError("No backend type associated with device type cpu")  # as nccl says

    # Lightning's own before have their tensors on the device.
    late = LambdaCallback(on_predict_epoch_end=lambda *_: monkeypatch.setattr(torch.distributed, "all_reduce", refuse))
    trainer = trainer_of(late, ImageWriter(str(tmp_path / "out")), strategy="ddp", devices=1)
    try:
        trainer.predict(Gain(), datamodule=ImageData([str(photo_file)]))
    finally:
        torch.distributed.destroy_process_group()
    assert "1 restored picture(s) in" in capsys.readouterr().out
