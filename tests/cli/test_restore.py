"""`ldrps restore` as people use it."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from ldrps.cli import main
from ldrps.configuration.presets import load_preset
from ldrps.methods.ld_rps.ld_rps import LDRPS


def test_a_photo_becomes_a_restored_photo_of_the_same_size(restore, photo_file, tmp_path):
    before = photo_file.read_bytes()
    code, _ = restore(photo_file, "--output", tmp_path / "out")
    assert code == 0
    assert Image.open(tmp_path / "out" / "cat.png").size == (40, 28)
    assert photo_file.read_bytes() == before


def test_compare_and_film_strip(restore, photo_file, tmp_path):
    code, _ = restore(
        photo_file, "-o", tmp_path / "out", "--compare", "--trajectory", 3, "--model.sampling.start_strength", 1.0
    )
    assert code == 0
    pair = np.asarray(Image.open(tmp_path / "out" / "cat.compare.png"))
    assert pair.shape == (28, 82, 3)
    assert np.array_equal(pair[:, :40], np.asarray(Image.open(photo_file)))
    assert np.array_equal(pair[:, 42:], np.asarray(Image.open(tmp_path / "out" / "cat.png")))
    assert Image.open(tmp_path / "out" / "cat.trajectory.png").size == (120, 28)
    none = ["--device", "cpu", "--model.sampling.num_inference_steps", 0]
    _, errors = restore(photo_file, "-o", tmp_path / "fast", "--trajectory", 3, *none, quick=False)
    assert "1 picture(s) have no film strip: nothing was sampled for them" in errors
    assert not (tmp_path / "fast" / "cat.trajectory.png").exists()


def test_folders_keep_their_sub_folders_and_globs_work(restore, photo_file, tmp_path):
    (photo_file.parent / "deep").mkdir()
    (photo_file.parent / "deep" / "cat.jpg").write_bytes(photo_file.read_bytes())
    assert restore(photo_file.parent, "--output", tmp_path / "out")[0] == 0
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")) == [
        "cat.png",
        "deep/cat.png",
    ]
    assert restore(f"{photo_file.parent}/*.jpg", "--output", tmp_path / "glob")[0] == 0
    assert (tmp_path / "glob" / "cat.png").exists()


def test_a_picture_s_name_does_not_depend_on_what_else_a_pattern_finds(restore, photo_file, tmp_path):
    for day in ("day2", "day1"):
        (tmp_path / "trip" / day).mkdir(parents=True)
        (tmp_path / "trip" / day / "cat.jpg").write_bytes(photo_file.read_bytes())
        (tmp_path / "trip" / day / "cat.txt").write_text("a cat")
        assert restore(f"{tmp_path}/trip/*/*", "--output", tmp_path / "out", "--resume")[0] == 0
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert written == ["day1/cat.png", "day2/cat.png"]


def test_names_and_prompts_are_taken_literally(restore, photo_file, tmp_path):
    names = ["1", "[a]", "a b #c", "x: y", "null", "ü'"]
    for name in names:
        photo_file.with_name(f"{name}.jpg").write_bytes(photo_file.read_bytes())
    files = [photo_file.with_name(f"{name}.jpg") for name in names]
    code, errors = restore(*files, "--output", tmp_path / "a: [b]", "--prompt", "a: b, [c] 'd' #e")
    assert (code, errors.count("failed")) == (0, 0)
    assert sorted(path.stem for path in (tmp_path / "a: [b]").glob("*.png")) == sorted(names)
    saved = yaml.safe_load((tmp_path / "a: [b]" / "ldrps.config.yaml").read_text())
    assert saved["model"]["init_args"]["prior"]["init_args"]["prompt"] == "a: b, [c] 'd' #e"


def test_terminated_as_by_a_scheduler_it_keeps_what_is_finished_and_says_how_to_go_on(
    restore, photo_file, tmp_path, monkeypatch
):
    photo_file.with_name("dog.jpg").write_bytes(photo_file.read_bytes())
    before, restored = signal.getsignal(signal.SIGTERM), []

    def terminated(self, degraded, paths, observe=None):
        restored.append(paths[0].stem)
        if len(restored) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return degraded

    monkeypatch.setattr(LDRPS, "restore", terminated)
    code, errors = restore(photo_file.parent, "--output", tmp_path / "out")
    assert code == 130
    assert "interrupted; what was finished so far is kept: --resume restores the others" in errors
    assert [file.name for file in (tmp_path / "out").glob("*.png")] == ["cat.png"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_same_picture_comes_out_alone_in_a_batch_and_from_python(restore, photo_file, tmp_path, micro_folder):
    other = photo_file.with_name("other.png")
    Image.fromarray(np.full((28, 40, 3), 99, np.uint8)).save(other)
    restore(photo_file, "--output", tmp_path / "alone", "--seed", 3)
    restore(photo_file.parent, "--output", tmp_path / "batch", "--seed", 3, "--batch-size", 2)
    alone, batch = (np.asarray(Image.open(tmp_path / name / "cat.png")).astype(int) for name in ("alone", "batch"))
    assert np.abs(alone - batch).max() <= 1
    restorer = load_preset(backbone__path=micro_folder, sampling__num_inference_steps=3, seed=3)
    from_python = np.asarray(restorer(photo_file)).astype(int)
    assert np.abs(alone - from_python).max() == 0


def test_the_resolved_settings_are_saved_beside_the_pictures(restore, photo_file, tmp_path):
    restore(photo_file, "--output", tmp_path / "out", "--seed", 7)
    saved = yaml.safe_load((tmp_path / "out" / "ldrps.config.yaml").read_text())
    assert saved["model"]["init_args"]["seed"] == 7
    assert saved["model"]["init_args"]["sampling"]["num_inference_steps"] == 3
    assert saved["trainer"]["inference_mode"] is False


def test_a_saved_run_can_be_repeated(restore, photo_file, tmp_path):
    restore(photo_file, "--output", tmp_path / "out", "--seed", 7)
    code = main(
        [
            "predict",
            "--config",
            str(tmp_path / "out" / "ldrps.config.yaml"),
            "--writer.overwrite",
            "true",
            "--writer.output",
            str(tmp_path / "again"),
        ]
    )
    assert code == 0
    assert (tmp_path / "again" / "cat.png").read_bytes() == (tmp_path / "out" / "cat.png").read_bytes()


def test_a_prompt_and_prompt_files_reach_the_backbone(restore, photo_file, tmp_path):
    # The default output does not look at the sample, which is all that a text changes.
    decoded = ("--model.output", "modules.outputs.decoded.Decoded")
    restore(photo_file, "--output", tmp_path / "none", *decoded)
    restore(photo_file, "--output", tmp_path / "prompt", "--prompt", "a photo of a cat", *decoded)
    photo_file.with_suffix(".txt").write_text("a photo of a cat")
    restore(photo_file, "--output", tmp_path / "file", "--prior", "prompt_file", *decoded)
    pictures = [(tmp_path / name / "cat.png").read_bytes() for name in ("none", "prompt", "file")]
    assert pictures[0] != pictures[1]
    assert pictures[1] == pictures[2]


def test_python_takes_pil_images_file_names_and_tensors(micro_folder, photo_file):
    restorer = load_preset(backbone__path=micro_folder, sampling__num_inference_steps=2)
    image = Image.open(photo_file)
    array = np.array(image)
    tensor = torch.from_numpy(array).permute(2, 0, 1) / 255
    results = [np.asarray(restorer(picture)) for picture in (image, str(photo_file), photo_file, tensor, array)]
    assert all(np.array_equal(results[0], result) for result in results[1:])


@pytest.mark.parametrize("picture", [torch.rand(1, 8, 8), torch.rand(3, 8, 8) * 255])
def test_python_refuses_tensors_that_are_no_pictures(micro_folder, picture):
    restorer = load_preset(backbone__path=micro_folder)
    with pytest.raises(ValueError, match="picture has"):
        restorer(picture)


@pytest.mark.parametrize("picture", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), [1, 2]])
def test_python_refuses_what_is_neither_a_picture_nor_names_one(micro_folder, picture):
    with pytest.raises(ValueError, match=r"picture is an? \w+.*: give "):
        load_preset(backbone__path=micro_folder)(picture)


def test_help_names_the_verbs(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(verb in printed for verb in ("restore", "test", "predict", "fit"))
    assert main(["--version"]) == 0


def test_two_processes_restore_every_photo_once_and_answer_for_all(restore, photo_file, tmp_path, micro_folder):
    """Three photos and a file that is none, for two processes: the odd one belongs to the second."""
    photo_file.with_name("a.jpg").write_bytes(photo_file.read_bytes())
    Image.fromarray(np.full((28, 40, 3), 99, np.uint8)).save(photo_file.with_name("z.png"))
    photo_file.with_name("bad.png").write_text("hello")
    assert restore(photo_file.parent, "--output", tmp_path / "alone")[0] == 1
    command = [sys.executable, "-m", "ldrps.cli", "restore", str(photo_file.parent), "--output", str(tmp_path / "both")]
    command += ["--backbone", str(micro_folder), "--device", "cpu", "--model.sampling.num_inference_steps", "3"]
    command += ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--format", "png"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("1 of 4 images failed") == 1
    assert done.stdout.count("3 restored picture(s)") == 1
    for name in ("a", "cat", "z"):
        alone, both = (np.asarray(Image.open(tmp_path / run / f"{name}.png")) for run in ("alone", "both"))
        assert np.array_equal(alone, both)


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
def test_results_inside_the_folder_that_is_searched_are_no_photos(restore, photo_file, option):
    folder = photo_file.parent
    assert restore(folder, "--output", folder / "restored", "--compare")[0] == 0
    code, errors = restore(folder, "--output", folder / "restored")
    assert code == 2
    assert "add --resume to keep them, --overwrite to replace them" in errors
    assert restore(folder, "--output", folder / "restored", "--compare", option)[0] == 0
    assert sorted(path.name for path in folder.rglob("*.png")) == ["cat.compare.png", "cat.png"]
    # What is named itself is a photo all the same, and never replaced.
    code, errors = restore(folder / "restored" / "cat.png", "--output", folder / "restored", "--overwrite")
    assert code == 2
    assert "is one of the inputs, which are never replaced" in errors


def test_several_methods_are_for_tests(photo_file, tmp_path, capfd):
    assert main(["restore", str(photo_file), "--output", str(tmp_path / "out"), "--config", "baselines"]) == 2
    assert "a comparison has several results for an image: use `ldrps test`" in capfd.readouterr().err
    assert not list((tmp_path / "out").glob("*.png"))
