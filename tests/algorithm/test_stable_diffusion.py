"""The backbone adapter against diffusers itself."""

import json
import shutil

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from safetensors.torch import save_file

from ldrps.methods.ld_rps.sampling import SamplingSettings
from modules.backbones.stable_diffusion import StableDiffusion
from modules.priors.base import Semantics
from modules.schedulers.clamped_ddim import ClampedDDIM
from tests.builders import generators, make_restorer


def load(folder, **settings) -> StableDiffusion:
    backbone = StableDiffusion(str(folder), **settings)
    backbone.load()
    return backbone


@pytest.fixture(params=["tiny", "kl"])
def folder(request, micro_folder, micro_kl_folder):
    return micro_folder if request.param == "tiny" else micro_kl_folder


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("timestep", [1, 300, 999])
def test_with_the_true_noise_the_x0_prediction_is_the_clean_latents(micro_folder, prediction_type, timestep):
    backbone = load(micro_folder, dtype="float64")
    backbone.scheduler.register_to_config(prediction_type=prediction_type)
    clean, noise = torch.randn(2, 2, 4, 8, 8, dtype=torch.float64)
    noisy = backbone.renoise(clean, noise, timestep)
    steps = torch.tensor([timestep])
    torch.testing.assert_close(noisy, backbone.scheduler.add_noise(clean, noise, steps), atol=1e-6, rtol=0)
    output = {
        "epsilon": noise,
        "v_prediction": backbone.scheduler.get_velocity(clean, noise, steps),
        "sample": clean,
    }[prediction_type]
    torch.testing.assert_close(backbone.x0_from(output, noisy, timestep), clean, atol=1e-5, rtol=0)


def test_the_x0_prediction_is_the_one_ddim_steps_with(folder):
    backbone = load(folder)
    conditioning = backbone.condition(Semantics(), 1)
    timestep = backbone.begin(10, 1.0)[3]
    latents = torch.randn(1, 4, 8, 8)
    x0, output = backbone.predict_x0(latents, timestep, conditioning)
    reference = backbone.scheduler.step(output, timestep, latents)
    torch.testing.assert_close(x0, reference.pred_original_sample)
    torch.testing.assert_close(backbone.step(output, timestep, latents, generators(0)), reference.prev_sample)


def test_text_to_image_agrees_with_diffusers_own_pipeline(folder):
    latents = torch.randn(1, 4, 8, 8)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    reference = pipeline(
        "a photo of a cat", num_inference_steps=5, guidance_scale=4.0, latents=latents.clone(), output_type="latent"
    ).images
    backbone = load(folder)
    conditioning = backbone.condition(Semantics(prompts=["a photo of a cat"]), 1, guidance_scale=4.0)
    for timestep in backbone.begin(5, 1.0):
        _, output = backbone.predict_x0(latents, timestep, conditioning)
        latents = backbone.step(output, timestep, latents, generators(0))
    torch.testing.assert_close(latents, reference, atol=1e-4, rtol=1e-4)


def test_encode_and_decode_agree_with_diffusers(folder, pictures):
    backbone = load(folder)
    vae = backbone.vae
    encoded = vae.encode(pictures * 2 - 1)
    raw = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
    torch.testing.assert_close(backbone.encode(pictures), raw * vae.config.scaling_factor)
    torch.testing.assert_close(backbone.decode(backbone.encode(pictures)), vae.decode(raw).sample / 2 + 0.5)
    assert backbone.encode(pictures).shape[1:] == torch.Size(backbone.latent_shape(pictures))


def test_features_are_encoder_levels_with_a_gradient(folder, pictures):
    images = pictures.clone().requires_grad_()
    features = load(folder).features(images)
    assert [feature.shape[-1] for feature in features] == [32, 16]
    sum(feature.sum() for feature in features).backward()
    assert images.grad.abs().sum() > 0


def test_a_row_without_prompt_is_not_changed_by_a_row_with_one(micro_folder):
    backbone = load(micro_folder)
    latents = torch.randn(2, 4, 8, 8)
    both = backbone.condition(Semantics(prompts=["", "a cat"]), 2, guidance_scale=5.0)
    plain = backbone.condition(Semantics(), 2, guidance_scale=5.0)
    mixed, unguided = (backbone.predict_x0(latents, 500, conditioning).x0 for conditioning in (both, plain))
    torch.testing.assert_close(mixed[0], unguided[0])
    assert not torch.allclose(mixed[1], unguided[1])


def test_embeddings_of_the_right_width_condition_the_denoiser(micro_folder):
    backbone = load(micro_folder)
    latents = torch.randn(1, 4, 8, 8)
    told = backbone.condition(Semantics(embeddings=torch.randn(1, 3, 16)), 1, guidance_scale=2.0)
    untold = backbone.condition(Semantics(), 1)
    assert not torch.allclose(backbone.predict_x0(latents, 500, told).x0, backbone.predict_x0(latents, 500, untold).x0)
    with pytest.raises(ValueError, match=r"takes \(batch, tokens, 16\)"):
        backbone.condition(Semantics(embeddings=torch.randn(1, 3, 17)), 1)


@pytest.mark.parametrize(
    "scheduler", [DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler]
)
def test_other_schedulers_run_and_forget_the_history_of_earlier_passes(micro_folder, pictures, scheduler):
    restorer = make_restorer(micro_folder, sampling=SamplingSettings(num_inference_steps=5, num_refinements=2))
    restorer.backbone.scheduler = scheduler.from_config(restorer.backbone.scheduler.config)
    restorer.backbone._takes_generator = scheduler is not UniPCMultistepScheduler
    first = restorer.restore(pictures[:2], [None] * 2)
    assert first.isfinite().all()
    assert torch.equal(first, restorer.restore(pictures[:2], [None] * 2))


@pytest.mark.parametrize(("spacing", "first", "last"), [("leading", 801, 1), ("trailing", 999, 199)])
def test_the_spacing_of_the_timesteps_is_a_setting(micro_folder, spacing, first, last):
    timesteps = load(micro_folder, timestep_spacing=spacing).begin(5, 1.0)
    assert (timesteps[0], timesteps[-1]) == (first, last)


def test_schedulers_with_another_latent_scale_are_refused(micro_folder):
    with pytest.raises(ValueError, match="EulerDiscreteScheduler does not work on variance-preserving"):
        load(micro_folder, scheduler=EulerDiscreteScheduler)


def test_clamped_ddim_cuts_without_rescaling():
    scheduler = ClampedDDIM.from_config(DDIMScheduler(clip_sample=False).config)
    sample = torch.cat([torch.full((1, 1, 10, 100), 0.5), torch.randn(1, 1, 10, 100) * 3])
    sample[0, 0, 0, 0] = 50.0
    cut = scheduler._threshold_sample(sample)
    largest = torch.quantile(sample[1].abs().flatten(), 0.995)
    torch.testing.assert_close(cut[1], sample[1].clamp(-largest, largest))
    assert float(cut[0, 0, 0, 0]) == 1.0
    assert torch.equal(cut[0, 0, 1], sample[0, 0, 1])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_weights_give_nearly_the_same_x0(micro_folder, dtype):
    latents = torch.randn(1, 4, 8, 8)
    full, half = load(micro_folder), load(micro_folder, dtype=dtype)
    predictions = [
        backbone.predict_x0(latents, 500, backbone.condition(Semantics(), 1)).x0 for backbone in (full, half)
    ]
    assert predictions[1].dtype == torch.float32
    torch.testing.assert_close(*predictions, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("trouble", ["missing", "empty", "no_unet", "not_json"])
def test_a_folder_that_is_no_pipeline_is_one_sentence(tmp_path, micro_folder, trouble):
    folder = tmp_path / "model"
    if trouble == "empty":
        folder.mkdir()
    elif trouble != "missing":
        shutil.copytree(micro_folder, folder)
        if trouble == "no_unet":
            shutil.rmtree(folder / "unet")
        else:
            (folder / "model_index.json").write_text("{")
    with pytest.raises(ValueError, match=r"cannot be read .*StableDiffusionPipeline layout") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_nothing_is_assumed_that_a_configuration_says(micro_folder, micro_kl_folder):
    tiny, kl = load(micro_folder), load(micro_kl_folder)
    images = torch.zeros(1, 3, 32, 48)
    assert tiny.latent_shape(images) == (4, 8, 12)
    assert kl.latent_shape(images) == (4, 16, 24)
    assert (tiny.size_multiple, kl.size_multiple) == (8, 4)
    assert json.loads((micro_kl_folder / "vae" / "config.json").read_text())["scaling_factor"] == 0.7


def test_embeddings_that_are_not_numbers_are_refused(micro_folder):
    backbone = StableDiffusion(str(micro_folder))
    backbone.load()
    with pytest.raises(ValueError, match="embeddings that are not numbers"):
        backbone.condition(Semantics(embeddings=torch.full((1, 3, 16), torch.nan)), 1)


def test_words_beyond_the_limit_are_named(micro_folder, caplog):
    backbone = StableDiffusion(str(micro_folder))
    backbone.load()
    long = "a photo of a cat and a cup of coffee and a zebra on the moon"
    with caplog.at_level("WARNING", "ldrps"):
        lengthy = backbone.condition(Semantics(prompts=[long]), 1, guidance_scale=2.0)
        backbone.condition(Semantics(prompts=["a photo of a cat"]), 1)
    # diffusers has its own remark, unless a command has quietened it.
    [remark] = [record.getMessage() for record in caplog.records if record.name == "ldrps.prior"]
    assert "longer than the 12 tokens" in remark
    assert "on the moon" in remark
    assert "photo of a cat" not in remark
    assert lengthy.guided_hidden_states.shape[1] == 12


@pytest.fixture
def ip_adapter_file(micro_folder, tmp_path):
    """Random weights under the names of the released IP-Adapters, for the micro denoiser."""
    unet = UNet2DConditionModel.from_pretrained(micro_folder / "unet")
    generator = torch.Generator().manual_seed(0)
    state = {
        "image_proj.proj.weight": torch.randn(4 * 16, 24, generator=generator) * 0.2,
        "image_proj.proj.bias": torch.randn(4 * 16, generator=generator) * 0.2,
        "image_proj.norm.weight": torch.ones(16),
        "image_proj.norm.bias": torch.zeros(16),
    }
    number = 1
    for name in unet.attn_processors:
        if name.endswith("attn2.processor"):
            attention = unet.get_submodule(name.removesuffix(".processor"))
            for key in ("to_k_ip", "to_v_ip"):
                shape = attention.to_k.weight.shape
                state[f"ip_adapter.{number}.{key}.weight"] = torch.randn(shape, generator=generator)
            number += 2
    save_file(state, tmp_path / "ip-adapter.safetensors")
    return tmp_path / "ip-adapter.safetensors"


def test_an_ip_adapter_reads_the_image_embeddings(micro_folder, ip_adapter_file):
    backbone = StableDiffusion(str(micro_folder), ip_adapter=str(ip_adapter_file))
    backbone.load()
    latents, embeddings = torch.randn(2, 4, 8, 8), torch.randn(2, 24)

    def x0(semantics, count=2, rows=slice(None), guidance_scale=1.0):
        conditioning = backbone.condition(semantics, count, guidance_scale=guidance_scale)
        return backbone.predict_x0(latents[rows], 500, conditioning).x0

    told, untold = x0(Semantics(image_embeddings=embeddings)), x0(Semantics())
    assert float((told - untold).abs().max()) > 1e-3
    torch.testing.assert_close(
        x0(Semantics(image_embeddings=embeddings[1:]), 1, slice(1, 2)), told[1:], atol=1e-5, rtol=1e-4
    )
    # Guidance goes from the image without an embedding to the one with it, and further.
    further = x0(Semantics(image_embeddings=embeddings), guidance_scale=3.0)
    torch.testing.assert_close(further, untold + 3 * (told - untold), atol=1e-4, rtol=1e-3)
    # The same through diffusers' own pipeline parts.
    output = backbone.unet(
        latents,
        500,
        encoder_hidden_states=backbone.condition(Semantics(), 2).hidden_states,
        added_cond_kwargs={"image_embeds": [embeddings[:, None]]},
    ).sample
    torch.testing.assert_close(backbone.x0_from(output, latents, 500), told, atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="of 7 numbers, but the IP-Adapter reads 24"):
        x0(Semantics(image_embeddings=torch.randn(2, 7)))


def test_without_an_ip_adapter_image_embeddings_change_nothing(micro_folder):
    backbone = StableDiffusion(str(micro_folder))
    backbone.load()
    conditioning = backbone.condition(Semantics(image_embeddings=torch.randn(1, 24)), 1, guidance_scale=3.0)
    assert conditioning.image_embeddings is None
    assert len(conditioning.guided_rows) == 0


def test_an_ip_adapter_that_does_not_fit_is_one_sentence(micro_folder, tmp_path):
    save_file({"other.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    for name in ("other.safetensors", "none.safetensors"):
        with pytest.raises(ValueError, match=r"ip_adapter .* cannot be read"):
            StableDiffusion(str(micro_folder), ip_adapter=str(tmp_path / name)).load()
