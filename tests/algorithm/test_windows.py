"""Large pictures are restored in windows: the same picture comes out, without seams, in bounded memory."""

import math
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from skimage import data as skimage_data

from ldrps.configuration.presets import load_preset
from ldrps.data.image_files import to_tensor
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.sampling import SamplingSettings
from modules.alignment.fpam import FPAM
from modules.alignment.identity import Identity
from modules.alignment.light_and_haze import LightAndHaze
from modules.alignment.tone_curve import ToneCurve
from modules.backbones.autoencoder_codec import AutoencoderCodec
from modules.backbones.autoencoder_stages import decoding_stages, encoding_stages
from modules.backbones.stable_diffusion import StableDiffusion
from modules.backbones.stages import receptive_radius
from modules.losses.base import LossTerm
from modules.losses.color_constancy import ColorConstancy
from modules.losses.perceptual import Perceptual
from modules.losses.relative_l2 import RelativeL2
from modules.losses.residual_adversarial import ResidualAdversarial
from modules.outputs.undone import Undone
from modules.outputs.wiener import Wiener
from modules.windows import WindowSettings, in_windows, split
from tests.builders import make_restorer

WHOLE, CUT = WindowSettings(side_px=None), WindowSettings(side_px=64, overlap_px=16)


@pytest.fixture(scope="module")
def mini():
    backbone = StableDiffusion()
    backbone.load()
    return backbone


@pytest.fixture(scope="module")
def photo():
    """A dark, noisy photo of 144 x 192 pixels."""
    photo = to_tensor(Image.fromarray(skimage_data.coffee()).resize((192, 144)))[None]
    noise = 0.02 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    return (0.3 * photo + noise).clamp(0, 1)


def in_both(backbone, make):
    results = []
    for windows in (WHOLE, CUT):
        backbone.windows = windows
        results.append(make())
    return results


def test_encoding_and_decoding_in_windows_changes_nothing(mini, photo):
    latents = mini.encode(photo)
    with torch.no_grad():
        torch.testing.assert_close(*in_both(mini, lambda: mini.encode(photo)), atol=1e-5, rtol=0)
        torch.testing.assert_close(*in_both(mini, lambda: mini.decode(latents)), atol=1e-5, rtol=0)


def test_the_gradient_in_windows_is_that_of_the_picture(mini, photo):
    latents = mini.encode(photo).detach().requires_grad_()
    pull = torch.randn(photo.shape, generator=torch.Generator().manual_seed(1))
    grads = in_both(mini, lambda: torch.autograd.grad(mini.decode_for_gradients(latents), latents, pull)[0])
    torch.testing.assert_close(*grads, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def normed():
    """A codec with group norms and attention, as Stable Diffusion's, four levels, random weights."""
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    sizes = {"block_out_channels": (8, 16, 16, 16), "norm_num_groups": 4, "latent_channels": 4, "layers_per_block": 2}
    return AutoencoderCodec(AutoencoderKL(**blocks, **sizes).requires_grad_(False).eval())


def test_with_group_norms_and_attention_windows_make_what_the_whole_picture_makes(normed, photo):
    """Norms of their own would give every window its own brightness: the picture gets darker to the right."""
    shaded = photo * torch.linspace(3, 0.5, photo.shape[-1])
    latents = 3 * normed.encode(shaded)
    torch.testing.assert_close(normed.encode_in_windows(shaded, 64), latents / 3, atol=1e-4, rtol=0)
    whole = normed.decode(latents)
    torch.testing.assert_close(normed.decode_in_windows(latents, 64), whole, atol=1e-4, rtol=0)
    naive = in_windows(normed.decode, latents, split(latents.shape[-2:], 8, 4), Fraction(8))
    assert float((naive - whole).abs().max()) > 0.1

    # With a graph too, in which the statistics are constants, for one window as for many.
    leaf, pull = latents.clone().requires_grad_(), torch.randn(whole.shape, generator=torch.Generator().manual_seed(1))
    grads = []
    for side_px in (1024, 64):
        made = leaf / normed.autoencoder.config.scaling_factor
        for stage in decoding_stages(normed.autoencoder, normed.downscale_factor):
            made = stage.in_windows(made, side_px)
        torch.testing.assert_close(made / 2 + 0.5, whole, atol=1e-4, rtol=0)
        grads.append(torch.autograd.grad(made, leaf, pull)[0])
    torch.testing.assert_close(*grads, atol=1e-3, rtol=1e-3)


def test_an_encoder_with_attention_on_its_way_takes_pictures_whole(photo):
    torch.manual_seed(0)
    blocks = {"down_block_types": ("AttnDownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    codec = AutoencoderCodec(AutoencoderKL(**blocks, block_out_channels=(8, 8), norm_num_groups=4).eval())
    small = photo[..., :64, :96]
    with torch.no_grad():
        torch.testing.assert_close(codec.encode_in_windows(small, 64), codec.encode(small), atol=1e-5, rtol=0)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("stages_of", [encoding_stages, decoding_stages])
def test_the_margin_of_a_stage_is_what_a_gradient_finds(mini, stages_of, number):
    """A place depends on what lies within the margin, and on nothing beyond it."""
    stage = stages_of(mini.vae, mini.codec.downscale_factor)[number]
    margin, multiple = math.ceil(receptive_radius(stage.modules)), stage.factor.denominator
    side = (2 * margin + 9) // multiple * multiple
    first = next(part for layer in stage.modules for part in layer.modules() if isinstance(part, torch.nn.Conv2d))
    given = torch.randn(1, first.in_channels, side, side, requires_grad=True)
    made = stage(given)
    middle = made.shape[-1] // 2
    (gradient,) = torch.autograd.grad(made[..., middle, middle].sum(), given)
    rows = gradient.abs().amax(dim=(0, 1, 3)).nonzero().flatten()
    place = int(middle / stage.factor)
    assert int(rows.max()) - place <= margin + multiple - 1
    assert place - int(rows.min()) <= margin
    # And it is not much less: nothing is computed in vain.
    assert place - int(rows.min()) >= margin - 3


def full_settings():
    return {
        "losses": {
            "fidelity": LossTerm(RelativeL2()),
            "perceptual": LossTerm(Perceptual(), weight=0.1),
            "color": LossTerm(ColorConstancy(), weight=0.1),
            "residual": LossTerm(ResidualAdversarial(width=6, learning_rate=1e-3), weight=1e-3),
        },
        "sampling": SamplingSettings(num_inference_steps=4, num_refinements=0, num_free_chains=1),
        "guidance": GuidanceSettings(strength=0.5, alignment_until=1000),
        "output": Wiener(),
    }


@pytest.mark.parametrize("alignment", [ToneCurve(), LightAndHaze(), FPAM(width=6)], ids=lambda net: type(net).__name__)
def test_guidance_in_windows_pulls_and_learns_as_on_the_whole_picture(micro_folder, photo, alignment):
    """Everything but the denoiser, which sees less of the picture in a window: it is given the whole here."""
    results = []
    for windows in (WHOLE, CUT):
        restorer = make_restorer(micro_folder, alignment=alignment, windows=windows, **full_settings())
        denoiser = restorer.backbone.denoiser
        restorer.backbone.predict_x0 = whole_prediction(restorer.backbone, denoiser)
        results.append(restorer.restore(photo.clone(), [None]))
        parameters = [parameter.detach().clone() for parameter in alignment.learnt_parameters()]
        results[-1] = (results[-1], parameters)
    (whole, learnt), (cut, learnt_in_windows) = results
    torch.testing.assert_close(cut, whole, atol=1e-3, rtol=0)
    for first, second in zip(learnt, learnt_in_windows, strict=True):
        torch.testing.assert_close(first, second, atol=2e-4, rtol=0)


def whole_prediction(backbone, denoiser):
    def predict(latents, timestep, conditioning):
        path = backbone.noise_path
        with torch.no_grad():
            output = denoiser(latents, path.at(timestep), conditioning)
        from modules.backbones.base import Prediction

        return Prediction(path.x0_from(output, latents, timestep), output)

    return predict


def test_the_default_restores_in_windows_as_in_one_piece_and_without_seams(photo):
    """The denoiser sees less in a window; what comes out differs by less than an eighth of a grey level on average."""
    results = []
    for windows in (WHOLE, CUT):
        restorer = load_preset("blind", windows__side_px=1024)
        restorer.backbone.windows = windows
        restorer.load()
        results.append(restorer.restore(photo, [None]))
    whole, cut = results
    assert -10 * float((cut - whole).square().mean().log10()) > 50

    def steps(image, columns):
        """Mean difference of neighbours across the borders of the windows, or everywhere."""
        return float((image[..., 1:] - image[..., :-1]).abs()[..., columns].mean())

    seams = [window.columns.end - 1 for window in split((144, 192), 64) if window.columns.end < 192]
    assert steps(cut, seams) / steps(whole, seams) < steps(cut, slice(None)) / steps(whole, slice(None)) + 0.02


def test_a_narrow_panorama_is_restored(micro_folder):
    strip = torch.rand(1, 3, 16, 700)
    restorer = make_restorer(micro_folder, alignment=LightAndHaze(), windows=CUT, **full_settings())
    assert restorer.restore(strip, [None]).shape == strip.shape


@pytest.mark.parametrize("side_px", [64, None])
def test_a_photo_that_stays_is_not_resampled_to_the_working_size(micro_folder, photo, side_px):
    settings = {"alignment": Identity(), "working_scale": 2.0, "windows": WindowSettings(side_px, 16)}
    restored = make_restorer(micro_folder, **settings, **(full_settings() | {"output": Undone()})).restore(
        photo, [None]
    )
    assert torch.equal(restored, photo)


def test_at_a_smaller_size_light_is_undone_in_full_and_detail_is_the_photo_s_own(photo):
    sizes = []
    restorer = load_preset("blind", max_side_px=96)
    restorer.load()
    restorer.backbone.vae.encoder.register_forward_pre_hook(lambda module, given: sizes.append(given[0].shape[-2:]))
    restored = restorer.restore(photo, [None])
    clean = to_tensor(Image.fromarray(skimage_data.coffee()).resize((192, 144)))[None]
    assert {tuple(size) for size in sizes} == {(80, 96)}  # 72 lines, padded
    assert restored.shape == photo.shape
    assert (restored - clean).square().mean() < 0.3 * (photo - clean).square().mean()
    # As sharp as the photo, brightened: what was enlarged from 96 pixels would not be.
    detail = [float((image - F.avg_pool2d(image, 3, 1, 1)).std() / image.mean()) for image in (restored, photo)]
    assert detail[0] > 0.5 * detail[1]
