"""Trouble is one clear sentence and the right exit code; the other images of the run are finished."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import main

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which is what is asked for")


def cat(size=(24, 16)):
    return Image.fromarray(skimage_data.cat()).resize(size)


def not_an_image(path):
    path.write_text("hello")


def truncated(path):
    cat((200, 200)).save(path)
    path.write_bytes(path.read_bytes()[:2000])


def zero_bytes(path):
    path.touch()


def too_wide(path):
    Image.new("1", (20_000, 4_000)).save(path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (not_an_image, "is not a picture that can be read"),
        (truncated, "is damaged or cut short"),
        (zero_bytes, "is empty (0 bytes)"),
        (too_wide, "20000 x 4000 pixels, more than max_pixels"),
    ],
)
def test_an_unreadable_file_is_named_and_the_others_are_finished(restore, tmp_path, make, sentence):
    folder = tmp_path / "in"
    folder.mkdir()
    make(folder / "bad.png")
    cat().save(folder / "good.png")
    code, errors = restore(folder, "--output", tmp_path / "out")
    assert code == 1
    assert sentence in errors
    assert "bad.png" in errors
    assert "Traceback" not in errors
    assert (tmp_path / "out" / "good.png").exists()
    code, _ = restore(folder / "bad.png", "--output", tmp_path / "alone")
    assert code == 2


def one_pixel(path):
    Image.new("RGB", (1, 1), (10, 200, 30)).save(path)
    return (1, 1)


def sixteen_bit(path):
    grey = np.linspace(0, 65535, 24 * 16).reshape(16, 24).astype(np.uint16)
    Image.fromarray(grey).save(path)
    return (24, 16)


def cmyk(path):
    cat().convert("CMYK").save(path, format="JPEG")
    return (24, 16)


def palette_with_alpha(path):
    cat().convert("RGBA").quantize(16).save(path, transparency=0)
    return (24, 16)


def exif_rotated(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    cat().save(path, format="JPEG", exif=exif)
    return (16, 24)


def thin(path):
    Image.fromarray(skimage_data.cat()).resize((16, 2000)).save(path)
    return (16, 2000)


@pytest.mark.parametrize("make", [one_pixel, thin, sixteen_bit, cmyk, palette_with_alpha, exif_rotated])
def test_unusual_but_good_files_are_restored_at_their_upright_size(restore, tmp_path, make):
    path = tmp_path / "odd.png"
    size = make(path)
    code, errors = restore(path, "--output", tmp_path / "out")
    assert (code, "failed" in errors) == (0, False)
    assert Image.open(tmp_path / "out" / "odd.png").size == size


def test_a_folder_without_images(restore, tmp_path):
    code, errors = restore(tmp_path, "--output", tmp_path / "out")
    assert code == 2
    assert "holds no image" in errors


def test_an_input_that_does_not_exist(restore, tmp_path):
    code, errors = restore(tmp_path / "nothing.png", "--output", tmp_path / "out")
    assert code == 2
    assert "nothing.png' does not exist" in errors


@pytest.mark.parametrize(("content", "sentence"), [(None, "is missing"), (b"\xff\xfe\xfa", "is not UTF-8")])
def test_a_bad_prompt_file_costs_only_its_own_image(restore, tmp_path, content, sentence):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        cat().save(folder / f"{name}.png")
    (folder / "a.txt").write_text("a cat")
    if content is not None:
        (folder / "b.txt").write_bytes(content)
    # Photos that are not sampled are restored whatever lies beside them.
    sampled = ("--model.output", "modules.outputs.decoded.Decoded")
    code, errors = restore(folder, "--output", tmp_path / "out", "--prior", "prompt_file", "--batch-size", 2, *sampled)
    assert code == 1
    assert sentence in errors
    assert "b.txt" in errors
    assert (tmp_path / "out" / "a.png").exists()
    assert not (tmp_path / "out" / "b.png").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model.sampling.no_such_key", "3"], "no_such_key"),
        (["--model.sampling.num_inference_steps=-3"], "num_inference_steps=-3 must not be negative"),
        (["--model.sampling.strength", "0"], "strength=0.0 must lie in (0, 1]"),
        (["--model.sampling.strength", "1.5"], "strength=1.5 must lie in (0, 1]"),
        (["--model.sampling.start_strength", "2"], "start_strength=2.0 must lie in (0, 1]"),
        (["--model.working_scale=0"], "working_scale=0.0 must be positive"),
        (["--model.guidance.strength=-1"], "guidance.strength=-1.0 must not be negative"),
        (["--trajectory", "-2"], "trajectory=-2 must not be negative"),
        (["--batch-size", "0"], "batch_size=0 must be at least 1, or auto"),
        (["--max-side", "0"], "max_side_px=0 must be at least 1"),
        (["--model.windows.side_px", "10"], "windows.side_px=10 must be at least 64"),
        (["--model.guidance.every", "0"], "guidance.every=0 must be at least 1"),
        (["--model.guidance.alignment_steps=-3"], "guidance.alignment_steps=-3 must not be negative"),
        (["--model.guidance.alignment_size_px=0"], "guidance.alignment_size_px=0 must be at least 1"),
        (["--trainer.precision", "bf16-true"], "trainer.precision=bf16-true would narrow"),
        (["--config", "no_such_preset"], "'no_such_preset' is neither a file nor a preset"),
        (["--prior", "no_such_prior"], "no_such_prior"),
        (["--backbone", "/no/such/folder"], "backbone '/no/such/folder' cannot be read"),
        (["--trainer.devices", "4000"], "trainer.devices=4000 is more than the"),
        pytest.param(["--trainer.accelerator", "cuda"], "CUDAAccelerator", marks=NO_GPU),
        (["--trainer.inference_mode", "true"], "set trainer.inference_mode to false"),
    ],
)
def test_wrong_settings_are_one_sentence(restore, photo_file, tmp_path, arguments, sentence):
    quick = "--backbone" not in arguments and "num_inference_steps" not in arguments[0]
    code, errors = restore(photo_file, "--output", tmp_path / "out", *arguments, quick=quick)
    assert code == 2
    assert sentence in errors
    assert "Traceback" not in errors


def test_an_unknown_key_in_a_file(restore, photo_file, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("model:\n  class_path: ldrps.methods.ld_rps.ld_rps.LDRPS\n  init_args:\n    stepz: 3\n")
    code, errors = restore(photo_file, "--config", config, "--output", tmp_path / "out", quick=False)
    assert code == 2
    assert "stepz" in errors


def test_an_output_that_cannot_be_written(restore, photo_file, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("mine")
    code, errors = restore(photo_file, "--output", blocker / "out")
    assert code == 2
    assert "cannot be written" in errors
    assert blocker.read_text() == "mine"


def test_an_output_that_is_an_input(restore, tmp_path):
    cat().save(tmp_path / "cat.png")
    before = (tmp_path / "cat.png").read_bytes()
    code, errors = restore(tmp_path / "cat.png", "--output", tmp_path, "--overwrite")
    assert code == 2
    assert "is one of the inputs, which are never replaced" in errors
    assert (tmp_path / "cat.png").read_bytes() == before


def test_finished_pictures_are_replaced_only_when_asked(restore, photo_file, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "cat.png").write_text("precious")
    code, errors = restore(photo_file, "--output", out)
    assert code == 2
    assert "--overwrite" in errors
    assert (out / "cat.png").read_text() == "precious"
    assert restore(photo_file, "--output", out, "--overwrite")[0] == 0
    assert Image.open(out / "cat.png").size == (40, 28)


def test_nothing_half_written_is_left_behind(restore, photo_file, tmp_path):
    restore(photo_file, "--output", tmp_path / "out", "--compare")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["cat.compare.png", "cat.png", "ldrps.config.yaml"]


def a_web_page(file):
    file.write_text("<!DOCTYPE html><html><body>no such file</body></html>")


def half_a_checkpoint(file):
    torch.save({"state_dict": {"weight": torch.zeros(1000)}, "global_step": 1}, file)
    file.write_bytes(file.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (not_an_image, "cannot be read: it is cut short or no checkpoint"),
        (a_web_page, "is damaged or holds more than weights"),
        (half_a_checkpoint, "cannot be read: it is cut short or no checkpoint"),
        (zero_bytes, "is empty (0 bytes)"),
    ],
)
def test_an_unreadable_checkpoint_is_one_sentence_before_anything_starts(tmp_path, capfd, make, sentence):
    file, out = tmp_path / "last.ckpt", tmp_path / "out"
    make(file)
    fit = ["fit", "--config", "train/autoencoder", "--data.sources", f"[{tmp_path}]", "--ckpt_path", str(file)]
    for arguments in (["export", str(file), "-o", str(out)], [*fit, "--trainer.default_root_dir", str(out)]):
        assert main(arguments) == 2
        errors = capfd.readouterr().err
        assert f"checkpoint '{file}' {sentence}" in errors
        assert "Traceback" not in errors
    assert not out.exists()


def test_unknown_verbs(capfd):
    assert main(["restor"]) == 2
    assert "unknown verb 'restor'" in capfd.readouterr().err
