"""Runs a training recipe for a few steps on scikit-image's pictures."""

from pathlib import Path

from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import main


def photos(folder: Path, side_px: int, count: int = 12) -> Path:
    """A folder of different small photos."""
    folder.mkdir()
    names = ("astronaut", "cat", "coffee", "rocket")
    for number in range(count):
        photo = Image.fromarray(getattr(skimage_data, names[number % 4])())
        photo.resize((side_px + 8 + number, side_px)).save(folder / f"{number}.png")
    return folder


def fit(recipe: str, tmp_path: Path, side_px: int, *more: str) -> int:
    """Fit `train/RECIPE`; logs go to ``logs``, what it exports to ``mini``. Returns the exit code."""
    folder = tmp_path / "photos"
    if not folder.exists():
        photos(folder, side_px)
    settings = {
        "data.sources": f"[{folder}]",
        "data.batch_size": "4",
        "data.crop_size_px": str(side_px),
        "data.num_held_out": "4",
        "trainer.max_time": "null",
        "trainer.val_check_interval": "2",
        "trainer.default_root_dir": str(tmp_path / "logs"),
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "trainer.precision": "32",
        "model.export_dir": str(tmp_path / "mini"),
    }
    options = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return main(["fit", "--config", f"train/{recipe}", *options, *more])
