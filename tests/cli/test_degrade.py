"""`ldrps degrade` on real pictures: copies, receipts, replay, sheets, and clear sentences."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import main

SUITES = ("noise_25", "jpeg_10", "motion_blur", "wild_heavy")


@pytest.fixture
def photos(tmp_path):
    """A colour photo, a grey one in a sub-folder, and one with transparency."""
    folder = tmp_path / "clean"
    (folder / "old").mkdir(parents=True)
    Image.fromarray(skimage_data.cat()).resize((75, 50)).save(folder / "cat.png")
    Image.fromarray(skimage_data.camera()).resize((40, 41)).save(folder / "old" / "camera.tif")
    Image.fromarray(skimage_data.astronaut()).resize((33, 30)).convert("RGBA").save(folder / "astronaut.png")
    return folder


@pytest.fixture
def degrade(capfd):
    def run(*arguments):
        code = main(["degrade", *map(str, arguments)])
        return code, capfd.readouterr()

    return run


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_copies_and_receipts_are_rebuilt_bit_for_bit(degrade, photos, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    chosen = [argument for suite in SUITES for argument in ("--suite", suite)]
    code, printed = degrade(photos, *chosen, "--output", out)
    assert code == 0
    assert "12 degraded picture(s)" in printed.out
    expected = [
        f"{s}/{name}.{end}" for s in SUITES for name in ("astronaut", "cat", "old/camera") for end in ("json", "png")
    ]
    assert files(out) == sorted(expected)
    assert Image.open(out / "noise_25" / "old" / "camera.png").size == (40, 41)
    assert Image.open(out / "noise_25" / "astronaut.png").mode == "RGBA"

    code, printed = degrade(photos, "--replay", out, "--output", again)
    assert code == 0
    assert "12 picture(s) rebuilt" in printed.out
    assert "12 of them bit for bit" in printed.out
    for name in files(again):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_one_suite_needs_no_folder_and_the_seed_matters(degrade, photos, tmp_path):
    pictures = []
    for run, seed in enumerate((0, 0, 1)):
        assert degrade(photos / "cat.png", "-s", "noise_25", "--seed", seed, "-o", tmp_path / str(run))[0] == 0
        assert files(tmp_path / str(run)) == ["cat.json", "cat.png"]
        pictures.append((tmp_path / str(run) / "cat.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_several_suites_after_one_option_and_photos_after_one_suite(degrade, photos, tmp_path):
    assert degrade(photos / "cat.png", "-s", "noise_25", "haze", "-o", tmp_path / "two")[0] == 0
    assert files(tmp_path / "two") == ["haze/cat.json", "haze/cat.png", "noise_25/cat.json", "noise_25/cat.png"]
    assert degrade("-s", "haze", photos / "cat.png", "-o", tmp_path / "one")[0] == 0
    assert files(tmp_path / "one") == ["cat.json", "cat.png"]


def test_a_picture_s_damage_does_not_depend_on_the_others(degrade, photos, tmp_path):
    degrade(photos, "-s", "wild_medium", "-o", tmp_path / "all")
    degrade(photos / "cat.png", "-s", "wild_medium", "-o", tmp_path / "one")
    assert (tmp_path / "all" / "cat.png").read_bytes() == (tmp_path / "one" / "cat.png").read_bytes()


def test_pairs_are_what_ldrps_test_reads(degrade, photos, tmp_path, micro_folder, capfd):
    pairs = tmp_path / "pairs"
    assert degrade(photos, "-s", "haze", "--pairs", "-o", pairs)[0] == 0
    target = np.asarray(Image.open(pairs / "target" / "cat.png"))
    assert np.array_equal(target, np.asarray(Image.open(photos / "cat.png")))
    settings = ["--model.backbone.path", str(micro_folder), "--model.sampling.num_inference_steps", "2"]
    folders = [
        "--data.folder",
        str(pairs),
        "--results.output",
        str(tmp_path / "scores"),
        "--trainer.accelerator",
        "cpu",
    ]
    assert main(["test", "--config", "blind", *folders, *settings]) == 0
    assert "camera" in (tmp_path / "scores" / "results.jsonl").read_text()


def test_a_sheet_of_all_suites_and_of_one(degrade, photos, tmp_path):
    # Into the same folder, as the documentation has it.
    assert degrade(photos / "cat.png", "--sheet", "-o", tmp_path / "out")[0] == 0
    assert degrade(photos / "cat.png", "--sheet", "-s", "wild_medium", "-o", tmp_path / "out")[0] == 0
    whole = Image.open(tmp_path / "out" / "cat.sheet.png")
    assert files(tmp_path / "out") == ["cat.sheet.png", "cat.wild_medium.sheet.png"]
    assert whole.size[0] > 5 * 75
    assert len({whole.getpixel((6 + column * 81 + 40, 60)) for column in range(6)}) > 3


def test_one_bad_file_does_not_stop_the_others(degrade, photos, tmp_path):
    (photos / "bad.png").write_text("hello")
    code, printed = degrade(photos, "-s", "noise_25", "-o", tmp_path / "out")
    assert code == 1
    assert "bad.png is not a picture" in printed.err
    assert len(files(tmp_path / "out")) == 6
    assert degrade(photos / "bad.png", "-s", "noise_25", "-o", tmp_path / "none")[0] == 2


def test_wrong_use_is_one_sentence_and_nothing_is_written(degrade, photos, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "out"
    for arguments, sentence in (
        ((photos, "-o", out), "no suite was named: add --suite NAME with one of all, "),
        ((photos, "-s", "hase", "-o", out), "did you mean 'haze'?"),
        ((empty, "-s", "haze", "-o", out), "holds no image"),
        ((tmp_path / "nowhere", "-s", "haze", "-o", out), "does not exist"),
        ((photos, "--replay", empty, "-o", out), "holds no receipt"),
        ((photos, "-s", "haze", "-o", photos), "is one of the inputs"),
        ((photos, "--replay", photos, "-s", "haze", "-o", out), "leave --suite, --sheet and --pairs out"),
        ((photos, "--sheet", "--pairs", "-o", out), "leave --pairs out"),
    ):
        code, printed = degrade(*arguments)
        assert code == 2
        assert sentence in printed.err
        assert len(printed.err.strip().splitlines()) == 1
        assert not out.exists()
    assert degrade(photos, "-s", "haze", "-o", out)[0] == 0
    before = (out / "cat.png").stat().st_mtime_ns
    code, printed = degrade(photos, "-s", "haze", "-o", out)
    assert (code, "add --overwrite" in printed.err) == (2, True)
    assert (out / "cat.png").stat().st_mtime_ns == before
    assert degrade(photos, "-s", "haze", "-o", out, "--overwrite")[0] == 0


def edited(content):
    content["parameters"]["airlight"] = 0.1


def of_another_format(content):
    content["format"] = 2


@pytest.mark.parametrize(
    ("spoil", "sentence"), [(edited, "was edited or damaged"), (of_another_format, "has format 2")]
)
def test_a_spoilt_receipt_is_named_and_the_others_are_rebuilt(degrade, photos, tmp_path, spoil, sentence):
    out, again = tmp_path / "out", tmp_path / "again"
    degrade(photos, "-s", "haze", "-o", out)
    content = json.loads((out / "cat.json").read_text())
    spoil(content)
    (out / "cat.json").write_text(json.dumps(content))
    code, printed = degrade(photos, "--replay", out, "-o", again)
    assert code == 1
    assert sentence in printed.err
    assert files(again) == ["astronaut.png", "old/camera.png"]


def test_a_receipt_without_its_picture_is_named(degrade, photos, tmp_path):
    out = tmp_path / "out"
    degrade(photos, "-s", "haze", "-o", out)
    code, printed = degrade(photos / "cat.png", "--replay", out / "astronaut.json", "-o", tmp_path / "again")
    assert code == 2
    assert "not among the inputs" in printed.err


def test_a_differing_hash_is_said_with_the_version_that_changed(degrade, photos, tmp_path, monkeypatch):
    out, again = tmp_path / "out", tmp_path / "again"
    degrade(photos / "cat.png", "-s", "noise_25", "-o", out)
    from degradations.noise import gaussian_noise

    field = gaussian_noise.normal_field
    monkeypatch.setattr(gaussian_noise, "normal_field", lambda *arguments: field(*arguments) * 1.01)
    monkeypatch.setattr(sys.modules["degradations.receipts"].torch, "__version__", "9.9")
    code, printed = degrade(photos / "cat.png", "--replay", out, "-o", again)
    assert code == 1
    assert "differs from the first one (torch " in printed.err
    assert "is now 9.9" in printed.err
    assert "0 of them bit for bit" in printed.out
    assert files(again) == ["cat.png"]


def test_pairs_replace_neither_originals_nor_earlier_targets(degrade, photos, tmp_path):
    pairs = tmp_path / "pairs"
    (pairs / "target").mkdir(parents=True)
    (photos / "cat.png").rename(pairs / "target" / "cat.png")
    before = (pairs / "target" / "cat.png").read_bytes()
    code, printed = degrade(pairs / "target", "-s", "haze", "--pairs", "-o", pairs)
    assert (code, "is one of the inputs" in printed.err) == (2, True)
    (photos / "other").mkdir()
    Image.fromarray(skimage_data.coffee()).resize((20, 20)).save(photos / "other" / "cat.png")
    code, printed = degrade(photos / "other" / "cat.png", "-s", "haze", "--pairs", "-o", pairs)
    assert (code, "exist already" in printed.err) == (2, True)
    assert (pairs / "target" / "cat.png").read_bytes() == before


def test_replay_tells_pictures_of_equal_colours_apart_by_their_opacity(degrade, photos, tmp_path):
    opaque = Image.fromarray(skimage_data.cat()).resize((20, 20))
    seen_through = opaque.copy()
    seen_through.putalpha(100)
    folder = tmp_path / "two"
    folder.mkdir()
    opaque.save(folder / "a.png")
    seen_through.save(folder / "b.png")
    degrade(folder, "-s", "haze", "-o", tmp_path / "out")
    assert degrade(folder, "--replay", tmp_path / "out", "-o", tmp_path / "again")[0] == 0
    assert Image.open(tmp_path / "again" / "a.png").mode == "RGB"
    assert Image.open(tmp_path / "again" / "b.png").mode == "RGBA"


def test_a_picture_too_long_for_a_codec_is_named_and_the_others_are_written(degrade, photos, tmp_path):
    Image.new("RGB", (70_000, 2)).save(photos / "long.png")
    code, printed = degrade(photos, "-s", "jpeg_10", "-o", tmp_path / "out")
    assert code == 1
    assert "long.png could not be degraded by jpeg_10: an image side of 70000 pixels" in printed.err
    assert len(files(tmp_path / "out")) == 6


def test_photos_are_degraded_without_lightning(photos, tmp_path):
    arguments = ["degrade", str(photos / "cat.png"), "--suite", "noise_25", "--output", str(tmp_path / "out")]
    script = (
        f"import sys\nfrom ldrps.cli import main\ncode = main({arguments!r})\n"
        "sys.exit(code or ', '.join({'pytorch_lightning', 'diffusers', 'transformers'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    assert files(tmp_path / "out") == ["cat.json", "cat.png"]
