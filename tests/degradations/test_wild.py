"""The wild pipeline draws what the released code's table says."""

import pytest
import torch

from degradations.drawing import generators_for
from degradations.parameters import unnested
from degradations.wild import STAGES, Wild
from tests.builders import generators

COUNT = 20_000


@pytest.fixture(scope="module")
def drawn():
    """Parameters of 20,000 images, 2,000 at a time."""
    parts = [Wild().sample_parameters(generators_for(0, range(start, start + 2000))) for start in range(0, COUNT, 2000)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def assert_share(hits, probability):
    """The share of hits is within 3 standard errors."""
    error = (probability * (1 - probability) / len(hits)) ** 0.5
    assert abs(float(hits.float().mean()) - probability) < 3 * error


@pytest.mark.parametrize(
    ("step", "probability"),
    [
        ("0.blur", 0.8),
        ("1.blur", 0.4),
        ("2.blur", 0.8),
        ("0.noise", 0.4),
        ("1.noise", 0.2),
        ("0.jpeg", 0.4),
        ("2.jpeg", 0.4),
    ],
)
def test_each_step_is_as_frequent_as_specified(drawn, step, probability):
    assert_share(drawn[f"{step}.is_applied"], probability)


def test_resizing_is_one_draw_with_a_factor_for_its_whole_range(drawn):
    assert_share(drawn["is_resized"], 0.8)
    factor = drawn["resize.factor"]
    assert 0.5 <= float(factor.min()) < 0.51
    assert 1.39 < float(factor.max()) <= 1.4
    assert_share(factor < 0.95, 0.5)
    for way in ("there", "back"):
        for interpolation in range(3):
            assert_share(drawn[f"resize.{way}"] == interpolation, 1 / 3)


@pytest.mark.parametrize(("stage", "sinc"), [(0, 0.1), (1, 0.1), (2, 0.8)])
def test_kernels_are_as_frequent_as_specified(drawn, stage, sinc):
    blur = unnested(
        f"{stage}.blur.0", {name: values[drawn[f"{stage}.blur.is_applied"]] for name, values in drawn.items()}
    )
    assert_share(blur["choice"] == 0, sinc)
    mixed = {name: values[blur["choice"] == 1] for name, values in unnested("1.blur", blur).items()}
    for kind, weight in enumerate([0.35, 0.20, 0.10, 0.03, 0.10, 0.03, 0.10, 0.03, 0.03, 0.03]):
        assert_share(mixed["kind"] == kind, weight)
    sizes = (5, 7, 9) if stage == 1 else tuple(range(5, 20, 2))
    assert tuple(mixed["kernel_size"].unique().tolist()) == sizes
    for size in sizes:
        assert_share(mixed["kernel_size"] == size, 1 / len(sizes))
    small = mixed["kernel_size"] < 8
    blend = blur["1.blend"][blur["choice"] == 1]
    assert bool((blend[~small] == 1).all())
    assert_share(blend[small] < 1, 0.1)


def test_ringing_has_the_rates_computed_from_the_released_code(drawn):
    for stage, rate in ((0, 0.018), (1, 0.024), (2, 0.004)):
        applied = drawn[f"{stage}.blur.is_applied"]
        rings = applied & (drawn[f"{stage}.blur.0.choice"] == 1) & (drawn[f"{stage}.blur.0.1.blend"] < 1)
        assert_share(rings, rate)
    blends = torch.cat([drawn[f"{stage}.blur.0.1.blend"] for stage in range(3)])
    used = torch.cat([drawn[f"{stage}.blur.0.choice"] == 1 for stage in range(3)]) & (blends < 1)
    mixed = used & (blends > 0)
    assert_share(mixed[used], 0.1)
    # A blur that is not applied draws nothing; its rows are zero.
    assert float(blends[mixed].min()) >= 0.1
    assert float(blends[mixed].max()) <= 0.5


@pytest.mark.parametrize("stage", [0, 1])
def test_noise_is_gaussian_poisson_both_or_none(drawn, stage):
    applied = drawn[f"{stage}.noise.is_applied"]
    noise = {name: values[applied] for name, values in unnested(f"{stage}.noise.0", drawn).items()}
    gaussian, poisson = noise["0.is_applied"], noise["1.is_applied"]
    assert_share(gaussian, 0.6)
    assert_share(poisson, 0.4)
    assert_share(gaussian & poisson, 0.24)
    assert_share(noise["0.0.is_grey"][gaussian], 0.4)
    assert_share(noise["1.0.is_grey"][poisson], 0.4)
    sigma = noise["0.0.sigma"][gaussian] * 255
    assert 1 <= float(sigma.min()) < 1.1
    assert 4.9 < float(sigma.max()) <= 5
    assert_share(noise["1.0.scale"][poisson] < 0.255, 0.5)


def test_qualities_and_widths_cover_their_ranges(drawn):
    for stage, low, high in ((0, 60, 94), (2, 80, 99)):
        quality = drawn[f"{stage}.jpeg.0.quality"][drawn[f"{stage}.jpeg.is_applied"]]
        assert (int(quality.min()), int(quality.max())) == (low, high)
    for stage, widest in enumerate((2.2, 1.5, 1.0)):
        sigma = drawn[f"{stage}.blur.0.1.blur.0.sigma"]
        sigma = sigma[sigma > 0]
        assert 0.2 <= float(sigma.min()) < 0.21
        assert widest - 0.02 < float(sigma.max()) <= widest


@pytest.mark.parametrize("stage", range(3))
def test_all_orders_are_equally_likely(drawn, stage):
    order = drawn[f"{stage}.order"]
    count = len(STAGES[stage])
    number = (order * count ** torch.arange(count)).sum(1)
    orders = number.unique()
    assert len(orders) == {2: 2, 3: 6, 4: 24}[count]
    # 24 shares are tested at once; 3 errors each would fail one run in 15.
    for value in orders:
        probability = 1 / len(orders)
        error = (probability * (1 - probability) / COUNT) ** 0.5
        assert abs(float((number == value).float().mean()) - probability) < 3.5 * error


def test_nothing_applied_is_nothing_changed_and_no_word(pictures):
    clean = Wild((0, 0, 0), resize_probability=0, noise_probability=(0, 0), jpeg_probability=(0, 0))
    parameters = clean.sample_parameters(generators(0, 1, 2, 3))
    torch.testing.assert_close(clean.degrade(pictures, parameters), pictures, atol=1e-6, rtol=0)
    assert clean.words(parameters) == [()] * 4


def test_words_tell_what_happened(pictures):
    only_noise = Wild((0, 0, 0), resize_probability=0, noise_probability=(1, 1), jpeg_probability=(0, 1))
    words = only_noise.words(only_noise.sample_parameters(generators(*range(20))))
    assert {word for row in words for word in row} == {"noise", "jpeg block"}
    only_resize = Wild((0, 0, 0), resize_probability=1, noise_probability=(0, 0), jpeg_probability=(0, 0))
    assert only_resize.words(only_resize.sample_parameters(generators(0))) == [("blur",)]
    rings = Wild(
        (1, 0, 0), sinc_probability=(1, 0, 0), resize_probability=0, noise_probability=(0, 0), jpeg_probability=(0, 0)
    )
    assert rings.words(rings.sample_parameters(generators(0))) == [("ringing artifact",)]


def test_the_result_has_eight_bit_values_and_the_input_s_size(pictures):
    image = torch.nn.functional.interpolate(pictures, (37, 53), mode="bilinear")
    degraded = Wild()(image, generators(0, 1, 2, 3))
    assert degraded.shape == image.shape
    torch.testing.assert_close(degraded * 255, (degraded * 255).round(), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"blur_probability": 0.5}, "^blur_probability=0.5 must be 3 numbers, one a stage$"),
        ({"blur_probability": (0.8, 1.4, 0.8)}, r"^blur_probability=\[0.8, 1.4, 0.8\] must lie between 0 and 1$"),
        ({"jpeg_probability": (-1, 0)}, r"^jpeg_probability=\[-1, 0\] must lie"),
        ({"largest_kernel": (20, 9, 19)}, r"^largest_kernel=\[20, 9, 19\] must be odd numbers"),
        ({"largest_kernel": (3, 9, 19)}, r"^largest_kernel=\[3, 9, 19\] must lie between 5 and 511$"),
        ({"blur_sigma": (0.1, 1, 1)}, r"^blur_sigma=\[0.1, 1, 1\] must lie between 0.2 and 100$"),
        ({"noise_sigma": (0.2, 0.1)}, "sigma"),
        ({"codec": "png"}, "codec='png'"),
    ],
)
def test_wrong_settings_name_themselves(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Wild(**settings)
