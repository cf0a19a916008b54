"""What every alignment net must keep."""

import re

import pytest
import torch

import modules.alignment
from modules.alignment.base import Alignment
from modules.alignment.chained import Chained
from modules.alignment.fpam import FPAM
from modules.alignment.identity import Identity
from modules.alignment.light_and_haze import LightAndHaze
from modules.alignment.likeliest import Likeliest
from modules.alignment.masked import Masked
from modules.alignment.plain_stack import PlainStack
from modules.alignment.several_looks import SeveralLooks
from modules.alignment.tone_curve import ToneCurve
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses

CLASSES = concrete_subclasses(modules.alignment, Alignment)


def build(cls) -> Alignment:
    if cls is Likeliest:
        return Likeliest([LightAndHaze(), ToneCurve()])
    if cls is SeveralLooks:
        return SeveralLooks(LightAndHaze())
    return Chained(ToneCurve(), FPAM(width=6)) if cls is Chained else cls()


@pytest.mark.parametrize("cls", CLASSES)
def test_shape_is_kept_for_any_size_and_number_of_chains(cls):
    alignment = build(cls)
    for height, width in ((1, 1), (5, 9), (16, 12)):
        degraded = torch.rand(2, 3, height, width)
        alignment.begin(degraded, generators(0, 1))
        for chains in (1, 2):
            images = torch.rand(2 * chains, 3, height, width)
            assert alignment(images).shape == images.shape
            assert alignment(images).isfinite().all()
        assert alignment.invert(degraded).shape == degraded.shape


@pytest.mark.parametrize("cls", CLASSES)
def test_each_row_has_its_own_net(cls, pictures):
    alignment = build(cls)
    alignment.begin(pictures, generators(0, 1, 2, 3))
    together = alignment(pictures)
    for row in range(4):
        alignment.begin(pictures[row : row + 1], generators(row))
        torch.testing.assert_close(alignment(pictures[row : row + 1])[0], together[row], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_gradient_reaches_the_images_and_the_parameters_of_their_row_only(cls, pictures):
    alignment = build(cls)
    alignment.begin(pictures[:2], generators(0, 1))
    images = pictures[:2].clone().requires_grad_()
    alignment(images)[0].pow(2).sum().backward()
    assert images.grad[0].abs().sum() > 0
    assert images.grad[1].abs().sum() == 0
    for parameter in alignment.learnt_parameters():
        assert parameter.grad.isfinite().all()
        assert parameter.grad[1].abs().sum() == 0


@pytest.mark.parametrize("cls", CLASSES)
def test_the_same_generator_starts_the_same_net(cls, pictures):
    alignment = build(cls)
    outputs = []
    for _ in range(2):
        alignment.begin(pictures[:1], generators(7))
        outputs.append(alignment(pictures[:1]))
    assert torch.equal(*outputs)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_inverse_undoes_the_damage(cls, pictures):
    alignment = build(cls)
    images = 0.2 + 0.6 * pictures
    alignment.begin(images, generators(0, 1, 2, 3))
    if cls is PlainStack or not list(alignment.parameters()):
        assert torch.equal(alignment.invert(images), images)
        return
    explained = alignment(alignment.invert(images))
    restored = alignment.invert(images)
    # A pixel whose darkest channel was held at black says nothing of the others.
    inside = ((restored > 0.01) & (restored < 0.99)).all(dim=1, keepdim=True).expand_as(images)
    torch.testing.assert_close(explained[inside], images[inside], atol=2e-3, rtol=0)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_picture_of_one_colour_stays(cls, level):
    alignment = build(cls)
    plain = torch.full((1, 3, 64, 64), level)
    alignment.begin(plain, generators(0))
    torch.testing.assert_close(alignment.invert(plain), plain, atol=1e-4, rtol=0)


def test_what_is_made_of_others_learns_what_they_learn(pictures):
    # A candidate that no image takes is not learnt: nothing would lead a gradient to it.
    chosen = Likeliest([Identity(), ToneCurve()], margin_db=100.0)
    for alignment in (chosen, Masked(chosen), Chained(chosen, Identity())):
        alignment.begin(pictures, generators(0, 1, 2, 3))
        assert alignment.learnt_parameters() == []
    both = Chained(ToneCurve(), FPAM(width=6))
    both.begin(pictures, generators(0, 1, 2, 3))
    assert {*both.learnt_parameters()} == {*both.parameters()}


def test_the_residual_net_has_the_size_of_the_released_one():
    fpam, plain = FPAM(), PlainStack()
    for alignment, size in ((fpam, 373_577), (plain, 371_587)):
        alignment.begin(torch.rand(1, 3, 8, 8), generators(0))
        assert sum(parameter.numel() for parameter in alignment.parameters()) == size


@pytest.mark.parametrize("use_mean_channel", [False, True])
def test_the_residual_net_starts_as_the_identity(pictures, use_mean_channel):
    alignment = FPAM(use_mean_channel=use_mean_channel)
    alignment.begin(pictures, generators(0, 1, 2, 3))
    images = pictures - 0.3  # decoded images may leave [0, 1]
    torch.testing.assert_close(alignment(images), images, atol=1e-5, rtol=0)


def test_the_tone_curve_guess_recovers_exposure_and_haze(pictures):
    alignment = ToneCurve(gamma_strength=0.0)
    for low, high in ((0.0, 0.2), (0.45, 0.9)):
        stretched = (pictures - pictures.amin((1, 2, 3), True)) / (
            pictures.amax((1, 2, 3), True) - pictures.amin((1, 2, 3), True)
        )
        degraded = low + (high - low) * stretched
        alignment.begin(degraded, generators(0, 1, 2, 3))
        before = (degraded - stretched).pow(2).mean()
        after = (alignment.invert(degraded) - stretched).pow(2).mean()
        assert after < 0.25 * before


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (lambda: ToneCurve(percentile=0.5), "percentile=0.5"),
        (lambda: ToneCurve(windows_px=(3, 2)), "windows_px=(3, 2)"),
        (lambda: ToneCurve(gamma_strength=2), "gamma_strength=2"),
        (lambda: ToneCurve(night_strength=-1), "night_strength=-1"),
        (lambda: FPAM(width=3), "width=3"),
    ],
)
def test_wrong_settings_name_themselves(setting, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        setting()


def test_a_night_scene_with_lamps_is_brightened_and_a_day_is_not(pictures):
    """As dark as ordinary photos never are on the whole, but white somewhere, so that a stretch does nothing."""
    night = pictures * 0.12
    # Larger than the window that smooths the percentiles.
    night[..., :6, :6] = 1
    night = torch.nn.functional.interpolate(night, scale_factor=2)
    night[..., 24:, :] *= 0.5
    pictures = torch.nn.functional.interpolate(pictures, scale_factor=2)
    alignment = ToneCurve()
    alignment.begin(torch.cat([night, pictures]), generators(*range(8)))
    brightened, same = alignment.invert(torch.cat([night, pictures])).chunk(2)
    dark = night[..., 24:, 24:].mean(dim=(1, 2, 3))
    assert float((brightened[..., 24:, 24:].mean(dim=(1, 2, 3)) / dark).min()) > 1.5
    assert float(brightened[..., :10, :10].min()) > 0.95
    ordinary = [row for row in range(4) if float(pictures[row].mean()) > 0.2]
    assert len(ordinary) >= 3
    plain = ToneCurve(night_strength=0.0)
    plain.begin(pictures, generators(*range(4)))
    torch.testing.assert_close(same[ordinary], plain.invert(pictures)[ordinary])


def test_identity_learns_nothing():
    assert not list(Identity().parameters())
