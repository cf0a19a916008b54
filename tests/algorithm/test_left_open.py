"""What the damage leaves open - missing pixels, lost detail - is the sample's; what was seen stays as it was seen."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import data as skimage_data
from skimage.restoration import inpaint_biharmonic

from degradations.missing.box_mask import BoxMask
from degradations.missing.free_form_mask import FreeFormMask
from degradations.missing.random_mask import RandomMask
from degradations.resolution.down_sampling import DownSampling
from ldrps.configuration.presets import load_preset
from ldrps.data.image_files import to_tensor
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.proximal_guidance import ProximalGuidance
from ldrps.methods.ld_rps.sampling import SamplingSettings
from modules.alignment.affine import Affine
from modules.alignment.chained import Chained
from modules.alignment.down_sampled import DownSampled
from modules.alignment.filling import filled
from modules.alignment.identity import Identity
from modules.alignment.likeliest import Likeliest
from modules.alignment.masked import Masked
from modules.alignment.missing_pixels import missing_pixels
from modules.alignment.tone_curve import ToneCurve
from modules.outputs.undone import Undone
from modules.windows import split
from tests.builders import generators, make_restorer

MASKS = [BoxMask(), RandomMask(), FreeFormMask()]


@pytest.fixture(scope="module")
def photos():
    makers = (skimage_data.astronaut, skimage_data.cat, skimage_data.coffee)
    photos = [to_tensor(Image.fromarray(make()).resize((96, 64))) for make in makers]
    return torch.stack(photos).clamp(min=1 / 255)


def holes(mask, photos):
    parameters = mask.sample_parameters(generators(*range(len(photos))))
    return mask.missing(parameters, photos) > 0


def error(first, second):
    return float((first - second).square().mean())


def test_a_hole_in_a_harmonic_picture_is_filled_as_it_was():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 56), indexing="ij")
    harmonic = torch.stack([x, y, x * y])[None]
    known = torch.ones(1, 1, 40, 56, dtype=torch.bool)
    known[..., 12:20, 20:33] = False
    torch.testing.assert_close(filled(harmonic, known), harmonic, atol=0.02, rtol=0)


def test_filling_is_linear_keeps_what_is_known_and_rows_apart(photos):
    known = ~holes(RandomMask(), photos)
    both = filled(photos + 2 * photos.flip(3), known)
    torch.testing.assert_close(both, filled(photos, known) + 2 * filled(photos.flip(3), known), atol=1e-5, rtol=0)
    assert torch.equal(torch.where(known, both, 0), torch.where(known, photos + 2 * photos.flip(3), 0))
    torch.testing.assert_close(filled(photos[1:2], known[1:2])[0], filled(photos, known)[1])
    assert not filled(photos, torch.zeros_like(known)).any()


def test_it_fills_a_large_hole_as_well_as_bent_plates_do(photos):
    missing = holes(BoxMask(), photos)
    plates = [
        inpaint_biharmonic(photo.permute(1, 2, 0).numpy(), hole[0].numpy(), channel_axis=2)
        for photo, hole in zip(photos, missing, strict=True)
    ]
    plates = torch.from_numpy(np.stack(plates)).permute(0, 3, 1, 2).float()
    assert error(filled(photos, ~missing), photos) < 1.05 * error(plates, photos)


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: type(mask).__name__)
def test_holes_are_found_and_shadows_are_not(photos, mask):
    missing = holes(mask, photos)
    found = missing_pixels(torch.where(missing, 0, photos))
    assert float((found & missing).sum() / missing.sum()) > 0.95
    assert float((found & ~missing).sum() / missing.sum()) < 0.01


def test_black_with_a_soft_rim_a_frame_and_a_black_picture_are_no_holes(photos):
    ramp = (torch.linspace(-0.2, 1, 96) / 8).clamp(min=0).expand(1, 3, 64, 96).clone()
    framed = photos[:1].clone()
    framed[..., :6, :] = framed[..., -6:, :] = 0
    for image in (ramp, framed, torch.zeros(1, 3, 8, 8), photos):
        assert not missing_pixels(image).any()
    # An ordinary photo with a tenth of its pixels black.
    astronaut = to_tensor(Image.fromarray(skimage_data.astronaut()))[None]
    assert float((astronaut.amax(dim=1) == 0).float().mean()) > 0.1
    assert float(missing_pixels(astronaut).float().mean()) < 0.001


def test_a_sample_that_is_right_up_to_its_brightness_fills_a_hole_with_the_truth(photos):
    missing = holes(BoxMask(), photos)
    degraded = torch.where(missing, 0, photos)
    alignment = Masked()
    alignment.begin(degraded, generators(0, 1, 2))
    assert error(alignment.fill(degraded, 0.1 + 0.8 * photos), photos) < 0.1 * error(alignment.fill(degraded), photos)
    torch.testing.assert_close(alignment.fill(degraded, photos), photos, atol=1e-5, rtol=0)


def test_what_is_missing_neither_guides_nor_teaches(photos):
    missing = holes(BoxMask(), photos)
    degraded = torch.where(missing, 0, 0.5 * photos)
    alignment = Masked(Affine())
    alignment.begin(degraded, generators(0, 1, 2))
    images = photos.clone().requires_grad_()
    redegraded = alignment(images)
    assert torch.equal(redegraded[missing.expand_as(photos)], degraded[missing.expand_as(photos)])
    (redegraded - degraded).square().sum().backward()
    assert not images.grad[missing.expand_as(photos)].any()
    assert images.grad[~missing.expand_as(photos)].any()


def test_the_mask_may_be_a_file_of_the_photos_own_size(photos, tmp_path):
    hole = np.zeros((60, 90), dtype=np.uint8)
    hole[10:30, 20:50] = 255
    path = tmp_path / "mask.png"
    Image.fromarray(hole).save(path)
    alignment = Masked(mask_file=str(path))
    alignment.begin(photos, generators(0, 1, 2))  # padded to 64 x 96
    assert float(alignment.missing.float().sum()) == 3 * 20 * 30
    with pytest.raises(ValueError, match=r"mask.png is 90 x 60 pixels, but what is restored 200 x 20: give a mask"):
        alignment.begin(torch.rand(1, 3, 20, 200), generators(0))
    with pytest.raises(ValueError, match=r"mask_file=none.png cannot be read as a picture"):
        Masked(mask_file="none.png").load()


@pytest.mark.parametrize("factor", [2, 4])
def test_down_sampling_is_that_of_the_suites_and_the_nearest_explanation_explains(photos, factor):
    # No clipping at black and white, which is not linear.
    photos = 0.4 + 0.2 * photos
    degraded = DownSampling((factor, factor)).degrade(photos, {"factor": torch.full((3,), factor)})
    alignment = DownSampled(factor)
    torch.testing.assert_close(alignment(photos), degraded, atol=1e-5, rtol=0)
    for sample in (photos.flip(0), torch.full_like(photos, 0.5), None):
        torch.testing.assert_close(alignment(alignment.fill(degraded, sample)), degraded, atol=1e-4, rtol=0)
    torch.testing.assert_close(alignment.fill(degraded, photos), photos, atol=1e-4, rtol=0)
    # The nearest one: what is added to a sample is orthogonal to what leaves no trace.
    sample = torch.full_like(photos, 0.5)
    added, unseen = (
        alignment.fill(degraded, sample) - sample,
        photos - alignment.fill(degraded, torch.zeros_like(photos)),
    )
    assert abs(float((added * unseen).sum())) < 1e-2 * float(added.norm() * unseen.norm())


def test_shrinking_is_made_once_for_all_steps_windows_and_samples(photos, monkeypatch):
    alignment = DownSampled(4)
    alignment.begin(photos, generators(0, 1, 2))
    reduced = F.avg_pool2d(photos, 2)
    first = alignment(photos), alignment.fill(photos, photos.flip(0)), alignment(reduced)
    expected = DownSampled(4)
    for one, other in zip(
        first, (expected(photos), expected.fill(photos, photos.flip(0)), expected(reduced)), strict=True
    ):
        assert torch.equal(one, other)

    def refuse(*given, **options):
        raise AssertionError("made once more")

    monkeypatch.setattr(F, "interpolate", refuse)
    monkeypatch.setattr(torch.linalg, "solve", refuse)
    again = alignment(photos), alignment.fill(photos, photos.flip(0)), alignment(reduced)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    for window in split(photos.shape[-2:], 48, alignment.reach_px):
        with alignment.at(window):
            part = alignment(window.outer(photos))
        torch.testing.assert_close(window.core(part), window.core(window.outer(first[0])), atol=1e-5, rtol=0)
    alignment.begin(photos, generators(0, 1, 2))
    assert torch.equal(alignment(photos), first[0])


def test_factors_below_two_are_named():
    with pytest.raises(ValueError, match=re.escape("factor=1 must be at least 2")):
        DownSampled(1)


@pytest.mark.parametrize(
    "alignment",
    [Chained(Affine(), Masked()), Chained(Masked(), Affine()), Likeliest([Masked(), Identity()])],
    ids=["mask last", "mask first", "likeliest"],
)
def test_nets_of_nets_leave_open_what_one_of_them_does(photos, alignment):
    degraded = torch.where(holes(BoxMask(), photos), 0, photos)
    alignment.begin(degraded, generators(0, 1, 2))
    assert alignment.leaves_open
    torch.testing.assert_close(alignment.fill(degraded, photos), photos, atol=1e-4, rtol=0)
    assert not Chained(Affine(), Identity()).leaves_open


def test_what_was_seen_comes_back_exactly_and_the_sample_says_the_rest(micro_folder, pictures):
    missing = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    missing[..., 8:20, 10:24] = True
    degraded = torch.where(missing, 0, pictures[:2].clamp(min=1 / 255))
    restorer = make_restorer(
        micro_folder,
        sampling=SamplingSettings(6, start_from="degraded", start_strength=0.8, num_refinements=0, num_samples=2),
        guidance=GuidanceSettings(3.0, alignment_until=1000),
        alignment=Masked(),
        guidance_class=ProximalGuidance,
        output=Undone(),
    )
    restored = restorer.restore(degraded, [None] * 2)
    assert torch.equal(torch.where(missing, 0, restored), degraded)
    simple = restorer.alignment.fill(degraded)
    assert not torch.equal(restored, simple)
    torch.testing.assert_close(restorer.restore(degraded[1:], [None])[0], restored[1], atol=1e-4, rtol=0)
    restorer.sampling = SamplingSettings(0, start_from="degraded")
    torch.testing.assert_close(restorer.restore(degraded, [None] * 2), simple, atol=1e-6, rtol=0)


def test_a_photo_in_order_but_for_its_holes_is_filled_and_larger_ones_are_not_reduced(micro_folder, pictures):
    degraded = pictures[:1].clamp(min=1 / 255).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    degraded[..., 20:40, 20:44] = 0
    settings = {
        "sampling": SamplingSettings(2, start_from="degraded", start_strength=0.8, num_refinements=0),
        "alignment": Masked(Likeliest([Identity(), ToneCurve()], margin_db=100.0)),
        "output": Undone(),
    }
    restored = make_restorer(micro_folder, **settings).restore(degraded, [None])
    assert float(restored[..., 20:40, 20:44].mean()) > 0.05
    # Averages of black and seen pixels are no holes.
    with pytest.raises(ValueError, match="max_side_px=48 is smaller than the photo, and what is missing cannot"):
        make_restorer(micro_folder, max_side_px=48, **settings).restore(degraded, [None])


def test_several_samples_cost_as_many_steps():
    assert SamplingSettings(10, num_refinements=0, num_samples=3).num_steps == 30
    with pytest.raises(ValueError, match="num_samples=0 must be at least 1"):
        SamplingSettings(num_samples=0)


def test_the_embedded_model_fills_gaps_better_than_what_surrounds_them():
    photo = to_tensor(Image.fromarray(skimage_data.cat()[40:136, 100:196]))[None].clamp(min=1 / 255)
    degraded = torch.where(holes(RandomMask(), photo), 0, photo)
    restorer = load_preset("inpainting", sampling__num_samples=1)
    restorer.load()
    restored = restorer.restore(degraded, [None])
    assert error(restored, photo) < 0.95 * error(restorer.alignment.fill(degraded), photo)
    # Each sample draws detail of its own; their mean is nearer to the photo than one.
    restorer.sampling = replace(restorer.sampling, num_samples=3)
    assert error(restorer.restore(degraded, [None]), photo) < 0.99 * error(restored, photo)
