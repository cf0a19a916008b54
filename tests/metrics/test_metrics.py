"""Measures against scikit-image, torchmetrics and closed forms."""

import importlib.machinery
import inspect
import sys
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchmetrics.functional.image as torchmetrics_image
from skimage import data as skimage_data
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import ldrps.metrics
from ldrps.metrics.base import Metric, luma
from ldrps.metrics.color_difference import ColorDifference
from ldrps.metrics.default import default_metrics
from ldrps.metrics.fidelity import PSNR, SSIM, MultiScaleSSIM, PSNRMeanMatched
from ldrps.metrics.learned import CLIPIQA
from ldrps.metrics.pyiqa import PyIQA
from ldrps.metrics.vif import VIF
from tests.contracts.discover import concrete_subclasses

CLASSES = concrete_subclasses(ldrps.metrics, Metric)


@pytest.fixture(scope="module")
def photos():
    """Two real photos and noisy, darker copies of them, with a flat and a lost corner."""
    crops = np.stack([skimage_data.cat()[:192, 100:276], skimage_data.astronaut()[:192, 100:276]])
    target = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    preds = (0.8 * target + 0.05 * noise).clamp(0, 1)
    target[:, :, :40, :40] = 0.5
    preds[:, :, 60:100, 60:100] = 0.2
    return (preds * 255).round() / 255, target


def arrays(images, row):
    return [(image[row].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8) for image in images]


@pytest.mark.parametrize("border", [0, 4])
def test_psnr_and_ssim_are_scikit_image_s(photos, border):
    psnr, ssim = PSNR(border_px=border)(*photos), SSIM(border_px=border)(*photos)
    for row in range(2):
        ours, theirs = arrays(photos, row)
        inside = slice(border, -border) if border else slice(None)
        ours, theirs = ours[inside, inside], theirs[inside, inside]
        assert psnr[row] == pytest.approx(peak_signal_noise_ratio(theirs, ours), abs=1e-4)
        exact = structural_similarity(
            theirs, ours, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert ssim[row] == pytest.approx(exact, abs=2e-4)


def test_luma_is_scikit_image_s(photos):
    exact = rgb2ycbcr(photos[1][0].permute(1, 2, 0).double().numpy())[..., 0]
    assert np.abs(luma(photos[1])[0, 0].numpy() * 255 - exact).max() < 1e-3
    psnr = PSNR(color="y")(*photos)[0]
    ours, theirs = (rgb2ycbcr(array / 255)[..., 0] for array in arrays(photos, 0))
    assert psnr == pytest.approx(peak_signal_noise_ratio(theirs, ours, data_range=255), abs=1e-3)


def test_vif_is_torchmetrics(photos):
    preds, target = photos
    exact = torchmetrics_image.visual_information_fidelity(preds * 255, target * 255, reduction="none")
    assert VIF()(preds, target) == pytest.approx(exact.tolist(), abs=1e-4)
    assert VIF()(target, target) == pytest.approx([1, 1], abs=1e-5)


def test_ms_ssim_is_that_of_its_paper(photos):
    preds, target = (photo.double().flatten(0, 1)[:, None] for photo in photos)
    places = torch.arange(11, dtype=torch.float64) - 5
    bell = torch.exp(-(places**2) / (2 * 1.5**2))
    window = (bell[:, None] * bell)[None, None] / bell.sum() ** 2

    def mean(image):
        return F.conv2d(image, window)

    # Wang et al. 2003, Eq. 7: structure and contrast at every scale, luminance at the coarsest.
    exact = torch.ones(len(preds), dtype=torch.float64)
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        first, second = mean(preds), mean(target)
        variances = mean(preds**2) - first**2 + mean(target**2) - second**2
        similarity = (2 * (mean(preds * target) - first * second) + 0.03**2) / (variances + 0.03**2)
        if scale == 4:
            similarity = similarity * (2 * first * second + 0.01**2) / (first**2 + second**2 + 0.01**2)
        exact *= similarity.mean(dim=(1, 2, 3)) ** weight
        preds, target = F.avg_pool2d(preds, 2), F.avg_pool2d(target, 2)
    # Windows of the coarsest scale lie whole within the photo in the paper, and are mirrored at the border here.
    assert MultiScaleSSIM()(*photos) == pytest.approx(exact.view(-1, 3).mean(dim=1).tolist(), abs=0.01)


def test_the_colour_difference_is_of_colours_as_seen(photos):
    _, target = photos
    assert ColorDifference()(target, target) == [0.0, 0.0]
    # Two greys differ in lightness alone, where the formula has a closed form (Luo et al. 2001).
    greys = [torch.full((1, 3, 4, 4), value / 255) for value in (100, 120)]
    luminances = [((value / 255 + 0.055) / 1.055) ** 2.4 for value in (100, 120)]
    first, second = (116 * luminance ** (1 / 3) - 16 for luminance in luminances)
    middle = ((first + second) / 2 - 50) ** 2
    expected = (second - first) / (1 + 0.015 * middle / (20 + middle) ** 0.5)
    assert ColorDifference()(*greys)[0] == pytest.approx(expected, abs=0.01)
    # Losing the colour is seen, and PSNR after matching brightness would not say how.
    grey = target.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    assert min(ColorDifference()(grey, target)) > 3


def test_matching_the_mean_forgives_a_wrong_exposure_only(photos):
    _, target = photos
    dark = (target * 0.5 * 255).round() / 255
    plain, matched = PSNR()(dark, target)[0], PSNRMeanMatched()(dark, target)[0]
    assert matched > plain + 20
    noisy = (target + 0.1 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert PSNRMeanMatched()(noisy, target)[0] == pytest.approx(PSNR()(noisy, target)[0], abs=0.5)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_measure_is_documented_and_quotable(cls):
    metric = cls()
    assert metric.column
    assert metric.implementation in metric.settings
    assert inspect.getdoc(cls)
    reason = metric.unavailable()
    assert reason is None or len(reason) > 10


@pytest.mark.parametrize("metric", [metric for metric in default_metrics() if metric.unavailable() is None])
def test_a_batch_is_its_images_and_small_ones_are_not_measured(metric, photos):
    preds, target = photos
    together = metric(preds, target)
    for row in range(2):
        assert metric(preds[row : row + 1], target[row : row + 1])[0] == pytest.approx(together[row], rel=1e-5)
    tiny = torch.rand(1, 3, 8, 8)
    [value] = metric(tiny, tiny)
    assert (value is None) == (metric.min_side_px > 8)
    if metric.needs_target:
        assert metric(preds, None) == [None, None]


@pytest.mark.parametrize("side", [160, 161, 175, 176, 177])
def test_every_size_is_measured_or_left_out(side):
    image = torch.rand(1, 3, side, 200, generator=torch.Generator().manual_seed(0))
    for metric in default_metrics():
        if metric.unavailable() is None:
            [value] = metric(image, image)
            assert (value is None) == (side < metric.min_side_px)


def test_columns_of_a_protocol_are_distinct():
    columns = [PSNR().column, PSNR("y").column, PSNR(border_px=4).column, PSNR("y", 4).column]
    assert columns == ["psnr", "psnr_y", "psnr_crop4", "psnr_y_crop4"]


def test_missing_weights_are_a_sentence_and_never_a_download():
    assert "not on this machine: hf download nobody/nothing" in CLIPIQA("nobody/nothing").unavailable()


@pytest.mark.parametrize(
    ("name", "is_higher"),
    [
        *((name, False) for name in ("niqe", "niqe_matlab", "ilniqe", "brisque", "brisque_matlab", "piqe", "pi")),
        *((name, True) for name in ("musiq", "musiq-spaq", "paq2piq", "nrqm", "clipiqa+")),
    ],
)
def test_the_direction_of_pyiqa_s_measures_is_known_before_they_are_made(name, is_higher):
    assert PyIQA(name).higher_is_better is is_higher


@pytest.mark.parametrize("lower_better", [False, True])
def test_a_measure_of_pyiqa_says_itself_which_way_is_better(lower_better, monkeypatch):
    module = types.ModuleType("pyiqa")
    module.__spec__ = importlib.machinery.ModuleSpec("pyiqa", None)
    module.create_metric = lambda name: types.SimpleNamespace(lower_better=lower_better)
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    metric = PyIQA("niqe" if not lower_better else "of_next_year")
    assert metric.unavailable() is None
    assert metric.higher_is_better is not lower_better


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="color='lab'"):
        PSNR(color="lab")
    with pytest.raises(ValueError, match="border_px=-1"):
        PSNR(border_px=-1)
