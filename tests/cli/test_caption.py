"""`ldrps caption` writes texts that `ldrps restore` reads."""

import pytest
from PIL import Image

from ldrps.cli import main
from tests.server import Script, serving


@pytest.fixture
def caption(told_folder, capfd):
    def run(*arguments):
        code = main(["caption", *map(str, arguments), "--backbone", str(told_folder)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_texts_are_written_beside_the_photos_and_then_left_alone(caption, photo_file):
    code, out, _ = caption(photo_file, "--prior", "da_clip", "--prior.min_probability", "0.01")
    text = photo_file.with_suffix(".txt").read_text()
    assert code == 0
    assert text.startswith("a photo of")
    assert photo_file.with_name("cat.negative.txt").read_text().strip()
    assert text.strip() in out
    photo_file.with_suffix(".txt").write_text("my cat")
    code, out, _ = caption(photo_file)
    assert (code, photo_file.with_suffix(".txt").read_text()) == (0, "my cat")
    assert "1 there already" in out
    assert caption(photo_file, "--overwrite")[0] == 0
    assert photo_file.with_suffix(".txt").read_text() == text


def test_a_served_model_describes_and_a_restoration_reads_it(caption, photo_file, tmp_path, told_folder, capfd):
    with serving(Script("a striped cat", "noise")) as url:
        arguments = ["--prior", "endpoint", "--prior.url", url, "--prior.damage_question", "what is wrong?"]
        code, out, _ = caption(photo_file, *arguments)
    assert code == 0
    assert "a striped cat | not: noise" in out
    settings = ["--backbone", str(told_folder), "--device", "cpu", "--model.sampling.num_inference_steps", "3"]
    for name, prior in (("file", ["--prior", "prompt_file"]), ("auto", []), ("none", ["--prior", "null"])):
        assert main(["restore", str(photo_file), "-o", str(tmp_path / name), *prior, *settings]) == 0
    pictures = {name: (tmp_path / name / "cat.jpg").read_bytes() for name in ("file", "auto", "none")}
    assert pictures["file"] == pictures["auto"]


def test_texts_of_one_s_own_are_kept_and_old_ones_do_not_mix_with_new_ones(caption, photo_file):
    negative = photo_file.with_name("cat.negative.txt")
    negative.write_text("mine")
    named = ["--prior", "da_clip", "--prior.min_probability", "0.01"]
    assert caption(photo_file, *named)[0] == 0
    assert negative.read_text() == "mine"
    assert caption(photo_file, *named, "--overwrite")[0] == 0
    assert negative.read_text() != "mine"
    assert caption(photo_file, "--prior", "da_clip", "--prior.names_damage", "false", "--overwrite")[0] == 0
    assert not negative.exists()


def test_one_bad_file_does_not_stop_the_others(caption, photo_file):
    photo_file.with_name("bad.png").write_bytes(b"no picture")
    code, _, errors = caption(photo_file.parent)
    assert code == 1
    assert "bad.png" in errors
    assert photo_file.with_suffix(".txt").is_file()


def test_texts_can_go_elsewhere_but_not_two_into_one_file(caption, photo_file, tmp_path):
    assert caption(photo_file, "--output", tmp_path / "texts")[0] == 0
    assert (tmp_path / "texts" / "cat.txt").is_file()
    assert not photo_file.with_suffix(".txt").exists()
    Image.open(photo_file).save(photo_file.with_suffix(".png"))
    code, _, errors = caption(photo_file.parent)
    assert code == 2
    assert "would share" in errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--prior", "null"], "gives no text"),
        (["--prior", "no_such"], "presets are prior/auto"),
        (["--prior", "da_clip", "--prior.path", "nowhere"], "holds no DA-CLIP"),
        (["--prior", "da_clip", "--prior.num_captions", "0"], "num_captions=0"),
        (["--device", "abacus"], "device 'abacus' is not available here"),
        (["--prior", "endpoint", "--prior.url", "ftp://x"], "must begin with http"),
    ],
)
def test_wrong_use_is_one_sentence(caption, photo_file, arguments, sentence):
    code, _, errors = caption(photo_file, *arguments)
    assert code == 2
    assert sentence in errors
    assert "Traceback" not in errors


def test_auto_tells_where_the_words_come_from(photo_file, tmp_path, told_folder, capfd):
    photo_file.with_suffix(".txt").write_text("a striped cat " * 12)
    settings = ["--backbone", str(told_folder), "--device", "cpu", "--model.sampling.num_inference_steps", "3"]
    # What a photo shows is asked where it is sampled.
    settings += ["--model.output", "modules.outputs.decoded.Decoded"]
    assert main(["restore", str(photo_file), "-o", str(tmp_path / "out"), *settings]) == 0
    errors = capfd.readouterr().err
    assert "otherwise DA-CLIP of the backbone" in errors
    assert "cat.jpg is described by cat.txt" in errors
    assert "longer than the 12 tokens" in errors
    assert errors.count("longer than") == 1


@pytest.mark.parametrize("joint", [" ", "="])
def test_a_prior_is_one_value_in_a_test_or_sweep(photo_file, tmp_path, told_folder, joint):
    settings = ["--model.backbone.path", str(told_folder), "--model.sampling.num_inference_steps", "3"]
    data = ["--clean", str(photo_file), "--suite", "noise_15", "--no-baselines", "--device", "cpu"]
    for name, cls in (("null", "Null"), ("da_clip_adapter", "DACLIPAdapter")):
        run = tmp_path / name
        prior = f"--model.prior{joint}{name}".split(" ")
        assert main(["test", *data, "--output", str(run), *settings, *prior]) == 0
        assert f".{cls}" in (run / "ldrps.config.yaml").read_text()
