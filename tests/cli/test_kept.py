"""`ldrps restore` keeps each photo's format, goes on where it stopped, and says first what it will take."""

import contextlib
import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import main
from ldrps.data.photo_formats import FORMATS
from ldrps.methods.speeds import Speeds, measure
from tests.builders import make_restorer, write_header


def cat(size=(24, 16)):
    return Image.fromarray(skimage_data.cat()).resize(size)


def restore_as_it_is(folder, out, micro_folder, *arguments):
    few = ["--device", "cpu", "--model.sampling.num_inference_steps", "3"]
    return main(["restore", str(folder), "-o", str(out), "--backbone", str(micro_folder), *few, *map(str, arguments)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory, micro_folder):
    """A folder of photos in several formats, files that are none, and files about a photo; restored once."""
    root = tmp_path_factory.mktemp("finished")
    folder = root / "in"
    folder.mkdir()
    cat().save(folder / "a.jpg", icc_profile=b"no profile")
    cat().save(folder / "b.webp")
    cat().save(folder / "c.tif")
    cat().save(folder / "same.png")
    cat().save(folder / "same.jpg")
    cat().save(folder / "moving.gif", save_all=True, append_images=[cat().rotate(90)])
    for name in ("a.txt", "a.json", ".hidden", "clip.mp4", "words.txt"):
        (folder / name).write_text("a cat")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as errors:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        assert restore_as_it_is(folder, root / "out", micro_folder) == 0
    return root, errors.getvalue()


def test_photos_keep_their_formats(finished):
    out = finished[0] / "out"
    names = ["a.jpg", "b.webp", "c.tif", "ldrps.config.yaml", "moving.png", "same.jpg", "same.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert [Image.open(out / name).format for name in names[:3]] == ["JPEG", "WEBP", "TIFF"]


def test_what_was_passed_over_or_left_out_is_told(finished):
    errors = finished[1]
    assert "2 file(s) passed over, no pictures" in errors
    assert "clip.mp4" in errors
    assert "words.txt" in errors
    assert "moving.gif: it holds 2 pictures: only the first is restored" in errors
    assert "a.jpg: its colour profile is damaged" in errors
    assert "plan: 6 pictures of 0.0 megapixels on cpu" in errors


def test_resume_keeps_what_is_there_and_names_what_changed(finished, tmp_path, micro_folder, capfd):
    folder, out = finished[0] / "in", tmp_path / "out"
    shutil.copytree(finished[0] / "out", out)
    (out / "b.webp").unlink()
    (out / "c.tif").write_bytes(b"mine")
    assert restore_as_it_is(folder, out, micro_folder) == 2
    assert "5 output(s) exist already" in (refusal := capfd.readouterr().err)
    assert "add --resume to keep them, --overwrite to replace them, or choose another --output" in refusal
    assert restore_as_it_is(folder, out, micro_folder, "--resume", "--seed", 7) == 0
    printed = capfd.readouterr()
    assert "5 of 6 picture(s) are in" in printed.out
    assert "1 restored picture(s)" in printed.out
    assert "were made with other settings (ldrps.config.1.yaml): model.seed is 0 there and 7 here\n" in printed.err
    assert "seed: 0" in (out / "ldrps.config.1.yaml").read_text()
    assert "seed: 7" in (out / "ldrps.config.yaml").read_text()
    assert (out / "c.tif").read_bytes() == b"mine"
    assert (out / "b.webp").exists()
    # With everything finished there is nothing to do, and nothing changed.
    assert restore_as_it_is(folder, out, micro_folder, "--resume", "--seed", 8) == 0
    printed = capfd.readouterr()
    assert "seed: 7" in (out / "ldrps.config.yaml").read_text()
    assert "6 of 6 picture(s) are in" in printed.out
    assert "other settings" not in printed.err


def test_kept_pictures_get_the_comparison_that_they_lack(finished, tmp_path, micro_folder, capfd):
    folder, out = finished[0] / "in", tmp_path / "out"
    shutil.copytree(finished[0] / "out", out)
    (out / "a.compare.png").write_bytes(b"mine")
    (out / "c.tif").write_bytes(b"no picture")
    cat((23, 16)).save(out / "same.png")
    assert restore_as_it_is(folder, out, micro_folder, "--resume", "--compare", "--trajectory", 2) == 0
    printed = capfd.readouterr()
    assert "6 of 6 picture(s) are in" in printed.out
    assert "6 of them have no film strip, which is drawn while a picture is restored" in printed.out
    assert "c.tif is kept without a comparison: " in printed.err
    assert f"same.png is kept without a comparison: {folder / 'same.png'} is of another size" in printed.err
    names = ["a.compare.png", "b.compare.png", "moving.compare.png", "same.jpg.compare.png"]
    assert sorted(path.name for path in out.glob("*.compare.png")) == names
    assert (out / "a.compare.png").read_bytes() == b"mine"
    pair = np.asarray(Image.open(out / "b.compare.png"))
    assert np.array_equal(pair[:, :24], np.asarray(Image.open(folder / "b.webp")))
    assert np.array_equal(pair[:, 26:], np.asarray(Image.open(out / "b.webp")))


def test_jpeg_keeps_its_rarer_endings_and_camera_raw_is_named(tmp_path, micro_folder, capfd):
    (tmp_path / "in").mkdir()
    for name in ("a.jfif", "b.jpe"):
        cat().save(tmp_path / "in" / name, format="JPEG")
    (tmp_path / "in" / "raw.CR2").write_bytes(b"raw")
    (tmp_path / "in" / "clip.mp4").write_bytes(b"film")
    assert restore_as_it_is(tmp_path / "in", tmp_path / "out", micro_folder) == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.j*")) == ["a.jfif", "b.jpe"]
    assert Image.open(tmp_path / "out" / "a.jfif").format == "JPEG"
    errors = capfd.readouterr().err
    assert "1 file(s) passed over, no pictures: " in errors
    assert "1 file(s) passed over, camera raw (develop it to TIFF or JPEG first): " in errors


def test_resume_and_overwrite_exclude_each_other(photo_file, tmp_path, micro_folder, capfd):
    assert restore_as_it_is(photo_file, tmp_path / "out", micro_folder, "--resume", "--overwrite") == 2
    assert "overwrite and resume exclude each other" in capfd.readouterr().err


@pytest.mark.parametrize("option", [("--compare",), ("--trajectory", 2)])
def test_what_lies_beside_a_picture_never_replaces_one_silently(restore, tmp_path, option):
    (tmp_path / "in").mkdir()
    kind = option[0].removeprefix("--")
    for name in ("x.png", f"x.{kind}.png"):
        cat().save(tmp_path / "in" / name)
    for more in ((), ("--overwrite",), ("--resume",)):
        code, errors = restore(tmp_path / "in", "-o", tmp_path / "out", *option, *more)
        assert code == 2
        assert f"x.{kind}.png would be written for " in errors
        assert "rename one, or restore them apart" in errors
        assert list((tmp_path / "out").glob("*.png")) == []


def test_what_lies_beside_a_picture_replaces_no_file_unless_told_to(restore, photo_file, tmp_path):
    mine = tmp_path / "out" / "cat.compare.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    code, errors = restore(photo_file, "-o", tmp_path / "out", "--compare")
    assert code == 2
    assert "1 output(s) exist already" in errors
    assert "cat.compare.png first: add --overwrite to replace them or choose another --output" in errors
    assert mine.read_bytes() == b"mine"
    assert not (tmp_path / "out" / "cat.png").exists()
    # An earlier run may have stopped between the two.
    assert restore(photo_file, "-o", tmp_path / "out", "--compare", "--resume")[0] == 0
    assert mine.read_bytes() != b"mine"
    mine.write_bytes(b"mine")
    assert restore(photo_file, "-o", tmp_path / "out", "--compare", "--overwrite")[0] == 0
    assert mine.read_bytes() != b"mine"


def test_a_plan_restores_and_writes_nothing(tmp_path, micro_folder, capfd, monkeypatch):
    (tmp_path / "in").mkdir()
    Image.new("L", (3000, 400), 90).save(tmp_path / "in" / "wide.png")
    write_header(tmp_path / "in" / "panorama.png", 30_000, 10_000)
    before = sorted(tmp_path.rglob("*.png"))
    monkeypatch.chdir(tmp_path)
    measured = []
    monkeypatch.setattr("ldrps.methods.speeds.seconds_of", lambda restorer, image: measured.append(image.shape) or 2.0)
    arguments = ["plan", str(tmp_path / "in"), "--backbone", str(micro_folder), "--device", "cpu"]
    assert main(arguments) == 0
    printed = capfd.readouterr().out
    # 256 x 256 take 2 s here, 3000 x 400 have 18.3 times as many pixels.
    assert re.search(
        r"plan: 1 picture of 1\.2 megapixels: about 37 s on cpu, \d+\.\d of \d+\.\d GiB of memory", printed
    )
    assert "plan: 1 too large (max_pixels=64000000)" in printed
    assert "panorama.png (30000 x 10000)" in printed
    assert sorted(tmp_path.rglob("*.png")) == before
    # The machine is known now, and a limit that is lifted costs hours, which are said.
    assert main([*arguments, "--data.max_pixels", "400000000"]) == 0
    assert "plan: 2 pictures of 301.2 megapixels: about 2.6 h on cpu" in capfd.readouterr().out
    assert len(measured) == 2


def test_what_was_restored_is_what_the_next_plan_knows(restore, tmp_path, capfd):
    cat().save(tmp_path / "cat.png")
    assert restore(tmp_path / "cat.png", "--output", tmp_path / "out")[0] == 0
    code, errors = restore(tmp_path / "cat.png", "--output", tmp_path / "out", "--overwrite", "--seed", 4)
    assert code == 0
    assert re.search(r"plan: 1 picture of 0\.0 megapixels: about 1 s on cpu", errors)


def test_a_photo_that_is_restored_at_a_smaller_size_counts_as_one_of_that(micro_folder, tmp_path):
    cat((96, 64)).save(tmp_path / "cat.png")
    assert restore_as_it_is(tmp_path / "cat.png", tmp_path / "out", micro_folder, "--max-side", 48) == 0
    [kept] = (tmp_path / "cache" / "ldrps" / "speeds").glob("*.json")
    assert {one.pixels for one in Speeds(kept).known} == {48 * 32}


def test_a_photo_that_a_format_cannot_hold_fails_alone(restore, tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "webp", replace(FORMATS["webp"], max_side=30))
    (tmp_path / "in").mkdir()
    cat().save(tmp_path / "in" / "good.png")
    cat((31, 16)).save(tmp_path / "in" / "long.png")
    code, errors = restore(tmp_path / "in", "--output", tmp_path / "out", "--format", "webp")
    assert code == 1
    assert "WEBP holds 30 pixels a side at most, the photo has 31 x 16: use --format png" in errors
    assert [path.name for path in (tmp_path / "out").glob("*.webp")] == ["good.webp"]


def test_measuring_changes_no_result(micro_folder, pictures):
    plain, measured = make_restorer(micro_folder), make_restorer(micro_folder)
    sampling = measured.sampling
    measure(measured, Speeds())
    assert measured.sampling == sampling
    assert np.array_equal(plain.restore(pictures[:1], [None]), measured.restore(pictures[:1], [None]))


def test_a_format_that_cannot_be_written_is_refused_before_anything_is_restored(
    restore, photo_file, tmp_path, monkeypatch
):
    monkeypatch.setattr("ldrps.data.image_files.find_spec", lambda name: None)
    code, errors = restore(photo_file, "--output", tmp_path / "out", "--format", "heic")
    assert code == 2
    assert "format heic needs pillow-heif: pip install 'ldrps[heic]'" in errors
    assert not (tmp_path / "out").exists()
