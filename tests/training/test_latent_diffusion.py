"""The three trainings make a pipeline folder that restores, from shards and from folders."""

import io
import json
import shutil
import tarfile

import pytest
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file
from skimage import data as skimage_data
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from ldrps.cli import main
from ldrps.configuration.presets import load_preset
from ldrps.data.photos import PhotoData
from ldrps.training.denoiser import DenoiserTraining, draw_timesteps, linear_x0, stable_diffusion_schedule
from ldrps.training.text_image import TextImageTraining
from ldrps.training.tokenizer import train_tokenizer
from modules.backbones.loading import package_folder
from modules.backbones.stable_diffusion import StableDiffusion
from modules.networks.da_clip import load_da_clip
from modules.networks.prior_adapter import load_prior_adapter
from tests.builders import generators

PHOTOS = {"astronaut": skimage_data.astronaut, "cat": skimage_data.cat, "coffee": skimage_data.coffee}


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    path = tmp_path_factory.mktemp("shards") / "photos-000.tar"
    with tarfile.open(path, "w") as archive:
        for index in range(12):
            name = list(PHOTOS)[index % 3]
            photo = Image.fromarray(PHOTOS[name]()).resize((40, 36))
            content = io.BytesIO()
            photo.save(content, format="WEBP")
            captions = [f"a photo of a {name}"] if index != 5 else []
            members = {"webp": content.getvalue(), "json": json.dumps({"captions": captions}).encode()}
            for suffix, data in members.items():
                member = tarfile.TarInfo(f"{index:06d}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path


def fit(preset, shard, folder, *more):
    arguments = ["fit", "--config", f"train/{preset}", "--data.sources", f"[{shard}]", "--data.batch_size", "4"]
    arguments += ["--data.crop_size_px", "32", "--data.num_held_out", "3", "--trainer.max_steps", "3"]
    arguments += ["--trainer.max_time", "null", "--trainer.val_check_interval", "2", "--trainer.precision", "32"]
    arguments += ["--trainer.default_root_dir", str(folder / "logs"), "--trainer.enable_progress_bar", "false"]
    arguments += ["--trainer.enable_model_summary", "false", "--model.export_dir", str(folder / "mini"), *more]
    assert main(arguments) == 0


def test_an_autoencoder_is_exported_where_no_photo_is_held_out(shard, tmp_path):
    fit("autoencoder", shard, tmp_path, "--model.channels", "8", "--data.num_held_out", "0")
    scale = AutoencoderTiny.from_pretrained(tmp_path / "mini" / "vae").config.scaling_factor
    assert 0.1 < scale < 100


def test_three_trainings_make_a_pipeline_that_restores(shard, tmp_path, pictures):
    fit("autoencoder", shard, tmp_path, "--model.channels", "8")
    sizes = ["--model.hidden_size", "16", "--model.num_layers", "1", "--model.image_size", "32"]
    fit("text_image", shard, tmp_path, *sizes, "--model.vocab_size", "560")
    fit(
        "denoiser",
        shard,
        tmp_path,
        "--model.block_out_channels",
        "[32, 32]",
        "--model.pipeline_dir",
        str(tmp_path / "mini"),
    )
    samples = sorted(path.name for path in (tmp_path / "logs").rglob("samples/*.png"))
    assert any(name.startswith("autoencodertraining") for name in samples)
    assert any(name.startswith("denoisertraining") for name in samples)

    pipeline = StableDiffusionPipeline.from_pretrained(
        tmp_path / "mini", safety_checker=None, requires_safety_checker=False, dtype=torch.float32
    )
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    continued = DenoiserTraining(str(tmp_path / "mini"), initial_unet_dir=str(tmp_path / "mini" / "unet"))
    continued.configure_model()
    torch.testing.assert_close(continued.unet.state_dict(), pipeline.unet.state_dict())
    image = torch.rand(1, 3, 32, 32)
    latents = pipeline.vae.encode(image * 2 - 1).latents * pipeline.vae.config.scaling_factor
    assert 0.2 < float(latents.detach().std()) < 5
    text = CLIPTextModelWithProjection.from_pretrained(tmp_path / "mini" / "text_encoder").float()
    vision = CLIPVisionModelWithProjection.from_pretrained(tmp_path / "mini" / "image_encoder").float()
    assert text.config.vocab_size == len(pipeline.tokenizer)
    tokens = pipeline.tokenizer(["a photo of a cat"], return_tensors="pt")
    embeddings = text(**tokens).text_embeds, vision(torch.rand(1, 3, 32, 32)).image_embeds
    assert embeddings[0].shape == embeddings[1].shape
    torch.testing.assert_close(text(**tokens).last_hidden_state, pipeline.text_encoder(**tokens).last_hidden_state)

    restorer = load_preset("blind", backbone__path=tmp_path / "mini", sampling__num_inference_steps=3)
    restorer.load()
    assert restorer.restore(pictures[:1], [None]).shape == (1, 3, 32, 32)


def test_a_training_can_be_resumed(shard, tmp_path):
    checkpoints = "--trainer.callbacks.init_args.every_n_train_steps=1"
    fit("autoencoder", shard, tmp_path, "--model.channels", "8", checkpoints)
    (last,) = (tmp_path / "logs").rglob("last.ckpt")
    fit("autoencoder", shard, tmp_path, "--model.channels", "8", "--trainer.max_steps", "5", "--ckpt_path", str(last))
    newest = max((tmp_path / "logs").rglob("last*.ckpt"), key=lambda path: path.stat().st_mtime)
    assert torch.load(newest, weights_only=True)["global_step"] == 5


def checkpoints_of(preset, shard, folder, *more):
    """Fit, and return the checkpoint of the last step."""
    fit(preset, shard, folder, *more, "--trainer.callbacks.init_args.every_n_train_steps=1")
    (last,) = (folder / "logs").rglob("last.ckpt")
    return last


def weights_in(folder):
    return {file.relative_to(folder): load_file(file) for file in sorted(folder.rglob("*.safetensors"))}


SMALL = {
    "autoencoder": ["--model.channels", "8"],
    "text_image": ["--model.hidden_size", "16", "--model.num_layers", "1", "--model.vocab_size", "560"],
}


@pytest.mark.parametrize("preset", SMALL)
def test_what_depends_on_photos_is_exported_from_a_checkpoint_as_at_the_end(shard, tmp_path, preset):
    last = checkpoints_of(preset, shard, tmp_path, *SMALL[preset])
    assert main(["export", str(last), "--output", str(tmp_path / "early")]) == 0
    torch.testing.assert_close(weights_in(tmp_path / "early"), weights_in(tmp_path / "mini"), rtol=0, atol=0)
    for name in ("vae/config.json", "tokenizer/tokenizer.json"):
        assert (tmp_path / "early" / name).exists() == (tmp_path / "mini" / name).exists()
    if preset == "autoencoder":
        configs = [json.loads((tmp_path / name / "vae" / "config.json").read_text()) for name in ("early", "mini")]
        assert configs[0]["scaling_factor"] == configs[1]["scaling_factor"] != 1


def test_a_text_image_model_keeps_its_vocabulary_where_captions_have_changed(shard, tmp_path):
    last = checkpoints_of("text_image", shard, tmp_path, *SMALL["text_image"])
    training = TextImageTraining(hidden_size=16, num_layers=1, vocab_size=560)
    training.tokenizer = train_tokenizer(["quite other words"] * 3, 560)
    training.on_load_checkpoint(torch.load(last, weights_only=True))
    exported = CLIPTokenizer.from_pretrained(tmp_path / "mini" / "tokenizer")
    caption = "a photo of an astronaut, 42"
    assert training.tokenizer(caption).input_ids == exported(caption).input_ids
    assert training.tokenizer.model_max_length == exported.model_max_length


def test_checkpoints_of_the_adapter_hold_the_adapter_alone_and_can_be_resumed_and_exported(
    shard, told_folder, tmp_path
):
    settings = ["--model.backbone.path", str(told_folder)]
    settings += ["--model.degradation", '{"class_path": "degradations.noise.gaussian_noise.GaussianNoise"}']
    last = checkpoints_of("prior_adapter", shard, tmp_path, *settings)
    checkpoint = torch.load(last, weights_only=True)
    for kind in ("state_dict", "current_model_state"):
        assert {name.split(".")[0] for name in checkpoint[kind]} == {"adapter"}
    assert main(["export", str(last), "--output", str(tmp_path / "early")]) == 0
    torch.testing.assert_close(weights_in(tmp_path / "early"), weights_in(tmp_path / "mini"), rtol=0, atol=0)
    fit("prior_adapter", shard, tmp_path, *settings, "--trainer.max_steps", "5", "--ckpt_path", str(last))
    (early,), (again,) = (weights_in(tmp_path / name / "prior_adapter").values() for name in ("early", "mini"))
    assert any(not torch.equal(early[name], again[name]) for name in early)


def test_shards_and_folders_hold_the_same_photos(shard, tmp_path):
    with tarfile.open(shard) as archive:
        for member in archive:
            if member.name.endswith("webp"):
                (tmp_path / member.name).write_bytes(archive.extractfile(member).read())
    crops = []
    for source in (shard, tmp_path):
        data = PhotoData([str(source)], crop_size_px=24, num_held_out=3)
        data.setup("fit")
        assert len(data.training) + len(data.held_out) == 12
        crops.append(data.held_out[0]["image"])
    assert torch.equal(*crops)


def test_held_out_photos_are_never_trained_on_and_captions_can_be_required(shard):
    data = PhotoData([str(shard)], crop_size_px=24, num_held_out=3, only_captioned=True)
    data.setup("fit")
    assert not set(data.training.indices) & set(data.held_out.indices)
    assert len(data.training) + len(data.held_out) == 11
    assert all(data.training[index]["caption"] for index in range(len(data.training)))


def test_missing_sources_are_named():
    with pytest.raises(ValueError, match=r"'none.tar' is neither a .tar shard, nor a folder"):
        PhotoData(["none.tar"]).setup("fit")


@pytest.mark.parametrize("text", ["a photo of a cat", "ünknown wörds, 42!", "日本"])
def test_the_vocabulary_can_write_any_text(text):
    tokenizer = train_tokenizer(["a photo of a cat"], vocab_size=540)
    ids = tokenizer(text).input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id


def test_da_clip_and_adapter_are_trained_and_used(shard, told_folder, tmp_path, pictures):
    folder = tmp_path / "mini"
    shutil.copytree(told_folder, folder, ignore=shutil.ignore_patterns("da_clip", "prior_adapter", "text_encoder"))
    sizes = ["--model.hidden_size", "16", "--model.num_layers", "1", "--model.image_size", "32"]
    fit("text_image", shard, tmp_path, *sizes, "--model.vocab_size", "560", "--model.max_length", "12")
    before = load_file(folder / "image_encoder" / "model.safetensors")

    mild = {"class_path": "degradations.noise.gaussian_noise.GaussianNoise"}
    degradation = ["--model.degradation", json.dumps(mild)]
    words = ["--model.words", "[clean, noise]"]
    fit("da_clip", shard, tmp_path, "--model.pipeline_dir", str(folder), *degradation, *words)
    network = load_da_clip(folder / "da_clip")
    assert network.config.words == ["clean", "noise"]
    assert str(tmp_path) not in (folder / "da_clip" / "config.json").read_text()
    # The frozen half is the pipeline's own, the controller has moved away from it and speaks.
    frozen = network.clip.vision_model.encoder.layers[0].mlp.fc1.weight
    torch.testing.assert_close(frozen, before["vision_model.encoder.layers.0.mlp.fc1.weight"].float())
    assert not torch.equal(network.controller.vision_model.encoder.layers[0].mlp.fc1.weight, frozen)
    assert float(network.zero_layers[0].weight.abs().max()) > 0

    fit("prior_adapter", shard, tmp_path, "--model.backbone.path", str(folder), *degradation)
    adapter = load_prior_adapter(folder / "prior_adapter")
    assert adapter(torch.randn(2, 16)).shape == (2, 4, 16)
    for prior in ("da_clip.DACLIP", "da_clip_adapter.DACLIPAdapter", "auto.Auto"):
        restorer = load_preset(
            "blind", prior=f"modules.priors.{prior}", backbone__path=str(folder), sampling__num_inference_steps=5
        )
        restorer.load()
        assert bool(restorer.restore(pictures[:1], [None]).isfinite().all())


def test_da_clip_asks_for_the_word_of_clean_photos(shard, tmp_path, told_folder, capfd):
    arguments = ["fit", "--config", "train/da_clip", "--data.sources", f"[{shard}]", "--model.words", "[noise]"]
    assert main([*arguments, "--model.pipeline_dir", str(told_folder)]) == 2
    assert "must hold 'clean'" in capfd.readouterr().err


def test_a_denoiser_of_packed_latents_restores(shard, tmp_path, pictures):
    """Squares of 2 x 2 latents are channels of the denoiser, which the folder's own configuration says."""
    mini = package_folder("package:ldrps/pretrained/mini")
    sizes = ["--model.block_out_channels", "[32, 32]", "--model.pipeline_dir", str(mini)]
    fit("denoiser_packed", shard, tmp_path, *sizes)
    restorer = load_preset("blind", backbone__path=tmp_path / "mini", sampling__num_inference_steps=2)
    restorer.load()
    plain = StableDiffusion()
    plain.load()
    latents = restorer.backbone.encode(pictures[:1])
    assert latents.shape == (1, 32, 4, 4) == (1, *restorer.backbone.latent_shape(pictures[:1]))
    unpacked = plain.encode(pictures[:1])
    torch.testing.assert_close(latents[0, :4, 1, 2], unpacked[0, 0, 2:4, 4:6].flatten())
    torch.testing.assert_close(restorer.backbone.decode(latents), plain.decode(unpacked))
    assert restorer.restore(pictures[:1], [None]).shape == (1, 3, 32, 32)
    continued = DenoiserTraining(str(mini), initial_unet_dir=str(tmp_path / "mini" / "unet"))
    continued.configure_model()
    assert continued.packing == 2


def test_most_levels_lie_where_restoration_works():
    scheduler = stable_diffusion_schedule("v_prediction")
    drawing = generators(0) * 20_000
    evenly, focused = (draw_timesteps(scheduler, drawing, share) for share in (0.0, 1.0))
    assert abs(float(evenly.float().mean()) - 499.5) < 10
    log_snr = torch.logit(scheduler.alphas_cumprod)[focused]
    assert abs(float(log_snr.mean()) - 2.0) < 0.05
    assert abs(float(log_snr.std()) - 1.5) < 0.05


def test_the_linear_denoiser_is_the_best_one_for_gaussian_latents():
    """White latents of variance v behind noise of variance n: x0 = v / (v + n) z, and v n / (v + n) of error."""
    generator = torch.Generator().manual_seed(0)
    latents = 2 * torch.randn(64, 2, 8, 8, generator=generator) + 1
    alphas = torch.full((64, 1, 1, 1), 0.5)
    noisy = alphas.sqrt() * latents + (1 - alphas).sqrt() * torch.randn(latents.shape, generator=generator)
    error = (linear_x0(noisy, alphas, latents) - latents).square().mean()
    assert float(error) == pytest.approx(4 * 1 / (4 + 1), rel=0.05)
