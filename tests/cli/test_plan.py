"""`ldrps plan` and the line before a restoration: whatever the photos come with, they are planned and restored."""

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import main


@pytest.fixture
def photo(tmp_path):
    """A cat large enough to be measured first, with words beside it and a mask."""
    cat = np.ascontiguousarray(skimage_data.chelsea()[:200, :200])
    Image.fromarray(cat).save(tmp_path / "cat.png")
    Image.new("L", (200, 200)).save(tmp_path / "mask.png")
    (tmp_path / "cat.txt").write_text("a cat")
    return tmp_path / "cat.png"


def test_a_photo_with_its_own_words_is_planned_and_restored(restore, photo, tmp_path):
    code, errors = restore(photo, "--prior", "prompt_file", "--output", tmp_path / "out")
    assert code == 0
    assert "plan: 1 picture of 0.0 megapixels: about " in errors


def test_a_mask_of_the_photo_s_size_is_planned(photo, micro_folder, tmp_path, capfd):
    arguments = ["plan", photo, "--config", "inpainting", "--backbone", micro_folder, "--device", "cpu"]
    arguments += ["--model.alignment.mask_file", tmp_path / "mask.png", "--model.sampling.num_inference_steps", 2]
    assert main([str(argument) for argument in arguments]) == 0
    assert capfd.readouterr().out.startswith("plan: 1 picture of 0.0 megapixels: about ")
