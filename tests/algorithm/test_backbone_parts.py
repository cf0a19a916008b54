"""The parts that models share: packing, units of timesteps, a cheap decoder for gradients."""

import pytest
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, FluxPipeline, UNet2DConditionModel

from ldrps.methods.ld_rps.algorithm import Run, restore
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.sampling import SamplingSettings
from modules.alignment.affine import Affine
from modules.alignment.identity import Identity
from modules.backbones.autoencoder_codec import AutoencoderCodec
from modules.backbones.packed_codec import PackedCodec
from modules.backbones.stable_diffusion import StableDiffusion
from modules.backbones.variance_preserving import VariancePreserving
from modules.losses.base import LossTerm
from modules.losses.l2 import L2
from tests.builders import GaussianBackbone, GaussianDiffusion, generators, make_guidance, make_restorer


def test_packed_latents_are_fluxs(micro_kl_folder, pictures):
    backbone = StableDiffusion(str(micro_kl_folder))
    backbone.load()
    packed = PackedCodec(backbone.codec)
    latents = backbone.encode(pictures)
    batch, channels, height, width = latents.shape
    tokens = FluxPipeline._pack_latents(latents, batch, channels, height, width)
    torch.testing.assert_close(packed.encode(pictures).flatten(2).transpose(1, 2), tokens)
    torch.testing.assert_close(packed.decode(packed.encode(pictures)), backbone.decode(latents))
    assert packed.latent_shape(pictures) == tuple(packed.encode(pictures).shape[1:]) == (16, 8, 8)


def test_timesteps_are_of_a_thousand_whatever_the_scheduler_counts(pictures):
    path = VariancePreserving(DDIMScheduler(num_train_timesteps=50, clip_sample=False))
    assert path.begin(10, 1.0) == [900, 800, 700, 600, 500, 400, 300, 200, 100, 0]
    assert path.at(500).model_timestep == 25
    assert path.at(1000).model_timestep == 49


def test_flow_prediction_is_no_variance_preserving_one():
    scheduler = DDIMScheduler()
    scheduler.register_to_config(prediction_type="flow_prediction")
    with pytest.raises(ValueError, match="'flow_prediction' of the scheduler is no variance-preserving one"):
        VariancePreserving(scheduler)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_the_shared_code_samples_as_a_backbone_written_by_hand(pictures, prediction_type):
    settings = SamplingSettings(num_inference_steps=20, num_refinements=2)
    by_hand = GaussianBackbone(0.5, 0.01)
    path = VariancePreserving(DDIMScheduler.from_config(by_hand.scheduler.config, prediction_type=prediction_type))
    results = []
    for backbone in (by_hand, GaussianDiffusion(path, 0.5, 0.01)):
        guidance_settings = GuidanceSettings(strength=0.02, alignment_until=1000)
        guidance = make_guidance(backbone, Identity(), {"l2": LossTerm(L2())}, guidance_settings)
        results.append(
            restore(pictures[:2].double(), Run(backbone, lambda: None, guidance, settings, generators(3, 4)))
        )
    torch.testing.assert_close(*results, atol=1e-6, rtol=0)


def build_tiny(folder, factor_levels=3, scaling_factor=0.8):
    """An autoencoder for the latents of the micro pipeline, with weights and a scale of its own."""
    torch.manual_seed(1)
    AutoencoderTiny(
        encoder_block_out_channels=(8,) * factor_levels,
        decoder_block_out_channels=(8,) * factor_levels,
        num_encoder_blocks=(0,) + (1,) * (factor_levels - 1),
        num_decoder_blocks=(1,) * factor_levels,
        latent_channels=4,
        scaling_factor=scaling_factor,
    ).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def backbone(micro_folder, tmp_path):
    backbone = StableDiffusion(str(micro_folder), gradient_autoencoder=build_tiny(tmp_path / "tiny"))
    backbone.load()
    return backbone


def test_the_gradient_is_the_cheap_decoders_and_the_image_is_not(backbone, tmp_path):
    latents = torch.randn(2, 4, 8, 8, requires_grad=True)
    weights = torch.randn(2, 3, 32, 32)
    images = backbone.decode_for_gradients(latents)
    assert torch.equal(images, backbone.decode(latents))
    (gradient,) = torch.autograd.grad((weights * images).sum(), latents)
    tiny = AutoencoderTiny.from_pretrained(tmp_path / "tiny")
    (expected,) = torch.autograd.grad((weights * tiny.decode(latents / 0.8).sample / 2).sum(), latents)
    torch.testing.assert_close(gradient, expected)
    (full,) = torch.autograd.grad((weights * backbone.decode(latents)).sum(), latents)
    assert not torch.allclose(gradient, full)


def test_a_restoration_differentiates_the_cheap_decoder_only(backbone, micro_folder, pictures):
    settings = {"sampling": SamplingSettings(num_inference_steps=6, num_refinements=1), "alignment": Affine()}
    restorer = make_restorer(micro_folder, **settings)
    plain = restorer.restore(pictures[:2], [None] * 2)
    restorer = make_restorer(micro_folder, **settings)
    restorer.backbone = restorer.guidance.backbone = backbone
    counts = {"vae": [], "gradient_vae": []}
    for name, calls in counts.items():
        decoder = getattr(backbone, name).decoder
        decoder.register_forward_hook(lambda module, inputs, output, calls=calls: calls.append(output.requires_grad))
    cheap = restorer.restore(pictures[:2], [None] * 2)
    assert counts["gradient_vae"] == [True] * 9
    assert counts["vae"] == [False] * 10
    assert not torch.equal(cheap, plain)
    unguided = make_restorer(micro_folder, guidance=GuidanceSettings(strength=0.0), **settings)
    expected = unguided.restore(pictures[:2], [None] * 2)
    unguided.backbone = unguided.guidance.backbone = backbone
    assert torch.equal(unguided.restore(pictures[:2], [None] * 2), expected)


def test_the_same_weights_as_cheap_decoder_change_nothing(micro_folder, pictures):
    results = []
    for folder in (None, str(micro_folder / "vae")):
        restorer = make_restorer(micro_folder, alignment=Affine())
        backbone = StableDiffusion(str(micro_folder), gradient_autoencoder=folder)
        backbone.load()
        restorer.backbone = restorer.guidance.backbone = backbone
        results.append(restorer.restore(pictures[:2], [None] * 2))
    torch.testing.assert_close(*results, atol=1e-5, rtol=0)


def test_a_cheap_decoder_counts_among_the_weights(backbone, micro_folder):
    plain = StableDiffusion(str(micro_folder))
    plain.load()
    own = set(plain.state_dict())
    assert {name.split(".")[0] for name in own} == {"vae", "unet", "text_encoder"}
    assert {name.split(".")[0] for name in set(backbone.state_dict()) - own} == {"gradient_vae"}


@pytest.mark.parametrize("trouble", ["missing", "another network", "a pipeline"])
def test_a_cheap_decoder_that_cannot_be_read_is_one_sentence(micro_folder, tmp_path, trouble):
    folder = {"missing": tmp_path / "none", "another network": micro_folder / "unet", "a pipeline": micro_folder}[
        trouble
    ]
    with pytest.raises(ValueError, match=r"gradient_autoencoder .* cannot be read .*AutoencoderTiny") as caught:
        StableDiffusion(str(micro_folder), gradient_autoencoder=str(folder)).load()
    assert "\n" not in str(caught.value)


def test_a_cheap_decoder_for_other_latents_is_one_sentence(micro_folder, tmp_path):
    folder = build_tiny(tmp_path / "other", factor_levels=4)
    with pytest.raises(ValueError, match=r"has 4 channels at 1/8 .* have 4 at 1/4"):
        StableDiffusion(str(micro_folder), gradient_autoencoder=folder).load()


def test_the_networks_of_the_parts_are_those_that_move(backbone):
    backbone.to(torch.float64)
    assert backbone.codec.autoencoder is backbone.vae
    assert isinstance(backbone.denoiser.unet, UNet2DConditionModel)
    assert isinstance(backbone.codec.cheap, AutoencoderCodec)
    assert {part.dtype for part in (backbone.codec.autoencoder, backbone.denoiser.unet)} == {torch.float64}
