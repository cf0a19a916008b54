"""The denoiser in pixels: no bias, any size, no neighbours in a batch; noise as promised; its training."""

import pytest
import torch
from skimage import data as skimage_data

from ldrps.training.pixel_denoiser import PixelDenoiserTraining, smoothed
from modules.networks.pixel_denoiser import PixelDenoiser
from tests.builders import generators
from tests.training.recipe import fit


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = PixelDenoiser(widths=(16, 24), num_blocks=1).double().eval().requires_grad_(False)
    for parameter in made.parameters():
        # The last convolution of a block starts at zero; here every one has a say.
        parameter.normal_(std=0.1)
    return made


def test_twice_the_light_and_the_noise_give_twice_the_result(network, pictures):
    images, level = pictures.double(), torch.full((4, 3, 1, 1), 0.1, dtype=torch.float64)
    torch.testing.assert_close(network(2 * images, 2 * level), 2 * network(images, level))
    assert all(name.endswith("weight") for name, _ in PixelDenoiser().named_parameters())


def test_the_level_is_heeded_place_by_place(network, pictures):
    level = torch.zeros(1, 3, 32, 32, dtype=torch.float64)
    level[..., 16:] = 0.2
    image = pictures[:1].double()
    whole, nowhere = network(image, level), network(image, torch.zeros_like(level))
    assert not torch.allclose(whole[..., 20:], nowhere[..., 20:])


@pytest.mark.parametrize("size", [(1, 1), (5, 64), (33, 47), (32, 32)])
def test_any_size_keeps_it(network, size):
    images = torch.rand(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    level = torch.full((2, 1, 1, 1), 0.1, dtype=torch.float64)
    denoised = network(images, level)
    assert denoised.shape == images.shape
    torch.testing.assert_close(network(images[1:], level[1:]), denoised[1:])


def test_it_is_as_small_as_promised(tmp_path):
    full = PixelDenoiser()
    assert sum(parameter.numel() for parameter in full.parameters()) <= 1_500_000
    full.half().save_pretrained(tmp_path)
    assert (tmp_path / "diffusion_pytorch_model.safetensors").stat().st_size <= 3_000_000


@pytest.mark.parametrize("sigma_px", [0.35, 0.7, 1.0])
def test_smoothed_noise_has_unit_variance_and_the_correlation_of_its_kernel(sigma_px):
    white = torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))
    noise = smoothed(white, sigma_px)
    assert float(noise.std()) == pytest.approx(1, abs=0.02)
    places = torch.arange(-3, 4)
    kernel = torch.exp(-(places**2) / (2 * sigma_px**2))
    expected = float((kernel[1:] * kernel[:-1]).sum() / kernel.square().sum())
    assert float((noise[..., 1:] * noise[..., :-1]).mean()) == pytest.approx(expected, abs=0.02)


def test_levels_are_drawn_evenly_and_rows_are_independent():
    training = PixelDenoiserTraining(varying_share=0.0, widths=(8, 8), num_blocks=1)
    images = torch.zeros(400, 3, 16, 16)
    level, noise = training.draw(images, generators(*range(400)))
    drawn = level[:, 0, 0, 0] * 255
    assert float(drawn.max()) <= 75
    assert [int(((drawn >= low) & (drawn < low + 25)).sum()) for low in (0, 25, 50)] == pytest.approx([133] * 3, abs=30)
    assert float(noise.std()) == pytest.approx(1, abs=0.02)
    own_level, own_noise = training.draw(images[:1], generators(7))
    torch.testing.assert_close(own_level[0], level[7])
    torch.testing.assert_close(own_noise[0], noise[7])
    same = (noise - noise[:, :1]).abs().amax(dim=(1, 2, 3)) == 0
    assert 0.05 < float(same.float().mean()) < 0.16


def test_an_exponent_makes_light_noise_frequent():
    training = PixelDenoiserTraining(varying_share=0.0, level_exponent=2.0, widths=(8, 8), num_blocks=1)
    level, _ = training.draw(torch.zeros(400, 3, 8, 8), generators(*range(400)))
    # Of u ** 2 half lies below a quarter.
    assert float(level[:, 0, 0, 0].median()) == pytest.approx(75 / 255 / 4, rel=0.25)


def test_it_goes_on_from_weights_on_disk(tmp_path):
    first = PixelDenoiserTraining(widths=(8, 16), num_blocks=1)
    torch.nn.init.normal_(first.network.leave.weight)
    first.export(tmp_path)
    second = PixelDenoiserTraining(initial_dir=str(tmp_path / "pixel_denoiser"))
    for name, values in second.network.state_dict().items():
        torch.testing.assert_close(values, first.network.state_dict()[name].float(), atol=1e-3, rtol=1e-3)
    assert all(parameter.requires_grad for parameter in second.parameters())
    assert second.network.training

    with pytest.raises(ValueError, match="initial_dir='nowhere' holds no PixelDenoiser"):
        PixelDenoiserTraining(initial_dir="nowhere")


def test_varying_levels_stay_below_the_drawn_one():
    training = PixelDenoiserTraining(varying_share=1.0, widths=(8, 8), num_blocks=1)
    level, _ = training.draw(torch.zeros(20, 3, 32, 32), generators(*range(20)))
    assert float(level.max()) <= 75 / 255
    assert float(level.std(dim=(2, 3)).mean()) > 0.005


def test_a_new_network_changes_nothing_and_learns(pictures):
    torch.manual_seed(0)
    training = PixelDenoiserTraining(0.3, 0.0, 0.0, 0.0, widths=(16, 16), num_blocks=1)
    level, noise = training.draw(pictures, generators(0, 1, 2, 3))
    noisy = pictures + level * noise
    assert torch.equal(training.network(noisy, level), noisy)
    optimizer = torch.optim.Adam(training.parameters(), lr=3e-3)
    errors = []
    for _ in range(60):
        error = (training.network(noisy, level) - pictures).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.5 * errors[0]


def test_the_recipe_exports_what_it_trained(tmp_path):
    options = ["--data.batch_size", "2", "--model.widths", "[16, 16]", "--trainer.max_steps", "2"]
    assert fit("pixel_denoiser", tmp_path, 32, *options) == 0
    network = PixelDenoiser.from_pretrained(tmp_path / "mini" / "pixel_denoiser", torch_dtype=torch.float32)
    photo = torch.from_numpy(skimage_data.cat()[:64, :64].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        denoised = network(photo, torch.full((1, 1, 1, 1), 0.2))
    assert 0 < float((denoised - photo).abs().max()) < 0.1
    assert len(list((tmp_path / "logs").rglob("*.png"))) > 0
