"""Noise, light, weather, masks: moments and closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import color
from skimage import data as skimage_data

from degradations.coding.banding import Banding
from degradations.light.colour_cast import ColourCast
from degradations.light.grey import Grey
from degradations.light.low_light import LowLight
from degradations.light.uneven_light import UnevenLight
from degradations.missing.box_mask import BoxMask
from degradations.missing.free_form_mask import FreeFormMask
from degradations.missing.random_mask import RandomMask
from degradations.noise.camera_noise import CameraNoise
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.noise.mosaic import Mosaic
from degradations.noise.poisson_noise import PoissonNoise
from degradations.noise.salt_and_pepper import SaltAndPepper
from degradations.noise.speckle_noise import SpeckleNoise
from degradations.pipeline import Maybe, RandomOrder, Sequence
from degradations.resolution.down_sampling import DownSampling, shrunk
from degradations.resolution.resize import Resize, resized
from degradations.weather.haze import Haze
from degradations.weather.hazy_scene import HazyScene
from degradations.weather.heavy_rain import HeavyRain
from degradations.weather.rain import Rain
from degradations.weather.snow import Snow
from tests.builders import generators

HARMLESS = [
    Banding((65536, 65536)),
    BoxMask((0, 0)),
    CameraNoise((1e-12, 1e-12), (1e-12, 1e-12)),
    ColourCast((0, 0)),
    DownSampling((1, 1)),
    FreeFormMask((0, 0)),
    GaussianNoise((0, 0)),
    Grey((0, 0)),
    Haze((1, 1)),
    Haze((1, 1), grid_size=3),
    HazyScene((1, 1)),
    HeavyRain(accumulation=(0, 0), contrast=(0, 0)),
    LowLight((0, 0), (1, 1)),
    Maybe(Grey(), 0.0),
    Mosaic((0, 0)),
    PoissonNoise(scale=(0, 0)),
    Rain((0, 0)),
    Rain((0, 0), width=(0.5, 2.0)),
    RandomMask((0, 0)),
    RandomOrder([Haze((1, 1)), Grey((0, 0))]),
    Resize((1, 1)),
    SaltAndPepper((0, 0)),
    Sequence([Haze((1, 1)), GaussianNoise((0, 0))]),
    Snow((0, 0)),
    SpeckleNoise((0, 0)),
    UnevenLight((0, 0)),
]


@pytest.mark.parametrize("harmless", HARMLESS, ids=lambda degradation: type(degradation).__name__)
def test_no_severity_is_the_identity(harmless, pictures):
    torch.testing.assert_close(harmless(pictures, generators(0, 1, 2, 3)), pictures, atol=2e-5, rtol=0)


def even(value, size=256):
    return torch.full((1, 3, size, size), value)


def check_moments(noise, std, mean=0.0):
    """Mean within 3 standard errors, standard deviation within 3 of a normal variable's."""
    count = noise.numel()
    assert abs(float(noise.double().mean()) - mean) < 3 * std / count**0.5
    assert abs(float(noise.double().std()) - std) < 3 * std / (2 * count) ** 0.5


def test_gaussian_noise_has_the_moments_it_names():
    check_moments(GaussianNoise((0.1, 0.1))(even(0.5), generators(0)) - 0.5, 0.1)


def test_grey_noise_is_equal_in_all_channels():
    noise = GaussianNoise((0.1, 0.1), grey_probability=1.0)(even(0.5), generators(0)) - 0.5
    assert torch.equal(noise[:, 0], noise[:, 1])
    check_moments(noise[:, 0], 0.1)


@pytest.mark.parametrize("peak", [40.0, 400.0])
@pytest.mark.parametrize("level", [0.25, 0.5])
def test_poisson_noise_counts_photons(peak, level):
    degraded = PoissonNoise((peak, peak))(even(level), generators(1))
    std = (level / peak) ** 0.5
    assert abs(float(degraded.double().mean()) - level) < 3 * std / degraded.numel() ** 0.5
    # Standard error of a Poisson variable's variance: its fourth central moment is lambda + 3 lambda^2.
    error = ((level * peak + 2 * (level * peak) ** 2) / degraded.numel()) ** 0.5 / peak**2
    assert abs(float(degraded.double().var()) - std**2) < 3 * error
    counts = degraded * peak
    torch.testing.assert_close(counts, counts.round(), atol=1e-3, rtol=0)


def test_poisson_noise_without_a_peak_counts_the_levels():
    ramp = torch.arange(100.0).div(255).add(0.3).expand(1, 3, 256, 100)
    degraded = PoissonNoise(None, (0.5, 0.5))(ramp, generators(0))
    rounded = (ramp * 255).round() / 255
    expected = 0.5 * (rounded / 128).sqrt()  # 100 levels, next power of two
    ratio = (degraded - ramp) / expected
    check_moments(ratio, 1.0)


def test_speckle_grows_with_brightness():
    for level in (0.2, 0.5):
        check_moments(SpeckleNoise((0.2, 0.2))(even(level), generators(0)) - level, 0.2 * level)


def test_camera_noise_is_affine_in_linear_light():
    for level in (0.3, 0.6):
        noisy = CameraNoise((0.004, 0.004), (0.01, 0.01))(even(level), generators(0))
        before, after = (to_linear(values.double()) for values in (even(level)[:1, :1, :1, :1], noisy))
        check_moments(after, float((0.004 * before + 0.01**2).sqrt()), float(before))


def test_a_mosaic_keeps_what_was_seen_and_means_what_was_not(pictures):
    seen = Mosaic()(pictures, generators(0, 1, 2, 3))
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        kept, original = (images[:, channel, row::2, column::2] for images in (seen, pictures))
        torch.testing.assert_close(kept, original, atol=1e-5, rtol=0)
    linear = [to_linear(images.double()) for images in (seen, pictures)]
    green = linear[1][:, 1]
    around = (
        green[:, 1:-3:2, 2:-2:2] + green[:, 3:-1:2, 2:-2:2] + green[:, 2:-2:2, 1:-3:2] + green[:, 2:-2:2, 3:-1:2]
    ) / 4
    torch.testing.assert_close(linear[0][:, 1, 2:-2:2, 2:-2:2], around, atol=1e-4, rtol=0)


def to_linear(srgb):
    """IEC 61966-2-1."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def test_salt_and_pepper_hits_the_share_it_names():
    degraded = SaltAndPepper((0.2, 0.2), (0.25, 0.25))(even(0.5), generators(0))[0, 0]
    for value, share in ((1, 0.05), (0, 0.15)):
        assert abs(float((degraded == value).float().mean()) - share) < 3 * (share / degraded.numel()) ** 0.5


def test_haze_and_low_light_follow_their_equations():
    hazy = Haze((0.4, 0.4), (0.9, 0.9))(even(0.5, 4), generators(0))
    torch.testing.assert_close(hazy, torch.full_like(hazy, 0.5 * 0.4 + 0.9 * 0.6))
    dark = LowLight((2, 2), (2, 2))(even(0.5, 4), generators(0))
    torch.testing.assert_close(dark, torch.full_like(dark, 0.25 / 4))
    noisy = LowLight((1, 1), (1, 1), (0.05, 0.05))(even(0.5), generators(0))
    check_moments(noisy, 0.05, 0.25)


def test_haze_takes_a_depth_map_of_ones_own():
    haze = Haze((0.25, 0.25), (1.0, 1.0))
    depth = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    hazy = haze.degrade(even(0.2, 32), haze.sample_parameters(generators(0)) | {"depth": depth})
    expected = 0.2 * 0.25**depth + (1 - 0.25**depth)
    torch.testing.assert_close(hazy, expected.expand(1, 3, 32, 32), atol=1e-5, rtol=0)


def test_synthetic_depth_is_smooth_and_varies():
    hazy = Haze((0.2, 0.2), (1.0, 1.0), grid_size=4)(even(0.2, 128), generators(0))[0, 0]
    assert float(hazy.std()) > 0.05
    assert float((hazy[1:] - hazy[:-1]).abs().max()) < 0.03


def test_uneven_light_takes_its_stops_where_the_shade_is():
    shade = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).expand(1, 1, 2, 2)
    dark = UnevenLight((3, 3), 2).degrade(even(0.8, 33), {"stops": torch.tensor([3.0]), "shade": shade})
    # Corners hold the knots; half of three stops is lost in the middle.
    expected = torch.tensor([0.8, 0.8 / 2**1.5, 0.1])
    torch.testing.assert_close(dark[0, :, 16, [0, 16, 32]], expected.expand(3, 3), atol=1e-5, rtol=0)
    drawn = UnevenLight((2, 2), 4)(even(0.8, 64), generators(0))[0, 0]
    assert 0.2 <= float(drawn.min()) < float(drawn.max()) <= 0.8
    assert float(drawn.diff(dim=0).abs().max()) < 0.1


def scene_depth(image, *shares):
    """Depth by which a hazy scene was made, from its transmission of one tenth."""
    scene = HazyScene((0.1, 0.1), (1, 1), (0, 0))
    parameters = scene.sample_parameters(generators(0)) | {"shares": torch.tensor([shares])}
    return ((1 - scene.degrade(image, parameters)) / (1 - image)).log10().neg()


def test_a_hazy_scene_has_its_depth_from_ground_paleness_and_chance():
    ground = scene_depth(even(0.3, 32), 1.0, 0.0, 0.0)
    torch.testing.assert_close(ground[0, 0, :, 5], torch.linspace(1, 0, 32), atol=1e-5, rtol=0)
    # Zhu et al. 2015, Eq. 8: a pale sky lies far away, a dark leaf near.
    colours = torch.tensor([[0.8, 0.85, 0.9], [0.1, 0.3, 0.05]])
    far, near = (float(scene_depth(color.view(1, 3, 1, 1).expand(1, 3, 24, 24), 0, 1, 0).mean()) for color in colours)
    assert far == pytest.approx(0.121779 + 0.95971 * 0.9 - 0.780245 * (1 - 0.8 / 0.9), abs=1e-4)
    assert near == pytest.approx(max(0.0, 0.121779 + 0.95971 * 0.3 - 0.780245 * (1 - 0.05 / 0.3)), abs=1e-4)
    chance = scene_depth(even(0.3, 64), 0.0, 0.0, 1.0)
    assert float(chance.std()) > 0.1
    assert float(chance.diff(dim=3).abs().max()) < 0.1


@pytest.mark.parametrize("size", [(7, 9), (50, 96), (131, 70)])
def test_paleness_is_averaged_over_square_windows_up_to_the_border(size):
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 0.9
    image[..., :2, :] = 0
    colours = color.rgb2hsv(image[0].permute(1, 2, 0).numpy())
    saturation, brightness = (torch.from_numpy(colours[..., place].copy())[None, None] for place in (1, 2))
    pale = 0.121779 + 0.959710 * brightness - 0.780245 * saturation
    window = 1 + 2 * (max(size) // 24)
    directly = F.avg_pool2d(pale.clamp(0, 1), window, 1, window // 2, count_include_pad=False)
    torch.testing.assert_close(scene_depth(image, 0.0, 1.0, 0.0), directly.expand_as(image), atol=2e-5, rtol=0)


def test_no_place_of_a_hazy_scene_looks_at_a_whole_square(monkeypatch):
    looked_at, pool = [], F.avg_pool2d

    def counting(values, window, *others, **options):
        looked_at.append(int(np.prod(np.broadcast_to(window, 2))))
        return pool(values, window, *others, **options)

    monkeypatch.setattr(F, "avg_pool2d", counting)
    HazyScene()(even(0.3, 240), generators(0))
    assert sum(looked_at) == 2 * 21


def test_the_airlight_of_a_scene_is_tinted():
    airlight = HazyScene((0, 0), (0.8, 0.8), (-0.1, 0.1)).sample_parameters(generators(*range(20)))["airlight"]
    assert airlight.shape == (20, 3)
    assert 0.7 <= float(airlight.min()) < 0.75 < 0.85 < float(airlight.max()) <= 0.9
    assert float((airlight.amax(1) - airlight.amin(1)).mean()) > 0.05


def test_grey_is_scikit_image_s_luma_of_rec_601(pictures):
    grey = Grey()(pictures, generators(0, 1, 2, 3))
    exact = color.rgb2yuv(pictures.permute(0, 2, 3, 1).numpy())[..., 0]
    assert np.abs(grey[:, 0].numpy() - exact).max() < 2e-3
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_shrinking_is_pillow_s_bicubic():
    array = skimage_data.cat()[:240, :320]
    image = torch.from_numpy(array.copy()).permute(2, 0, 1)[None].float() / 255
    small = Image.fromarray(array).resize((80, 60), Image.Resampling.BICUBIC)
    difference = (shrunk(image, 4)[0].permute(1, 2, 0) * 255).round().numpy() - np.asarray(small, np.float32)
    assert np.abs(difference).max() <= 1


def test_resizing_loses_detail_and_keeps_the_mean(pictures):
    resized = Resize((3, 3))(pictures, generators(0, 1, 2, 3))
    assert float((resized.mean((2, 3)) - pictures.mean((2, 3))).abs().max()) < 0.03
    assert float((resized - pictures).abs().mean()) > 0.01
    assert float(resized.diff(dim=3).abs().mean()) < 0.7 * float(pictures.diff(dim=3).abs().mean())


def test_a_box_has_its_share_and_is_a_box():
    for seed in range(5):
        missing = BoxMask((0.5, 0.5))(torch.ones(1, 3, 64, 48), generators(seed))[0, 0] == 0
        rows, columns = missing.any(1).nonzero().flatten(), missing.any(0).nonzero().flatten()
        assert len(rows) == pytest.approx(32, abs=1)
        assert len(columns) == pytest.approx(24, abs=1)
        assert int(missing.sum()) == len(rows) * len(columns)
        assert int(rows[-1] - rows[0]) == len(rows) - 1


def test_random_masks_drop_their_share_in_all_channels():
    degraded = RandomMask((0.7, 0.7))(even(0.5), generators(0))
    missing = degraded[0] == 0
    assert torch.equal(missing[0], missing[2])
    assert abs(float(missing[0].float().mean()) - 0.7) < 3 * (0.21 / missing[0].numel()) ** 0.5


def test_strokes_have_their_number_and_width():
    mask = FreeFormMask((1, 1), width=(0.05, 0.05), length=(0.1, 0.1))
    parameters = mask.sample_parameters(generators(0))
    parameters["corners"] = torch.tensor([[[[0.25, 0.25], [0.75, 0.25]] + [[0.75, 0.25]] * 5]])
    missing = mask.missing(parameters, torch.ones(1, 3, 200, 200))[0, 0]
    assert missing[100].nonzero().flatten().tolist() == list(range(45, 55))
    assert missing[:, 50].nonzero().flatten().tolist() == list(range(45, 155))


def test_masks_fill_with_the_value_they_name(pictures):
    degraded = BoxMask((1, 1), fill=(0.3, 0.3))(pictures, generators(0, 1, 2, 3))
    torch.testing.assert_close(degraded, torch.full_like(degraded, 0.3))


def test_a_colour_cast_is_three_gains_in_linear_light():
    cast = ColourCast((0.5, 0.5))
    parameters = cast.sample_parameters(generators(*range(50)))
    stops = parameters["stops"]
    torch.testing.assert_close(stops.sum(1), torch.zeros(50), atol=1e-6, rtol=0)
    torch.testing.assert_close(stops.abs().amax(1), torch.full((50,), 0.5))
    image = even(0.4, 2).expand(50, -1, -1, -1)
    gains = to_linear(cast.degrade(image, parameters).double()) / to_linear(image.double())
    torch.testing.assert_close(gains[:, :, 0, 0].log2().float(), stops, atol=1e-4, rtol=0)


def test_banding_leaves_its_levels():
    ramp = torch.linspace(0, 1, 1000).expand(1, 3, 1, 1000)
    assert len(Banding((5, 5))(ramp, generators(0)).unique()) == 5


def test_rain_streaks_are_bright_and_follow_their_angle():
    rain = Rain((0.002, 0.002), (21, 21), (90, 90), (1, 1), (1, 1))(even(0.2), generators(0))[0, 0]
    assert float(rain.min()) == pytest.approx(0.2, abs=1e-5)
    assert float(rain.max()) > 0.7
    layer = rain - 0.2
    assert float(layer.diff(dim=0).abs().mean()) < 0.5 * float(layer.diff(dim=1).abs().mean())


def test_rain_out_of_focus_is_wider_and_as_bright():
    def layer(sigma):
        rain = Rain((0.002, 0.002), (31, 31), (90, 90), (1, 1), (1, 1), width=(sigma, sigma))
        return (rain(even(0.2), generators(0))[0, 0] - 0.2) / 0.8

    thin, wide = layer(1e-9), layer(2.0)
    # Drawn from the same numbers, and as thin as those that were never widened.
    streaks = Rain((0.002, 0.002), (31, 31), (90, 90), (1, 1), (1, 1))(even(0.2), generators(0))[0, 0]
    torch.testing.assert_close(thin * 0.8 + 0.2, streaks)
    # A Gaussian of height 1 has the area of 2 sqrt(2 pi) pixels; overlapping streaks, cut off at 1, lose a little.
    area = 2 * (2 * torch.pi) ** 0.5
    assert 0.8 * area < float(wide.sum() / thin.sum()) < 1.1 * area
    # No brighter than its drops, and smooth across.
    assert float(wide.max()) <= 1
    assert float(wide.diff(dim=1).abs().max()) < 0.5 < float(thin.diff(dim=1).abs().max())


def test_heavy_rain_adds_its_light_in_streaks_and_fades_along_one_direction():
    fine = {"kernel_size": (21, 21), "width": (0.3, 0.3), "angle": (90, 90)}
    light = HeavyRain(**fine, accumulation=(0.3, 0.3), contrast=(0.05, 0.05), fading=(0, 0))
    layer = (light(even(0.2), generators(0)) - 0.2)[0, 0]
    assert float(layer.mean()) == pytest.approx(0.3, abs=1e-3)
    assert float(layer.std()) == pytest.approx(0.05, abs=1e-3)
    assert float(layer.diff(dim=0).abs().mean()) < 0.5 * float(layer.diff(dim=1).abs().mean())

    fading = HeavyRain(**fine, accumulation=(0.4, 0.4), contrast=(0, 0), fading=(0.5, 0.5))
    image = even(0.2)
    downwards = fading.sample_parameters(generators(0)) | {"weakest": torch.tensor([torch.pi / 2])}
    torch.testing.assert_close(
        (fading.degrade(image, downwards) - 0.2)[0, 0, :, 0],
        torch.linspace(0.4, 0.2, image.shape[2]),
        atol=1e-5,
        rtol=0,
    )


def test_more_snow_covers_more():
    cover = [
        float((Snow((density, density))(even(0.2), generators(0)) > 0.25).float().mean())
        for density in (0.0005, 0.002, 0.008)
    ]
    assert cover[0] > 0.005
    assert cover[0] < cover[1] < cover[2] < 0.9


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (lambda: GaussianNoise((0.2, 0.1)), r"sigma=\[0.2, 0.1\]"),
        (lambda: GaussianNoise((25, 25)), r"sigma=\[25, 25\] .* 0 <= low <= high <= 1"),
        (lambda: GaussianNoise(grey_probability=2), "grey_probability=2"),
        (lambda: Haze((0.3, 1.2)), "transmission"),
        (lambda: Haze(grid_size=0), "grid_size=0"),
        (lambda: LowLight(stops=(-1, 2)), "stops"),
        (lambda: Sequence([]), "at least one"),
        (lambda: Rain(kernel_size=(4, 9)), r"kernel_size=\[4, 9\] must have odd ends"),
        (lambda: Resize(interpolations=("cubic",)), r"interpolations=\['cubic'\] must be some of area"),
        (lambda: Maybe(Grey(), 1.5), "probability=1.5"),
        (lambda: PoissonNoise((0.0, 10.0)), "peak"),
        (lambda: Banding((1, 4)), "levels"),
        (lambda: FreeFormMask((3, 1)), "strokes"),
    ],
)
def test_wrong_settings_name_themselves(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        setting()


@pytest.mark.parametrize("new", [7, 16, 23, 50])
def test_area_resizing_is_the_exact_mean_of_a_staircase(new, pictures):
    image = pictures[:1, :, :, :]
    ours = resized(image, (32, new), "area")[0, 0, 5].double().numpy()
    sums = np.concatenate([[0], np.cumsum(image[0, 0, 5].double().numpy())])
    exact = np.diff(np.interp(np.linspace(0, 32, new + 1), np.arange(33), sums)) * new / 32
    assert np.abs(ours - exact).max() < 1e-6


@pytest.mark.parametrize("size", [(7, 50), (45, 23), (31, 33)])
def test_bilinear_resizing_is_pytorch_s(size, pictures):
    exact = torch.nn.functional.interpolate(pictures, size, mode="bilinear")
    torch.testing.assert_close(resized(pictures, size, "bilinear"), exact, atol=1e-5, rtol=0)
