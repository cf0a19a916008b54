"""The choice between methods: each image gets the one that fits it, and it is said why."""

import pytest
import torch
from kornia.color import linear_rgb_to_rgb

from degradations.base import eight_bit
from degradations.light.low_light import LowLight
from ldrps.configuration.presets import load_preset
from ldrps.data.samples import Sample
from ldrps.methods.auto.auto import Auto
from ldrps.methods.auto.choice import Chosen
from ldrps.methods.auto.explained import Explained
from ldrps.methods.auto.holes import Holes
from ldrps.methods.auto.words import Words
from ldrps.methods.baselines.gain import Gain
from ldrps.methods.found import what_changed
from ldrps.metrics.fidelity import PSNR
from ldrps.results.scoring import measurable, score
from modules.alignment.missing_pixels import missing_pixels
from tests.builders import generators
from tests.da_clip import WORDS


@pytest.fixture(scope="module")
def explaining(micro_folder):
    """LD-RPS whose alignment net is the tone curve, which needs no weights."""
    restorer = load_preset("statistics", backbone__path=micro_folder, prior="modules.priors.null.Null")
    restorer.load()
    return restorer


@pytest.fixture(scope="module")
def auto(explaining):
    return Auto({"blind": explaining, "gain": Gain()}, [Explained()], "gain", seed=3)


@pytest.fixture(scope="module")
def dark_and_ordinary(pictures):
    """A dark picture between two that nothing is wrong with."""
    return torch.stack([pictures[0], pictures[1] * 0.15, pictures[2]])


def test_the_method_says_what_it_undid(explaining, dark_and_ordinary):
    explaining.restore(dark_and_ordinary, [None] * 3)
    assert explaining.remarks[0] == explaining.remarks[2] == ""
    assert explaining.remarks[1].startswith("undone: light that was ")
    assert explaining.remarks[1].endswith(" stops too dark")


def test_light_is_told_in_photographic_stops():
    light = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    seen, undone = linear_rgb_to_rgb(light / 8), linear_rgb_to_rgb(light)
    assert what_changed(seen, undone) == ["light that was 3.0 stops too dark"]
    assert what_changed(undone, seen) == ["haze or glare of 3.0 stops"]
    assert what_changed(undone, undone.flip(1)) == ["haze, a cast or uneven light"]
    assert what_changed(undone, undone + 0.01) == [""]


def test_each_image_goes_its_own_way(auto, explaining, dark_and_ordinary):
    restored = auto.restore(dark_and_ordinary, [None] * 3)
    explained = explaining.explain(dark_and_ordinary[1:2])
    assert float(explained.mean()) > 2 * float(dark_and_ordinary[1].mean())
    torch.testing.assert_close(restored[1:2], explaining.restore(dark_and_ordinary[1:2], [None]))
    torch.testing.assert_close(restored[::2], Gain().restore(dark_and_ordinary[::2], [None] * 2))
    assert auto.remarks[0] == auto.remarks[2] == "method: gain (nothing else was found)"
    assert auto.remarks[1].startswith("method: blind (light that was ")
    assert explaining.seed == 3


def test_the_fingerprint_of_the_weights_is_not_of_the_last_image(auto, dark_and_ordinary):
    auto.restore(dark_and_ordinary[1:2], [None])
    before = auto.weights_sha256()
    auto.restore(dark_and_ordinary[1:2] * 0.8, [None])
    assert auto.weights_sha256() == before


def test_the_fingerprint_is_of_the_weights_of_every_method_and_choice(auto, explaining, told_folder):
    told = [Words({WORDS[0]: "gain"}, str(told_folder / "da_clip"))]
    others = [
        Auto({"blind": explaining, "gain": Gain()}, told, "gain"),
        Auto({"blind": Gain()}, [Explained()], "blind"),
    ]
    assert len({each.weights_sha256() for each in (auto, *others)}) == 3


def test_rows_say_which_way_an_image_went(auto, dark_and_ordinary):
    samples = [Sample(str(row), None, image, target=image) for row, image in enumerate(dark_and_ordinary)]
    rows = score(measurable(auto.restore_batch(samples)), [PSNR()], torch.device("cpu"))
    said = {row.name: row.remark for row in rows if row.restorer == "auto"}
    assert [said[name].split()[1] for name in "012"] == ["gain", "blind", "gain"]
    assert {row.remark for row in rows if row.restorer == "input"} == {""}


def test_what_da_clip_says_chooses(told_folder, pictures):
    words = Words({WORDS[0]: "a", WORDS[1]: "b", WORDS[2]: "b"}, str(told_folder / "da_clip"), 0.0)
    words.load()
    said = words.prior.probabilities(words.prior.network(pictures)[1])
    for one, probabilities in zip(words(pictures, {}), said, strict=True):
        assert one.method == ("a" if probabilities[WORDS[0]] > 0.5 else "b")
        assert f"DA-CLIP says {max((WORDS[:1], WORDS[1:])[one.method == 'b'], key=probabilities.get)}" in one.reason
    words.min_probability = 1.01
    assert words(pictures, {}) == [None] * 4
    assert words(pictures[..., :4, :4], {}) == [None] * 4


def test_missing_pixels_are_filled_and_dark_ones_are_not(pictures):
    image = pictures[:1].clamp(min=0.1).repeat(3, 1, 1, 1)
    image[1, :, 4:12, 4:12] = 0
    image[2, :, 4:12, 4:12] *= 0.01
    hole = 64 / image[0, 0].numel()
    [none, missing, dark] = Holes()(image, {})
    assert (none, dark) == (None, None)
    assert missing == Chosen("inpainting", f"{hole:.0%} of the pixels are missing")
    assert Holes(least_share=hole + 1e-3)(image, {}) == [None] * 3


def test_noise_that_is_cut_off_at_black_is_no_hole(pictures):
    noisy = eight_bit(LowLight((3, 3), (1, 1), (0.03, 0.03))(pictures[:1], generators(0)))
    assert float(missing_pixels(noisy).float().mean()) > 0.01
    assert Holes()(noisy, {}) == [None]
    masked = eight_bit(pictures[:1].clamp(min=0.2)) * (torch.rand(1, 1, 32, 32, generator=generators(1)[0]) > 0.5)
    assert Holes()(masked, {}) != [None]


def test_names_that_do_not_exist_are_refused(told_folder):
    with pytest.raises(ValueError, match="method 'blind' is not among methods, which are gain"):
        Auto({"gain": Gain()}, [Explained()], "gain")
    with pytest.raises(ValueError, match="word 'fog' is none of DA-CLIP's, which are clean, noise, haze"):
        Words({"fog": "a"}, str(told_folder / "da_clip")).load()
