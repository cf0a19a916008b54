"""Forecasts follow what was measured."""

import pytest
from PIL import Image

from ldrps.methods.auto.auto import Auto
from ldrps.methods.baselines.gain import Gain
from ldrps.methods.forecast import plan
from ldrps.methods.ld_rps.sampling import SamplingSettings
from ldrps.methods.speeds import BYTES_PER_PIXEL_KEPT, Measurement, Speeds, for_any_picture, seconds_of
from modules.alignment.masked import Masked
from modules.priors.auto import Auto as AutoPrior
from modules.priors.da_clip import DACLIP
from modules.priors.endpoint import Endpoint
from modules.priors.null import Null
from modules.priors.prompt_file import PromptFile
from modules.priors.text import Text
from tests.builders import make_restorer

GIB = 2**30


def speeds(*known):
    store = Speeds()
    for pixels, seconds, peak in known:
        store.add(Measurement(pixels, seconds, peak))
    return store


def test_time_lies_on_straight_lines_and_then_grows_with_the_pixels():
    store = speeds((100, 1.0, GIB), (300, 5.0, 2 * GIB))
    assert [store.seconds(pixels) for pixels in (50, 100, 200, 300, 900)] == [1.0, 1.0, 3.0, 5.0, 15.0]


def test_memory_grows_up_to_the_window_only():
    store = speeds((100, 1.0, GIB), (300, 5.0, 2 * GIB))
    assert store.peak_bytes(500, None) == 3 * GIB
    assert store.peak_bytes(10_000, 500) == 3 * GIB + 9500 * BYTES_PER_PIXEL_KEPT
    assert store.peak_bytes(200, 500) == 1.5 * GIB


def test_the_last_measurement_of_a_size_counts_and_is_kept(tmp_path):
    file = tmp_path / "cache" / "speeds.json"
    store = Speeds(file)
    for seconds in (1.0, 3.0):
        store.add(Measurement(100, seconds, GIB))
    assert Speeds(file).known == [Measurement(100, 3.0, GIB)]
    file.write_text("[{]")
    assert Speeds(file).known == []


def test_a_small_known_size_tells_nothing_of_a_large_picture():
    store = speeds((100, 1.0, GIB))
    assert plan(Gain(), [(10, 10)], store).seconds == 1.0
    plan(Gain(), [(4000, 3000)], store)
    assert {one.pixels for one in store.known} == {100, 128**2, 256**2}


def test_pictures_of_many_steps_are_measured_with_few(micro_folder, pictures, monkeypatch):
    sampling = SamplingSettings(num_inference_steps=400, num_refinements=1)
    restorer = make_restorer(micro_folder, sampling=sampling)
    # Half a second, and a tenth for each step.
    monkeypatch.setattr("ldrps.methods.speeds.timed", lambda restorer, image: 0.5 + restorer.sampling.num_steps / 10)
    assert abs(seconds_of(restorer, pictures[:1]) - 60.5) < 1e-6
    assert restorer.sampling == sampling


def test_a_small_photo_is_measured_where_it_takes_many_steps_or_somebody_asks(micro_folder, monkeypatch):
    monkeypatch.setattr("ldrps.methods.speeds.timed", lambda restorer, image: float(restorer.sampling.num_steps))
    few, many = (
        make_restorer(micro_folder, sampling=SamplingSettings(steps, num_refinements=0, num_samples=samples))
        for steps, samples in ((2, 1), (20, 4))
    )
    assert plan(few, [(160, 128)], Speeds()).seconds is None
    assert plan(few, [(160, 128)], Speeds(), 1, True).seconds is not None
    store = Speeds()
    assert plan(many, [(160, 128)], store).seconds == 80.0 * 160 * 128 / 128**2
    assert {one.pixels for one in store.known} == {128**2}


def test_memory_that_is_not_there_is_said():
    store = speeds((10**6, 1.0, 10**15))
    assert "MORE than there is" in plan(Gain(), [(1000, 1000)], store).sentence()


@pytest.fixture
def masked(tmp_path):
    """Damage with a mask of a size that no picture has which is measured."""
    Image.new("L", (150, 160)).save(tmp_path / "mask.png")
    return Masked(mask_file=str(tmp_path / "mask.png"))


@pytest.mark.parametrize("is_inside", [False, True])
def test_what_belongs_to_a_photo_is_not_needed_to_measure(micro_folder, masked, is_inside):
    prior = PromptFile()
    method = make_restorer(micro_folder, prior=prior, alignment=masked, sampling=SamplingSettings(2, num_refinements=0))
    restorer = Auto({"only": method}, [], "only") if is_inside else method
    forecast = plan(restorer, [(150, 160)], Speeds(), always_measure=True)
    assert forecast.seconds is not None
    assert "without" not in forecast.sentence()
    assert method.prior is prior
    assert masked.mask_file is not None


def test_a_server_is_not_asked_about_pictures_that_are_nobody_s(micro_folder, tmp_path):
    # Nobody listens on this port.
    prior = Endpoint("http://127.0.0.1:9/v1", cache_dir="", num_retries=0)
    restorer = make_restorer(micro_folder, prior=prior, sampling=SamplingSettings(2, num_refinements=0))
    file = tmp_path / "speeds.json"
    for _ in range(2):
        sentence = plan(restorer, [(150, 160)], Speeds(file), always_measure=True).sentence()
        assert " on cpu (measured without the prior Endpoint), " in sentence


def test_text_is_measured_in_place_of_what_may_ask_or_read_only(micro_folder):
    restorer = make_restorer(micro_folder)
    for prior in (Null(), Text("a cat"), AutoPrior(), DACLIP()):
        restorer.prior = prior
        with for_any_picture(restorer) as unasked:
            assert restorer.prior is prior
            assert unasked == []
    for prior in (PromptFile(), Endpoint()):
        restorer.prior = prior
        with for_any_picture(restorer):
            assert isinstance(restorer.prior, Text)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("pictures of 128 pixels\nare beneath me"), "pictures of 128 pixels are beneath me"),
        (KeyError(128), "KeyError: 128"),
    ],
)
def test_a_method_that_refuses_to_be_measured_is_told_and_left_as_it_was(
    micro_folder, masked, monkeypatch, error, told
):
    def refuse(restorer, images):
        raise error

    monkeypatch.setattr("ldrps.methods.speeds.timed", refuse)
    prior = PromptFile()
    restorer = make_restorer(micro_folder, prior=prior, alignment=masked)
    sentence = plan(restorer, [(4000, 3000)], Speeds()).sentence()
    assert sentence == f"1 picture of 12.0 megapixels on cpu: the time could not be measured ({told})"
    assert restorer.prior is prior
    assert masked.mask_file is not None
