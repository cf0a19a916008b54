"""Folders to write into."""

from pathlib import Path

from ldrps.data.outputs import prepare_folder


def test_processes_that_share_a_folder_do_not_refuse_it(tmp_path, monkeypatch):
    touch = Path.touch

    def touched_while_another_cleans_up(path):
        touch(path)
        path.unlink()

    monkeypatch.setattr(Path, "touch", touched_while_another_cleans_up)
    prepare_folder(tmp_path / "shared")
    assert list((tmp_path / "shared").iterdir()) == []
