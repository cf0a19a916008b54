"""What the page does, without a browser."""

import os
import shlex
import socket
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ldrps.cli import main
from ldrps.commands.browser import uploads
from ldrps.commands.browser.choices import Choices, presets, suites
from ldrps.commands.browser.findings import findings
from ldrps.commands.browser.looks import results
from ldrps.commands.browser.sessions import Sessions, pack
from ldrps.commands.browser.uploads import Upload, safe_name, take
from ldrps.commands.browser.work import Work
from ldrps.commands.options import parse
from ldrps.commands.restore import Restore
from ldrps.data.image_files import read_picture
from ldrps.data.photo_formats import FORMATS
from ldrps.methods.forecast import Forecast
from tests.builders import write_header

NASTY = "a: b, [c] 'd' \"e\" #f $(g) ü😀"


@pytest.fixture
def sessions(tmp_path):
    opened = Sessions(tmp_path / "run", "cpu")
    yield opened
    opened.close_all()


def wait(session):
    session.future.result(timeout=60)
    return session.work


def quick(monkeypatch, folder):
    """Three steps on the micro pipeline, as the command's own tests do."""
    settings = Choices.settings
    monkeypatch.setattr(
        Choices, "settings", lambda self: [*settings(self), "--model.sampling.num_inference_steps=3"], raising=True
    )
    return Choices(backbone=str(folder))


@pytest.mark.parametrize(
    "choices",
    [
        Choices(),
        Choices(preset="statistics", prior="da_clip", seed=3, light=0.5),
        Choices(prompt=NASTY, colorize=True, colour=0.25, backbone="/a b/sd"),
        Choices(preset="auto", prompt=NASTY, colorize=True, light=0.5),
    ],
)
def test_the_command_line_says_the_same_as_the_page(choices):
    words = shlex.split(choices.command("/photos/a b.jpg"))
    assert words[:2] == ["ldrps", "restore"]
    options, settings = parse("restore", Restore, words[2:])
    assert options == choices.restore(["/photos/a b.jpg"], "restored", "auto")
    assert settings == choices.settings()


def test_the_python_lines_make_the_same_picture_as_the_page(sessions, photo_file, micro_folder, monkeypatch, tmp_path):
    choices = replace(quick(monkeypatch, micro_folder), prompt=NASTY, seed=3, light=0.5)
    session = sessions.of("page")
    sessions.begin("page", [Upload(photo_file, "cat.jpg")], choices)
    work = wait(session)
    assert work.sentences == []
    monkeypatch.chdir(tmp_path)
    lines = choices.python(str(photo_file)).replace("seed=3", "seed=3, sampling__num_inference_steps=3")
    assert len(lines.strip().splitlines()) == 3
    exec(lines, {})  # what the page offers to copy
    # The page keeps the photo's format, which is JPEG; the lines write PNG.
    Image.open(tmp_path / "restored.png").save(tmp_path / "restored.jpg", **FORMATS["jpeg"].options)
    there, here = (np.asarray(Image.open(path)).astype(int) for path in ("restored.jpg", work.cards[0].result))
    assert np.abs(there - here).max() <= 1


def test_choices_reach_the_methods_inside_a_preset_or_are_refused_in_one_sentence(sessions, photo_file):
    choices = Choices(preset="auto", prompt=NASTY, light=0.5)
    inside = choices.restore(["a.png"], "out", "cpu").settings()["model"]["init_args"]["methods"]["refined"]
    assert inside["init_args"]["prior"]["init_args"]["prompt"] == NASTY
    names = {}
    exec("\n".join(choices.python().splitlines()[:2]), names)  # what the page offers to copy, but for the photo
    assert names["restorer"].methods["refined"].strength.light == 0.5
    for wrong, option in ((Choices(preset="ir_sde", prompt="x"), "--prompt"), (Choices("ir_sde", light=0.5), "light")):
        sessions.begin(option, [Upload(photo_file, "cat.jpg")], wrong)
        [sentence] = wait(sessions.of(option)).sentences
        assert f"{option} has no effect with" in sentence


def test_a_wrong_choice_is_one_sentence():
    for wrong in ({"preset": "x"}, {"prior": "os.system"}, {"damage": "../x"}, {"light": 2.0}):
        with pytest.raises(ValueError, match="choose"):
            Choices(**wrong)
    assert presets()[0] == "refined"
    assert suites()[0] == "no"


def test_names_stay_inside_the_folder(tmp_path, photo_file):
    names = [
        "../../cat.jpg",
        "/etc/cat.jpg",
        "C:\\x\\cat.jpg",
        "'\"😀.jpg",
        "cat.jpg",
        "a" * 400 + ".jpg",
        "\n\x1b[31m.png",
    ]
    taken, refused = take([Upload(photo_file, name) for name in names], tmp_path / "in")
    assert refused == []
    assert len({*taken}) == len(names)
    found = {path.relative_to(tmp_path / "in").as_posix() for path in (tmp_path / "in").rglob("*.*")}
    assert found == {*taken}
    assert "'\"😀.jpg" in found
    assert safe_name("..") == "photo"


def test_what_cannot_be_restored_is_refused_with_one_sentence_each(tmp_path, photo_file, monkeypatch):
    empty, text, large, big = (tmp_path / f"{letter}.png" for letter in "abcd")
    empty.touch()
    text.write_text("no picture")
    write_header(large, 30_000, 10_000)
    write_header(big, 8000, 8000)
    sent = [Upload(path, path.name) for path in (empty, text, large, photo_file)] + [Upload(photo_file, "notes.pdf")]
    taken, refused = take(sent, tmp_path / "in")
    assert taken == ["cat.jpg"]
    assert [sentence.split()[0] for sentence in refused] == ["a.png", "b.png", "c.png", "notes.pdf"]
    # What the page refuses, and how it says so, is what `ldrps restore` refuses.
    with pytest.raises(ValueError, match="30000 x 10000") as caught:
        read_picture(large)
    assert refused[2] == str(caught.value).replace(str(large), "c.png")
    assert uploads.refusal(big, "d.png") is None
    monkeypatch.setattr("ldrps.data.image_files.find_spec", lambda name: None)
    (tmp_path / "e.heic").write_bytes(photo_file.read_bytes())
    assert str(uploads.refusal(tmp_path / "e.heic", "e.heic")).startswith("e.heic is HEIC, which needs")


def test_photos_that_need_more_memory_than_there_is_are_refused_with_the_plan(
    sessions, photo_file, micro_folder, monkeypatch
):
    too_much = Forecast(1, 60_000_000, 5400.0, 9 * 2**30, 8 * 2**30, "cpu", 512, 1)
    monkeypatch.setattr("ldrps.callbacks.forecasting.plan", lambda *arguments: too_much)
    sessions.begin("page", [Upload(photo_file, "cat.jpg")], quick(monkeypatch, micro_folder))
    work = wait(sessions.of("page"))
    assert (work.cards, work.sentences) == ([], [too_much.sentence()])
    assert "9.0 of 8.0 GiB of memory, which is MORE than there is: make pictures" in work.sentences[0]


def test_many_photos_one_broken_and_damage_that_is_measured(sessions, photo_file, micro_folder, monkeypatch):
    cut = photo_file.with_name("cut.jpg")
    cut.write_bytes(photo_file.read_bytes()[:-200])
    sent = [Upload(photo_file, "trip/cat.jpg"), Upload(photo_file, "cat.jpg"), Upload(cut, "cut.jpg")]
    sessions.begin("page", sent, replace(quick(monkeypatch, micro_folder), damage="noise_25"))
    work = wait(sessions.of("page"))
    assert [card.name for card in work.cards] == ["cat", "trip/cat"]
    [sentence] = work.sentences
    assert sentence.startswith("cut.jpg is damaged or cut short")
    assert str(sessions.folder) not in sentence
    [psnr, ssim] = work.cards[0].scores
    assert (psnr[0], ssim[0]) == ("PSNR", "SSIM")
    assert 18 < psnr[1] < 24
    assert work.cards[0].strip is not None
    assert "as ZIP" not in results(work, sessions.folder, "pictures")
    assert len(zipfile.ZipFile(pack(work)).namelist()) == 2
    assert "Download all 2 as ZIP" in results(work, sessions.folder, "pictures")


def test_each_card_shows_its_own_photo_and_what_was_not_written_is_a_sentence(
    sessions, photo_file, micro_folder, monkeypatch
):
    choices = quick(monkeypatch, micro_folder)
    settings = Choices.settings
    monkeypatch.setattr(Choices, "settings", lambda self: [*settings(self), "--data.batch_size=3"])
    monkeypatch.setitem(FORMATS, "webp", replace(FORMATS["webp"], max_side=30))
    sent = []
    for name, brightness in (("a.webp", 1.0), ("b.png", 1.0), ("c.png", 0.5)):
        path = photo_file.with_name(name)
        Image.open(photo_file).point(lambda value, factor=brightness: value * factor).save(path)
        sent.append(Upload(path, name))
    sessions.begin("page", sent, choices)
    work = wait(sessions.of("page"))
    assert [(card.name, card.result.name) for card in work.cards] == [("b", "b.png"), ("c", "c.png")]
    [sentence] = work.sentences
    assert sentence.startswith("a.webp: WEBP holds 30 pixels a side at most, the photo has 40 x 28")


def test_cancelled_work_keeps_what_is_finished_and_the_next_one_starts(sessions, photo_file, micro_folder, monkeypatch):
    choices = quick(monkeypatch, micro_folder)
    report = Work.report

    def cancel_at_the_second(self, doing, share):
        self.is_cancelled = self.is_cancelled or share > 0.5
        report(self, doing, share)

    monkeypatch.setattr(Work, "report", cancel_at_the_second)
    work = sessions.begin("one", [Upload(photo_file, "a.jpg"), Upload(photo_file, "b.jpg")], choices)
    with pytest.raises(ValueError, match="already"):
        sessions.begin("one", [Upload(photo_file, "a.jpg")], choices)
    monkeypatch.setattr(Work, "report", cancel_at_the_second)
    later = sessions.begin("two", [Upload(photo_file, "c.jpg")], choices)
    assert sessions.before(sessions.of("two")) == 1
    sessions.of("two").cancel()
    wait(sessions.of("two"))
    assert work.sentences == ["Cancelled; 1 of 2 photo(s) are finished."]
    assert work.cards[0].result.is_file()
    assert later.sentences == ["Cancelled; 0 of 1 photo(s) are finished."]


def test_a_closed_page_leaves_nothing_unless_asked(tmp_path, photo_file):
    for keep in (False, True):
        folder = tmp_path / str(keep)
        sessions = Sessions(folder, "cpu", keep=keep)
        shared, own = tmp_path / "shared.jpg", tmp_path / "own.jpg"
        for path in (shared, own):
            path.write_bytes(photo_file.read_bytes())
        one, two = sessions.of("one"), sessions.of("two")
        one.sent |= {shared, own}
        two.sent |= {shared}
        take([Upload(own, "cat.jpg")], one.folder)
        sessions.close("one")
        assert (shared.exists(), own.exists()) == (True, False)
        assert any(folder.rglob("cat.jpg")) is keep
        sessions.close_all()
        assert not shared.exists()


def test_a_full_disk_is_one_sentence(sessions, photo_file, micro_folder, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ldrps.data.image_files.complete_or_absent", full)
    monkeypatch.setattr("ldrps.results.pictures.complete_or_absent", full)
    work = sessions.begin("page", [Upload(photo_file, "cat.jpg")], quick(monkeypatch, micro_folder))
    wait(sessions.of("page"))
    assert (work.cards, len(work.sentences)) == ([], 1)
    assert "disk is full" in work.sentences[0]


def test_an_upload_that_finds_no_room_is_refused_with_a_sentence_and_leaves_nothing(tmp_path):
    pytest.importorskip("gradio", reason="the page needs the extra ui")
    from starlette.middleware.errors import ServerErrorMiddleware
    from starlette.testclient import TestClient

    from ldrps.commands.browser.server import RefuseWhenFull

    async def full(scope, receive, send):
        (tmp_path / "tmp1").write_text("the beginning")
        raise OSError(28, "No space left on device")

    (tmp_path / "complete").mkdir()
    answer = TestClient(RefuseWhenFull(ServerErrorMiddleware(full), tmp_path)).post("/gradio_api/upload")
    assert (answer.status_code, answer.text.partition(":")[0]) == (507, "the disk is full or a quota is reached")
    assert [path.name for path in tmp_path.iterdir()] == ["complete"]
    with pytest.raises(OSError, match="No space"):
        TestClient(RefuseWhenFull(full, tmp_path)).get("/")


def test_findings_tell_light_haze_and_noise(pictures):
    clean = torch.nn.functional.interpolate(pictures[1:2], size=(128, 128), mode="bicubic").clamp(0, 1)[0]
    noisy = (clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert findings(clean, clean) == ["Nothing wrong was found: the photo is left as it is, or nearly."]
    assert [sentence.split(":")[0] for sentence in findings(noisy, clean)] == ["Noise"]
    assert "times brighter" in findings(clean / 4, clean)[0]
    assert "Haze" in " ".join(findings(0.4 * clean + 0.55, clean))
    assert findings(clean, clean, "a cat", ["rain"])[:2] == [
        "Shows, as the prior says: a cat.",
        "Looks, as the prior says, like: rain.",
    ]


def test_a_port_in_use_and_a_port_that_is_none_are_one_sentence(capfd):
    pytest.importorskip("gradio", reason="the page needs the extra ui")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["ui", "--no-open", "--port", str(taken.getsockname()[1])]) == 2
    assert main(["ui", "--no-open", "--port", "99999"]) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert all("--port" in line for line in lines)


def test_without_gradio_the_verb_says_what_to_install(monkeypatch, capfd):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["ui"]) == 2
    assert "pip install 'ldrps[ui]'" in capfd.readouterr().err
    assert os.environ.get("GRADIO_TEMP_DIR") is None


def test_an_error_of_any_kind_is_a_sentence(sessions, photo_file, micro_folder, monkeypatch):
    def broken(*arguments):
        raise TypeError("of the program")

    monkeypatch.setattr("ldrps.configuration.lightning_cli.run", broken)
    work = sessions.begin("page", [Upload(photo_file, "cat.jpg")], quick(monkeypatch, micro_folder))
    wait(sessions.of("page"))
    assert (work.cards, len(work.sentences)) == ([], 1)
    assert "of the program" in work.sentences[0]
