"""Kernels and convolution, against scipy and scikit-image."""

import numpy as np
import pytest
import torch
from scipy import ndimage, special
from skimage import data as skimage_data
from skimage.draw import disk

import degradations
from degradations.blur.blur import Blur, convolve, in_doubles
from degradations.blur.box_blur import BoxBlur
from degradations.blur.camera_shake import CameraShake
from degradations.blur.defocus_blur import DefocusBlur
from degradations.blur.gaussian_blur import GaussianBlur
from degradations.blur.generalised_gaussian_blur import GeneralisedGaussianBlur
from degradations.blur.mixed_blur import MixedBlur
from degradations.blur.motion_blur import MotionBlur
from degradations.blur.plateau_blur import PlateauBlur
from degradations.blur.ringing import Ringing
from degradations.blur.sinc_filter import SincFilter
from tests.apple_gpu import OnAppleGPU
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses

KINDS = [cls for cls in concrete_subclasses(degradations, Blur) if cls is not MixedBlur]


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(skimage_data.cat()[:70, 100:191].copy()).permute(2, 0, 1)[None].float() / 255


def kernels_of(blur, *seeds):
    parameters = blur.sample_parameters(generators(*seeds))
    return parameters, [(rows, kernels) for rows, kernels in blur.kernels_by_size(parameters)]


@pytest.mark.parametrize("cls", KINDS)
@pytest.mark.parametrize("size", [1, 3, 7, 21])
def test_kernels_sum_to_one_and_agree_with_scipy(cls, size, photo):
    blur = cls(kernel_size=(size, size))
    _, [(_, kernels)] = kernels_of(blur, 0, 1)
    assert kernels.shape == (2, size, size)
    torch.testing.assert_close(kernels.sum(dim=(1, 2)), torch.ones(2).double(), atol=1e-12, rtol=0)
    ours = convolve(photo.expand(2, -1, -1, -1), kernels)
    for row in range(2):
        for channel in range(3):
            exact = ndimage.convolve(photo[0, channel].double().numpy(), kernels[row].numpy(), mode="mirror")
            assert np.abs(ours[row, channel].numpy() - exact).max() < 1e-5


def test_gaussian_agrees_with_scipy_where_the_kernel_holds_all_of_it(photo):
    blurred = GaussianBlur((2.0, 2.0), kernel_size=(25, 25))(photo, generators(0))
    exact = ndimage.gaussian_filter(photo[0].double().numpy(), (0, 2, 2), mode="mirror", radius=12)
    assert np.abs(blurred[0].numpy() - exact).max() < 1e-5


def test_an_anisotropic_kernel_has_the_covariance_it_was_drawn_with():
    blur = GaussianBlur((1.0, 3.0), is_isotropic=False, kernel_size=(41, 41))
    parameters, [(_, kernels)] = kernels_of(blur, *range(5))
    offsets = torch.arange(41.0).double() - 20
    for kernel, sigma, rotation in zip(kernels, parameters["sigma"], parameters["rotation"], strict=True):
        turn = torch.tensor([[rotation.cos(), -rotation.sin()], [rotation.sin(), rotation.cos()]]).double()
        expected = turn @ torch.diag(sigma.double() ** 2) @ turn.T
        along_x, along_y = kernel.sum(0), kernel.sum(1)
        crossed = (kernel * offsets[:, None] * offsets[None, :]).sum()
        found = torch.tensor([[(along_x * offsets**2).sum(), crossed], [crossed, (along_y * offsets**2).sum()]])
        torch.testing.assert_close(found, expected, atol=5e-3, rtol=5e-3)


def test_beta_is_drawn_half_below_and_half_above_one():
    beta = GeneralisedGaussianBlur().sample_parameters(generators(*range(2000)))["beta"]
    assert abs(float((beta < 1).float().mean()) - 0.5) < 3 * 0.5 / 2000**0.5
    assert 0.5 <= float(beta.min()) < 0.6
    assert 1.9 < float(beta.max()) <= 2
    plateau = PlateauBlur(beta=(1.0, 1.5)).sample_parameters(generators(*range(2000)))["beta"]
    assert abs(float((plateau == 1).float().mean()) - 0.5) < 3 * 0.5 / 2000**0.5


def test_generalised_with_beta_one_is_gaussian():
    general = GeneralisedGaussianBlur(beta=(1.0, 1.0))
    _, [(_, first)] = kernels_of(general, 3)
    _, [(_, second)] = kernels_of(GaussianBlur(), 3)
    torch.testing.assert_close(first, second)


def test_kernel_noise_stays_within_its_factor():
    _, [(_, noisy)] = kernels_of(GaussianBlur(kernel_noise=(0.9, 1.1)), 3)
    _, [(_, plain)] = kernels_of(GaussianBlur(), 3)
    ratio = noisy / plain
    assert float(ratio.max() / ratio.min()) < 1.1 / 0.9 + 1e-6
    assert float(ratio.std()) > 0.03


def test_defocus_is_scikit_image_s_disk_without_its_corners():
    for size in (3, 5, 7, 11, 19):
        _, [(_, kernels)] = kernels_of(DefocusBlur((size, size)), 0)
        inside = np.zeros((size, size))
        inside[disk((size // 2, size // 2), size // 2 + 1, shape=(size, size))] = 1
        inside[[0, 0, -1, -1], [0, -1, 0, -1]] = 0
        assert np.abs(kernels[0].numpy() - inside / inside.sum()).max() < 1e-12


def test_box_is_scipy_s_uniform_filter(photo):
    blurred = BoxBlur((7, 7))(photo, generators(0))
    exact = ndimage.uniform_filter(photo[0].double().numpy(), (0, 7, 7), mode="mirror")
    assert np.abs(blurred[0].numpy() - exact).max() < 1e-5


@pytest.mark.parametrize(("angle", "axis"), [(0.0, 0), (90.0, 1)])
def test_a_line_is_a_line(angle, axis):
    _, [(_, kernels)] = kernels_of(MotionBlur((9, 9), (angle, angle)), 0)
    across = kernels[0].sum(dim=1 - axis)
    assert float(across[4]) > 0.99


def test_camera_shake_is_one_connected_curve_that_fills_its_kernel():
    for size, curvature in ((25, (0.05, 0.25)), (101, (0.05, 0.25)), (41, (1.0, 3.0))):
        _, [(_, kernels)] = kernels_of(CameraShake((size, size), curvature), *range(20))
        for kernel in kernels.numpy():
            _, pieces = ndimage.label(kernel > 0, structure=np.ones((3, 3)))
            assert pieces == 1
            rows, columns = np.nonzero(kernel > 0)
            assert max(np.ptp(rows), np.ptp(columns)) == size - 1
            assert 0 < (kernel > 0).mean() < 0.5


@pytest.mark.parametrize("cls", KINDS)
def test_a_kernel_does_not_depend_on_the_others_of_its_batch(cls):
    blur = cls(kernel_size=(15, 15))
    _, [(_, together)] = kernels_of(blur, *range(6))
    alone = torch.cat([kernels_of(blur, seed)[1][0][1] for seed in range(6)])
    torch.testing.assert_close(together, alone, atol=1e-12, rtol=0)


def test_very_wide_images_are_blurred():
    wide = torch.rand(1, 3, 2, 13_827, generator=torch.Generator().manual_seed(0))
    blurred = BoxBlur((3, 3))(wide, generators(0))
    exact = ndimage.uniform_filter(wide[0].double().numpy(), (0, 3, 3), mode="mirror")
    assert np.abs(blurred[0].numpy() - exact).max() < 1e-5


def test_a_mixed_blur_is_called_by_what_was_drawn():
    mixed = MixedBlur([MotionBlur(), SincFilter()])
    parameters = mixed.sample_parameters(generators(*range(10)))
    expected = [("motion blur", "ringing artifact")[kind] for kind in parameters["kind"]]
    assert mixed.words(parameters) == [(word,) for word in expected]
    ringing = Ringing(SincFilter())
    assert ringing.words(ringing.sample_parameters(generators(0))) == [("ringing artifact",)]


def test_sinc_is_the_formula_and_stops_frequencies_above_its_cutoff():
    blur = SincFilter((1.0, 1.0), kernel_size=(101, 101))
    _, [(_, kernels)] = kernels_of(blur, 0)
    y, x = np.mgrid[-50:51, -50:51]
    radius = np.hypot(x, y)
    radius[50, 50] = 1
    exact = special.j1(radius) / (2 * np.pi * radius)
    exact[50, 50] = 1 / (4 * np.pi)
    assert np.abs(kernels[0].numpy() - exact / exact.sum()).max() < 1e-7
    spectrum = torch.fft.fft2(kernels[0]).abs()
    frequency = 2 * torch.pi * torch.fft.fftfreq(101).double()
    distance = (frequency[:, None] ** 2 + frequency[None, :] ** 2).sqrt()
    assert float(spectrum[distance < 0.8].min()) > 0.8
    assert float(spectrum[distance > 1.3].max()) < 0.1


def test_the_cutoff_follows_the_kernel_size():
    for size, low in ((11, torch.pi / 3), (13, torch.pi / 5)):
        blur = SincFilter(kernel_size=(size, size))
        lowest = blur.kernels({"kernel_size": torch.tensor([size]), "cutoff_share": torch.zeros(1)}, size)
        given = SincFilter((low, low), (size, size))
        assert torch.equal(lowest, given.kernels({"cutoff_share": torch.zeros(1)}, size))


def test_borders_are_mirrored_and_tiny_images_continued_by_their_border():
    image = torch.rand(1, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    kernel = GaussianBlur((3.0, 3.0)).kernels(GaussianBlur((3.0, 3.0)).sample_parameters(generators(0)), 21)
    exact = ndimage.convolve(image[0, 0].double().numpy(), kernel[0].numpy(), mode="nearest")
    assert np.abs(convolve(image, kernel)[0, 0].numpy() - exact).max() < 1e-5


def test_mixed_kernels_are_those_of_the_kind_that_was_drawn():
    blur = MixedBlur([BoxBlur(), GaussianBlur()], [0.3, 0.7], (3, 9))
    parameters = blur.sample_parameters(generators(*range(3000)))
    share = float((parameters["kind"] == 0).float().mean())
    assert abs(share - 0.3) < 3 * (0.3 * 0.7 / 3000) ** 0.5
    assert parameters["kernel_size"].unique().tolist() == [3, 5, 7, 9]
    for rows, kernels in blur.kernels_by_size(parameters):
        boxes = parameters["kind"][rows] == 0
        flat = kernels.amax(dim=(1, 2)) - kernels.amin(dim=(1, 2)) < 1e-12
        assert torch.equal(boxes, flat)


def wiener_in_numpy(blurred, kernel, constant=0.006, pad=20):
    """The formula, one channel after another, in double precision."""
    sharpened = np.empty_like(blurred)
    half = len(kernel) // 2
    for channel in range(blurred.shape[2]):
        padded = np.pad(blurred[:, :, channel], pad, mode="symmetric")
        centred = np.zeros_like(padded)
        for row in range(len(kernel)):
            for column in range(len(kernel)):
                centred[(row - half) % padded.shape[0], (column - half) % padded.shape[1]] += kernel[row, column]
        transfer = np.fft.fft2(centred)
        estimate = np.conj(transfer) / (np.abs(transfer) ** 2 + constant) * np.fft.fft2(padded)
        sharpened[:, :, channel] = np.fft.ifft2(estimate).real[pad:-pad, pad:-pad]
    return sharpened


@pytest.mark.parametrize("size", [(70, 91), (9, 300), (3, 3)])
def test_ringing_is_the_wiener_formula(size, photo):
    image = torch.nn.functional.interpolate(photo, size)
    blur = GaussianBlur((1.5, 1.5), False, kernel_noise=(0.9, 1.1), kernel_size=(7, 7))
    ringing = Ringing(blur, blend_probability=0.0)
    parameters = ringing.sample_parameters(generators(0))
    own = {name.removeprefix("blur."): values for name, values in parameters.items()}
    kernel = blur.kernels(own, 7)[0].numpy()
    blurred = blur.filtered(image.double(), own)[0].permute(1, 2, 0).numpy()
    exact = wiener_in_numpy(blurred, kernel).clip(0, 1)
    ours = ringing.degrade(image, parameters)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - exact).max() < 1e-4
    assert np.abs(ours - blurred).max() > 0.01


def test_transforms_leave_a_device_without_double_precision(photo):
    with OnAppleGPU():
        assert torch.equal(in_doubles(photo), photo.double())


def test_blended_ringing_mixes_with_the_blurred_image(photo):
    ringing = Ringing(blend=(0.25, 0.25), blend_probability=1.0)
    parameters = ringing.sample_parameters(generators(0))
    sharp = ringing.degrade(photo, parameters | {"blend": torch.zeros(1)})
    blurred = ringing.degrade(photo, parameters | {"blend": torch.ones(1)})
    mixed = ringing.degrade(photo, parameters)
    inside = (sharp > 0) & (sharp < 1)
    torch.testing.assert_close(mixed[inside], (0.25 * blurred + 0.75 * sharp)[inside], atol=1e-5, rtol=0)
    assert ringing.words(parameters) == [("blur", "ringing artifact")]
    assert ringing.words(parameters | {"blend": torch.ones(1)}) == [("blur",)]
