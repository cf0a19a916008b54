"""What every output must keep."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.fft import dctn
from skimage import data as skimage_data
from skimage.restoration import estimate_sigma

import modules.outputs
from degradations.coding.jpeg import JPEG
from modules.blocks import blocking_level, first_blocks
from modules.networks.pixel_denoiser import PixelDenoiser
from modules.noise_level import noise_level
from modules.outputs.base import Output
from modules.outputs.decoded import Decoded
from modules.outputs.denoised import Denoised
from modules.outputs.photo_noise import find_noise
from modules.outputs.refined import Refined
from modules.outputs.undone import Undone
from modules.outputs.undone_noise import OPPONENT, in_rgb, rotated
from modules.outputs.wiener import Wiener, cosine_basis, share_of_finest
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses

CLASSES = concrete_subclasses(modules.outputs, Output)
DENOISING = [cls for cls in CLASSES if cls not in (Decoded, Undone)]


def same(images):
    return images


def noise_of(channels):
    wiener = Wiener()
    wiener.load()
    return find_noise(channels, channels.mean(dim=1, keepdim=True), wiener.noise.network)


def coarseness(channels):
    return noise_of(channels).coarseness


def mean_squared(first, second):
    return float(((first - second) ** 2).mean())


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(skimage_data.astronaut()[:192, 120:312].copy()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def smooth(photo):
    """What an autoencoder could have made of it."""
    return torch.nn.functional.avg_pool2d(photo, 3, stride=1, padding=1, count_include_pad=False)


@pytest.mark.parametrize("cls", CLASSES)
def test_shape_is_kept_and_rows_are_independent(cls, pictures):
    output = cls()
    for height, width in ((1, 1), (3, 50), (31, 17), (32, 32)):
        degraded = pictures[..., :height, :1].expand(-1, -1, -1, width).contiguous()
        degraded = (degraded + 0.1 * torch.randn(degraded.shape, generator=torch.Generator().manual_seed(0))).clamp(
            0, 1
        )
        together = output(degraded.flip(0), degraded, same)
        assert together.shape == degraded.shape
        assert together.isfinite().all()
        alone = output(degraded.flip(0)[1:2], degraded[1:2], same)[0]
        torch.testing.assert_close(alone, together[1], atol=1e-5, rtol=1e-4)


def test_the_decoded_output_is_the_sample(photo, smooth):
    assert Decoded()(smooth, photo, same) is smooth


# An enlarged photo is not clean to what was trained on low resolution.
@pytest.mark.parametrize("cls", [cls for cls in DENOISING if cls is not Refined])
def test_a_clean_input_comes_back_whatever_the_autoencoder_loses(cls, photo):
    # Smooth enough that nothing looks like noise, so that the filter has no reason to touch it.
    clean = torch.nn.functional.interpolate(photo, scale_factor=4, mode="bicubic").clamp(0, 1)
    pilot = torch.full_like(clean, 0.5)
    torch.testing.assert_close(cls()(pilot, clean, same), clean, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("level", [0.0, 0.05, 1.0])
def test_a_plain_picture_stays_plain(cls, level):
    plain = torch.full((1, 3, 48, 40), level)
    torch.testing.assert_close(cls()(plain, plain, same), plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cls", DENOISING)
@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_noise_goes_and_what_the_sample_lacks_comes_back(cls, photo, smooth, sigma):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(sigma)) * sigma / 255
    noisy = (photo + noise).clamp(0, 1)
    restored = cls()(smooth, noisy, same)
    assert mean_squared(restored, photo) < 0.35 * mean_squared(noisy, photo)
    if sigma < 50:
        assert mean_squared(restored, photo) < mean_squared(smooth, photo)


@pytest.mark.parametrize("cls", DENOISING)
def test_noise_that_undoing_the_damage_enlarges_is_taken_for_what_it_became(cls, photo, smooth):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(1)) * 0.02
    dark_noisy = (photo * 0.2 + noise).clamp(0, 1)

    def undo(images):
        return (images * 5).clamp(0, 1)

    restored = cls()(smooth, dark_noisy, undo)
    assert mean_squared(restored, photo) < 0.35 * mean_squared(undo(dark_noisy), photo)


def test_the_weights_are_those_of_the_formula():
    # One patch, whose pilot is known: every coefficient is multiplied by p^2 / (p^2 + s^2), the mean by one.
    generator = torch.Generator().manual_seed(0)
    noisy, pilot = (torch.randn(1, 1, 8, 8, generator=generator) for _ in range(2))
    variance = torch.full_like(noisy, 0.3)
    expected = dctn(noisy[0, 0].double().numpy(), norm="ortho")
    power = dctn(pilot[0, 0].double().numpy(), norm="ortho") ** 2
    gain = power / (power + 0.3)
    gain[0, 0] = 1
    from modules.outputs.wiener import _filter_patches, _to_cosines

    basis = cosine_basis(8)
    filtered, weight = _filter_patches(noisy, pilot, variance, torch.ones(1, 1, 1, 8, 1, 8), basis)
    coefficients = _to_cosines(filtered / weight, basis)[0, 0, 0, :, 0]
    np.testing.assert_allclose(coefficients.numpy(), expected * gain, atol=1e-5)
    np.testing.assert_allclose(float(weight[0, 0, 0, 0]), 1 / (gain**2).sum(), rtol=1e-5)


@pytest.mark.parametrize("sigma", [5, 15, 25])
def test_the_noise_level_is_scikit_image_s(photo, sigma):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(sigma)) * sigma / 255
    noisy = photo + noise
    estimated = noise_level(noisy).flatten()
    theirs = estimate_sigma(noisy[0].permute(1, 2, 0).numpy(), channel_axis=2)
    np.testing.assert_allclose(estimated.numpy(), theirs, rtol=0.08)
    assert float(estimated.mean()) * 255 == pytest.approx(sigma, rel=0.35)


def test_blocks_are_found_at_any_phase_and_only_where_there_are_any(photo):
    brightness = photo.mean(dim=1, keepdim=True)
    assert float(blocking_level(brightness).max()) == 0
    coded = JPEG((10, 10))(photo, generators(0)).mean(dim=1, keepdim=True)
    level = float(blocking_level(coded))
    error = mean_squared(coded, brightness) ** 0.5
    assert error / 3 < level < error * 2
    assert float(blocking_level(coded[..., 3:, 5:])) == pytest.approx(level, rel=0.2)
    for top, left in ((0, 0), (3, 5), (7, 1), (0, 4)):
        cut = coded.expand(-1, 3, -1, -1)[..., top:, left:]
        assert first_blocks(cut).tolist() == [[-top % 8, -left % 8]]
    assert first_blocks(photo).tolist() == first_blocks(photo[..., :9, :]).tolist() == [[0, 0]]
    milder = JPEG((40, 40))(photo, generators(0)).mean(dim=1, keepdim=True)
    assert float(blocking_level(milder)) < level


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"stride_px": 3}, "stride_px=3"),
        ({"num_rounds": 0}, "num_rounds=0"),
        ({"strength": -1.0}, "strength=-1"),
        ({"patch_px": 0}, "patch_px=0"),
    ],
)
def test_wrong_settings_are_named(settings, named):
    with pytest.raises(ValueError, match=named):
        Wiener(**settings)


@pytest.mark.parametrize("sigma", [5, 15, 25])
def test_white_noise_on_a_photo_is_taken_for_white(photo, sigma):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(sigma)) * sigma / 255
    assert float(coarseness(photo + noise).max()) < 1.1


def test_noise_that_a_camera_smoothed_is_found_coarser():
    noise = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    kernel = torch.tensor([[0.15, 0.7, 0.15]])
    smoothed = torch.nn.functional.conv2d(noise.transpose(0, 1), (kernel.T @ kernel)[None, None], padding=1)
    assert float(coarseness(noise).max()) < 1.02
    smoothed = smoothed.transpose(0, 1)
    # Its finest octave is left with a third of its amplitude, the next with two thirds.
    assert 1.7 < float(coarseness(smoothed).mean()) < 2.2
    # What is heard at three scales adds up to all that there is.
    found = noise_of(smoothed).level
    torch.testing.assert_close(found.mean(), smoothed.std(), rtol=0.1, atol=0)


@pytest.mark.parametrize("factor", [1.0, 1.3, 1.7])
def test_the_noise_of_all_scales_is_the_sum_of_its_octaves(factor):
    octaves = sum(0.01 * factor ** (2 * scale) * 0.75 * 0.25**scale for scale in range(60))
    torch.testing.assert_close(octaves * share_of_finest(torch.tensor(factor)), torch.tensor(0.01))


def test_colour_noise_is_heard_where_a_file_took_its_fine_part_away(photo):
    dark = photo / 3
    noise = 0.03 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    noisy, clean = (JPEG((100, 100))(image.clamp(0, 1), generators(0)) for image in (dark + noise, dark))
    left = rotated(noisy - clean, torch.tensor(OPPONENT)).std(dim=(2, 3))
    found = noise_of(rotated(noisy, torch.tensor(OPPONENT)))
    assert float(found.coarseness[:, 1:].min()) > 1.5
    torch.testing.assert_close(found.level[..., 0, 0], left, rtol=0.15, atol=0)


@pytest.mark.parametrize("cls", DENOISING)
@pytest.mark.parametrize("name", ["grass", "gravel", "brick", "astronaut", "coffee"])
def test_texture_comes_back_as_it_was(cls, name):
    image = np.atleast_3d(getattr(skimage_data, name)())[:256, :256]
    texture = torch.from_numpy(np.broadcast_to(image, (256, 256, 3)).copy()).permute(2, 0, 1)[None].float() / 255
    soft = torch.nn.functional.avg_pool2d(texture, 3, stride=1, padding=1, count_include_pad=False)
    assert mean_squared(cls()(soft, texture, same), texture) < (1 / 255) ** 2


@pytest.mark.parametrize(
    ("output", "part"),
    [
        (Wiener(weights="none"), "noise share"),
        (Denoised(weights="none"), "output Denoised"),
        (Denoised(noise_weights="none"), "noise share"),
    ],
)
def test_weights_that_cannot_be_read_are_one_sentence(tmp_path, monkeypatch, output, part):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"weights 'none' of the {part} cannot be read") as caught:
        output.load()
    assert "\n" not in str(caught.value)


def test_weights_of_which_some_are_missing_are_not_taken(tmp_path):
    PixelDenoiser(widths=(8, 8), num_blocks=1).save_pretrained(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["leave.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"cannot be read \(.*1 weights are missing, the first is leave.weight"):
        Denoised(str(tmp_path)).load()


def test_all_views_are_better_than_one(photo, smooth):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(3)) * 30 / 255
    noisy = (photo + noise).clamp(0, 1)
    one, all_views = (Denoised(num_views=count)(smooth, noisy, same) for count in (1, 8))
    assert mean_squared(all_views, photo) < mean_squared(one, photo)


def test_the_network_sees_noisy_photos_alone(photo, smooth):
    output, calls = Denoised(num_views=3), []
    output.load()
    output.network.register_forward_pre_hook(lambda *arguments: calls.append(arguments))
    still = torch.full_like(photo, 0.5)
    assert torch.equal(output(smooth, still, same), still)
    assert not calls
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(3)) * 30 / 255
    output(smooth, (photo + noise).clamp(0, 1), same)
    assert len(calls) == 3


def test_noise_of_opponent_channels_is_that_of_colours():
    deviations = torch.tensor([0.3, 0.1, 0.05]).view(1, 3, 1, 1)
    noise = deviations * torch.randn(1, 3, 400, 400, generator=torch.Generator().manual_seed(0))
    measured = rotated(noise, torch.tensor(OPPONENT).T).var(dim=(2, 3))
    torch.testing.assert_close(in_rgb(deviations**2)[..., 0, 0], measured, rtol=0.02, atol=0)


def test_noise_that_grows_with_the_light_is_found_where_it_is(photo):
    # Standard deviation 0.02 in the dark, 0.1 in the light: as shot noise, and steeper.
    truth = 0.02 + 0.08 * photo.mean(dim=1, keepdim=True)
    noisy = photo + truth * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    found = noise_of(noisy)
    assert float((found.level * found.by_brightness / truth).log().abs().mean()) < 0.2
    assert float((found.level / truth).log().abs().mean()) > 0.25


def test_even_noise_is_found_even(photo):
    noise = 0.06 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    found = noise_of(photo + noise)
    assert float(found.level.mean()) == pytest.approx(0.06, rel=0.06)
    assert float(found.level.min()) > 0.9 * 0.06
    assert 0.85 < float(found.by_brightness.min()) <= float(found.by_brightness.max()) < 1.2
