"""Sentences made of what the settings parser complains of."""

import pytest

from ldrps.cli import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["restore", "IN", "--format", "gif"], "format='gif' is none of png, jpeg, jpg, tiff, tif, webp, avif, heic"),
        (
            ["sweep", "init", "mine.yaml", "model.seed=1,2", "--goal", "most"],
            "goal='most' is none of maximize, minimize",
        ),
    ],
)
def test_a_value_that_is_none_of_a_few_is_told_with_them(arguments, sentence, photo_file, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main([str(photo_file) if argument == "IN" else argument for argument in arguments]) == 2
    assert capfd.readouterr().err == f"ldrps: {sentence}\n"
