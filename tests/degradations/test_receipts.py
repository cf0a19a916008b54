"""Receipts, suites and the training dataset."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pytorch_lightning import Trainer
from skimage import data as skimage_data
from torch.utils.data import DataLoader

from degradations.base import Degradation
from degradations.dataset import DegradedDataset
from degradations.description import build, describe
from degradations.drawing import generators_for
from degradations.pipeline import Composition
from degradations.receipts import checksum, degrade_with_receipt, fingerprint, read_receipt, to_json
from degradations.suites import load_suites, merged
from degradations.wild import Wild
from ldrps.data.clean import CleanData
from ldrps.data.image_files import read_picture, write_picture
from modules.pictures import to_pil
from tests.builders import generators

SUITES = Path(__file__).parents[2] / "configs" / "suites"


@pytest.fixture
def receipt_file(pictures, tmp_path):
    _, receipt = degrade_with_receipt(pictures[0], Wild(), generators(0)[0], "wild", 0)
    path = tmp_path / "one.json"
    path.write_text(to_json(receipt))
    return path


def test_a_receipt_says_everything(receipt_file, pictures):
    content = json.loads(receipt_file.read_text())
    assert content["degradation"]["class_path"] == "degradations.wild.Wild"
    assert content["versions"].keys() >= {"ldrps", "torch", "kornia", "pillow", "libjpg", "platform"}
    assert content["words"] == list(Wild().words(Wild().sample_parameters(generators(0)))[0])
    assert content["input_sha256"] == fingerprint(pictures[0])
    assert content["size"] == [32, 32]
    assert "kernel" not in " ".join(name for name in content["parameters"] if "size" not in name)


def test_fingerprints_survive_a_file_and_notice_one_level(pictures, tmp_path):
    write_picture(to_pil(pictures[0]), tmp_path / "a.png")
    assert fingerprint(read_picture(tmp_path / "a.png").image) == fingerprint(pictures[0])
    changed = pictures[0].clone()
    changed[0, 0, 0] += 1 / 255
    assert fingerprint(changed) != fingerprint(pictures[0])
    assert fingerprint(pictures[0].flatten(1).view(3, 16, 64)) != fingerprint(pictures[0])


def test_the_formatting_of_a_receipt_may_change_and_its_content_not(receipt_file, pictures):
    content = json.loads(receipt_file.read_text())
    receipt_file.write_text(json.dumps(dict(reversed(content.items()))))
    assert read_receipt(receipt_file).replay(pictures[0]).shape == (3, 32, 32)
    content["parameters"]["is_resized"] = not content["parameters"]["is_resized"]
    receipt_file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="was edited or damaged"):
        read_receipt(receipt_file)


@pytest.mark.parametrize("text", ["", "hello", "[1]", '{"a": 1}', "\x00"])
def test_what_is_no_receipt_is_named(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"r.json is no receipt"):
        read_receipt(path)


def test_another_format_and_other_pixels_are_refused(receipt_file, pictures):
    with pytest.raises(ValueError, match="other pixels"):
        read_receipt(receipt_file).replay(pictures[1])
    content = json.loads(receipt_file.read_text())
    content["format"] = 99
    content.pop("checksum")
    receipt_file.write_text(json.dumps({**content, "checksum": checksum(content)}))
    with pytest.raises(ValueError, match="has format 99"):
        read_receipt(receipt_file)


@pytest.mark.parametrize("suite", sorted(path.stem for path in SUITES.glob("*.yaml")))
def test_every_suite_loads_runs_and_has_words(suite, pictures):
    for name, degradation in load_suites(suite, SUITES).items():
        parameters = degradation.sample_parameters(generators(0, 1, 2, 3))
        degraded = degradation.degrade(pictures, parameters)
        assert float((degraded - pictures).abs().mean()) > 0.001, name
        if not name.startswith("wild"):
            assert all(degradation.words(parameters)), name


def test_all_is_all():
    assert set(load_suites("all", SUITES)) == {path.stem for path in SUITES.glob("*.yaml")} - {"all"}


def test_wild_is_mild_to_severe(pictures):
    image = torch.nn.functional.interpolate(pictures, (64, 64), mode="bicubic").clamp(0, 1).repeat(16, 1, 1, 1)
    errors = []
    for name in ("wild_light", "wild_medium", "wild_heavy"):
        [degradation] = load_suites(name, SUITES).values()
        errors.append(float((degradation(image, generators(*range(64))) - image).abs().mean()))
    assert errors[0] < 0.8 * errors[1] < 0.8 * 0.8 * errors[2]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("degradation: [", "is not YAML"),
        ("haze: 1", "must hold 'degradation'"),
        (
            "degradation: {class_path: degradations.weather.haze.Haze, init_args: {airlight: [2, 3]}}",
            "own.yaml: .*airlight",
        ),
        ("degradation: {class_path: degradations.hase.Hase}", "own.yaml: .*did you mean"),
        (
            "degradation: degradations.noise.mosaik.Mosaic",
            r"own.yaml: .*did you mean 'degradations.noise.mosaic.Mosaic'",
        ),
        (
            "degradation: {class_path: degradations.pipeline.Sequence, init_args: {steps: [degradations.hase.Haze]}}",
            "own.yaml: .*did you mean 'degradations.weather.haze.Haze'",
        ),
    ],
)
def test_a_wrong_suite_file_is_named(tmp_path, content, sentence):
    path = tmp_path / "own.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=sentence):
        load_suites(str(path), SUITES)


def test_a_suite_of_ones_own(tmp_path, pictures):
    path = tmp_path / "own.yaml"
    [degradation] = load_suites("motion_blur", SUITES).values()
    assert isinstance(degradation, Composition)
    path.write_text(yaml.safe_dump({"degradation": describe(degradation)}))
    [again] = load_suites(str(path), SUITES).values()
    assert torch.equal(again(pictures, generators(0, 1, 2, 3)), degradation(pictures, generators(0, 1, 2, 3)))


def test_a_collection_finds_the_files_beside_it(tmp_path):
    (tmp_path / "mine.yaml").write_text("degradation: degradations.light.grey.Grey")
    (tmp_path / "both.yaml").write_text("suites: [mine.yaml, noise_25]")
    assert list(load_suites(str(tmp_path / "both.yaml"), SUITES)) == ["mine", "noise_25"]


def test_an_unknown_suite_names_the_nearest():
    with pytest.raises(ValueError, match=r"'nois_25' does not exist: did you mean 'noise_25'\?"):
        load_suites("nois_25", SUITES)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("degradation: {class_path: degradations.weather.haze.Haze, init_args: [1, 2]}", "give its settings by name"),
        ("degradation: {class_path: degradations.weather.haze.Haze, init_args: {1: 2}}", "has no setting '1'"),
        ("degradation: {class_path: degradations.weather.haze.Haze, init_arg: {}}", "has 'init_arg'"),
        ("degradation: {class_path: ..Haze}", "does not exist"),
        ("suites: 5", "must list at least one name"),
        ("suites: []", "must list at least one name"),
        ("suites: null", "must list at least one name"),
        ("suites: [haze, OWN]", "lists itself"),
    ],
)
def test_odd_suite_files_are_named_too(tmp_path, content, sentence):
    path = tmp_path / "own.yaml"
    path.write_text(content.replace("OWN", str(path)))
    with pytest.raises(ValueError, match=sentence):
        load_suites(str(path), SUITES)


def test_two_suites_of_one_name_are_refused(tmp_path):
    path = tmp_path / "haze.yaml"
    path.write_text("degradation: {class_path: degradations.light.grey.Grey}")
    with pytest.raises(ValueError, match="two different suites are called 'haze'"):
        merged([load_suites("haze", SUITES), load_suites(str(path), SUITES)])


@pytest.mark.parametrize("spoil", ["missing", "extra", "field"])
def test_a_receipt_of_another_version_is_one_sentence(receipt_file, pictures, spoil):
    content = json.loads(receipt_file.read_text())
    content.pop("checksum")
    if spoil == "missing":
        content["parameters"].pop("is_resized")
    elif spoil == "extra":
        content["parameters"]["0.order"] = "hello"
    else:
        content["more"] = 1
    receipt_file.write_text(json.dumps({**content, "checksum": checksum(content)}))
    with pytest.raises(ValueError, match=r"do not fit this version|other fields"):
        read_receipt(receipt_file).replay(pictures[0])


@pytest.mark.parametrize("spoilt", [torch.rand(1, 8, 8), torch.rand(4, 8, 8), torch.rand(3, 8, 8) * 255])
def test_receipts_are_made_of_rgb_images_only(spoilt):
    with pytest.raises(ValueError, match=r"must be RGB|must lie in"):
        degrade_with_receipt(spoilt, Wild(), generators(0)[0])


def test_the_number_of_threads_changes_nothing():
    photos = torch.from_numpy(np.stack([skimage_data.cat()[:256, 90:346], skimage_data.astronaut()[:256, :256]]))
    photos = photos.permute(0, 3, 1, 2).float() / 255
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append([Wild()(photos, generators(seed, seed + 1)) for seed in range(0, 24, 2)])
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)


def batches_of(pairs, workers):
    return [degraded for degraded, _ in DataLoader(pairs, batch_size=3, num_workers=workers)]


def test_workers_and_batches_change_nothing(pictures):
    clean = list(pictures.repeat(2, 1, 1, 1))
    pairs = DegradedDataset(clean, Wild(), seed=3)
    alone = torch.cat(batches_of(pairs, 0))
    assert torch.equal(torch.cat(batches_of(pairs, 2)), alone)
    on_device = Wild()(torch.stack(clean), generators_for(3, range(8)))
    torch.testing.assert_close(on_device, alone, atol=1e-6, rtol=0)
    assert not torch.equal(alone[:4], alone[4:])


def test_each_epoch_draws_anew_even_in_workers_that_live_on(pictures):
    pairs = DegradedDataset(list(pictures), Wild())
    loader = DataLoader(pairs, batch_size=4, num_workers=1, persistent_workers=True)
    first = next(iter(loader))[0]
    pairs.set_epoch(1)
    [second] = [degraded for degraded, _ in loader]
    expected = Wild()(pictures, generators_for(0, range(4), epoch=1))
    assert not torch.equal(first, second)
    torch.testing.assert_close(second, expected, atol=1e-6, rtol=0)


class Halved(Degradation):
    """Half the light, as its first author would write it: without settings."""

    def sample_parameters(self, generators):
        return {"factor": torch.full((len(generators),), 0.5)}

    def degrade(self, image, parameters):
        return image * parameters["factor"].view(-1, 1, 1, 1)


def test_a_degradation_without_settings_has_a_receipt_and_is_told_wrong_ones(pictures):
    degraded, receipt = degrade_with_receipt(pictures[0], Halved(), generators(0)[0])
    assert receipt.degradation == {"class_path": f"{__name__}.Halved", "init_args": {}}
    assert torch.equal(receipt.replay(pictures[0]), degraded)
    for name in ("args", "strength"):
        with pytest.raises(ValueError, match=f"Halved has no setting '{name}'"):
            build({**receipt.degradation, "init_args": {name: 1}})


def test_samples_of_every_suite_go_to_processes_that_start_anew(photo_file):
    data = CleanData([str(photo_file)], ["all"])
    data.setup("test")
    data.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    files = data.test_dataloader().dataset
    # As they are sent where processes do not fork: macOS, Windows, and everywhere from Python 3.14 on.
    sent = pickle.loads(pickle.dumps(files))
    assert len(sent) == len(files) > 20
    assert torch.equal(sent[0].image, files[0].image)
