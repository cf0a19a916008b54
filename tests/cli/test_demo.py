"""`ldrps demo` replaces what an earlier one made, and nothing else."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from ldrps.cli import main
from ldrps.commands import demo


@pytest.fixture
def quick(monkeypatch):
    """Restored pictures are copies of the damaged ones."""

    def copy(verb, settings, changes):
        run = settings()
        folder = Path(run["writer"]["output"])
        folder.mkdir(exist_ok=True)
        assert list(folder.iterdir()) == []
        for photo in run["data"]["init_args"]["inputs"]:
            shutil.copy(photo, folder)
        (folder / "ldrps.config.yaml").write_text("{}")
        return 0

    monkeypatch.setattr(demo.lightning, "run_verb", copy)


def test_a_demo_is_repeated_in_its_own_folder_until_somebody_changes_something(quick, tmp_path, capfd):
    output = tmp_path / "demo"
    for _ in range(2):
        assert main(["demo", "-o", str(output)]) == 0
        assert Image.open(output / "before_after.png").width > 3 * 256
        # Other names are nobody's business.
        (output / "mine.png").write_text("mine")
    for name in ("noisy.png", "restored/dark.png", "restored/ldrps.config.yaml"):
        content = (output / name).read_bytes()
        (output / name).write_text("mine")
        capfd.readouterr()
        assert main(["demo", "-o", str(output)]) == 2
        sentence = f"output folder {str(output)!r} holds {name}, which is not as a demo left it: choose another"
        assert sentence in capfd.readouterr().err
        assert (output / name).read_text() == "mine"
        (output / name).write_bytes(content)
    assert main(["demo", "-o", str(output)]) == 0


@pytest.mark.parametrize("name", ["dark.png", "before_after.png", "restored/hazy.png", "restored/hazy.trajectory.png"])
def test_what_no_demo_made_is_left_alone(quick, tmp_path, capfd, name):
    (tmp_path / "restored").mkdir()
    (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert main(["demo", "-o", str(tmp_path)]) == 2
    errors = capfd.readouterr().err
    assert f"holds {name}, which is not as a demo left it: choose another --output" in errors
    assert errors.count("\n") == 1
    assert (tmp_path / name).read_text() == "mine"
    assert sorted(tmp_path.rglob("*")) == before


def test_an_interrupted_demo_can_be_repeated(quick, tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demo.lightning, "run_verb", interrupt)
        assert main(["demo", "-o", str(tmp_path)]) != 0
    assert (tmp_path / "dark.png").exists()
    assert main(["demo", "-o", str(tmp_path)]) == 0
