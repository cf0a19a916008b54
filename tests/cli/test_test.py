"""`ldrps test` on paired folders."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ldrps.cli import main


@pytest.fixture
def run_test(micro_folder, capfd):
    def run(folder, output, *more):
        arguments = ["test", "--config", "blind", "--model.backbone.path", str(micro_folder)]
        arguments += ["--model.sampling.num_inference_steps", "3", "--trainer.accelerator", "cpu"]
        arguments += ["--data.folder", str(folder)]
        code = main([*arguments, "--results.output", str(output), *more])
        return code, capfd.readouterr()

    return run


def test_pairs_are_scored_and_written(run_test, pairs_folder, tmp_path):
    code, printed = run_test(pairs_folder, tmp_path / "out")
    assert code == 0
    assert "psnr_db" in printed.out
    assert "not available" in printed.out  # MS-SSIM needs larger pictures
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["name"] for row in results["images"]] == ["0", "1"]
    assert "torchmetrics" in results["metrics"]["ssim"]
    assert (tmp_path / "out" / "ldrps.config.yaml").exists()
    # The input's scores agree with scikit-image's.
    for row in results["images"]:
        degraded, target = (
            np.asarray(Image.open(pairs_folder / kind / f"{row['name']}.png")) for kind in ("input", "target")
        )
        assert row["input"]["psnr_db"] == pytest.approx(peak_signal_noise_ratio(target, degraded), abs=1e-3)
        ssim = structural_similarity(
            target, degraded, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert row["input"]["ssim"] == pytest.approx(ssim, abs=2e-2)
    mean = np.mean([row["restored"]["psnr_db"] for row in results["images"]])
    assert results["summary"]["restored_psnr_db"] == pytest.approx(mean)


def test_a_pair_of_two_sizes_is_named_and_the_others_are_scored(run_test, pairs_folder, tmp_path):
    Image.new("RGB", (9, 9)).save(pairs_folder / "target" / "1.png")
    code, printed = run_test(pairs_folder, tmp_path / "out")
    assert code == 1
    assert "is 32 x 32 pixels but its target" in printed.err
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["images"]
    assert [row["error"] is None for row in rows] == [True, False]


@pytest.mark.parametrize("trouble", ["unmatched", "no_target"])
def test_folders_that_do_not_match_are_refused(run_test, pairs_folder, tmp_path, trouble):
    if trouble == "unmatched":
        (pairs_folder / "target" / "1.png").unlink()
    else:
        (pairs_folder / "target").rename(pairs_folder / "elsewhere")
    code, printed = run_test(pairs_folder, tmp_path / "out")
    assert code == 2
    assert ("not in both" if trouble == "unmatched" else "is missing") in printed.err
