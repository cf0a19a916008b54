"""The embedded model does what its card says, on pictures it was never trained on."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from kornia.color import rgb_to_grayscale
from PIL import Image
from skimage import data as skimage_data
from skimage.color import deltaE_ciede2000, rgb2lab

from degradations.blur.defocus_blur import DefocusBlur
from degradations.light.grey import Grey
from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.pipeline import Sequence
from degradations.weather.haze import Haze
from ldrps.configuration.layers import find_preset
from ldrps.configuration.presets import load_preset
from ldrps.data.image_files import to_tensor
from ldrps.data.shipped import PACKAGE
from ldrps.methods.baselines.non_local_means import NonLocalMeans
from ldrps.methods.baselines.stretch import Stretch
from modules.priors.da_clip import DACLIP
from tests.builders import generators

MINI = PACKAGE / "pretrained" / "mini"


def psnr(image, target):
    return float(-10 * (image - target).pow(2).mean().log10())


@pytest.fixture(scope="module")
def photo():
    """The astronaut's face and shoulder, 128 x 128."""
    return to_tensor(Image.fromarray(skimage_data.astronaut()).resize((256, 256)).crop((40, 0, 168, 128)))


@pytest.fixture(scope="module")
def blind():
    restorer = load_preset("blind")
    restorer.load()
    return restorer


def test_the_embedded_model_is_small_and_described():
    files = [path for path in MINI.rglob("*") if path.is_file()]
    size_of: Counter[str] = Counter()
    for path in files:
        size_of[path.relative_to(MINI).parts[0]] += path.stat().st_size
    prior, helpers = ("da_clip", "prior_adapter"), ("first_guess", "pixel_denoiser")
    assert sum(size_of[part] for part in prior) <= 8e6
    assert sum(size_of[part] for part in helpers) <= 5e6
    assert size_of["ir_sde"] <= 10e6
    assert size_of.total() - sum(size_of[part] for part in (*prior, *helpers, "ir_sde")) <= 22e6
    assert size_of.total() <= 45e6
    assert max(path.stat().st_size for path in files) <= 15e6
    card = (MINI / "README.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("Data", "Recipe", "held-out", "Limits"))
    assert not list(Path(MINI).rglob("*.bin"))


def test_the_autoencoder_keeps_a_photo(blind, photo):
    with torch.no_grad():
        decoded = blind.backbone.decode(blind.backbone.encode(photo[None]))[0].clamp(0, 1)
    assert psnr(decoded, photo) > 27


@pytest.mark.parametrize(
    ("damage", "gain_db"),
    [
        (GaussianNoise((25 / 255, 25 / 255)), 3),
        (Sequence([LowLight((2.5, 2.5), (1.2, 1.2)), GaussianNoise((5 / 255, 5 / 255))]), 6),
        (Haze((0.45, 0.45), (0.9, 0.9)), 2),
    ],
    ids=["noise", "low light", "haze"],
)
def test_the_default_preset_restores_every_damage(blind, photo, damage, gain_db):
    degraded = damage(photo[None], [torch.Generator().manual_seed(0)])
    restored = blind.restore(degraded, [None])[0]
    assert psnr(restored, photo) > psnr(degraded[0], photo) + gain_db


@pytest.mark.parametrize("sigma", [15, 25])
def test_the_default_preset_beats_non_local_means_on_noise(blind, photo, sigma):
    noisy = GaussianNoise((sigma / 255, sigma / 255))(photo[None], [torch.Generator().manual_seed(0)])
    tool = NonLocalMeans().restore(noisy, [None])[0]
    assert psnr(blind.restore(noisy, [None])[0], photo) > psnr(tool, photo) + 0.3


def test_the_default_preset_beats_a_plain_stretch_on_even_haze(blind, photo):
    hazy = Haze((0.45, 0.45), (0.9, 0.9))(photo[None], [torch.Generator().manual_seed(0)])
    tool = Stretch().restore(hazy, [None])[0]
    assert psnr(blind.restore(hazy, [None])[0], photo) > psnr(tool, photo) + 1


def test_grey_photos_get_likely_colours_where_that_is_asked():
    colouring = load_preset("blind", colorization__num_samples=8)
    colouring.load()
    photos = [skimage_data.coffee()[:300, 100:400], skimage_data.chelsea()[:, 50:350], skimage_data.astronaut()]
    errors = []
    for photo in photos:
        target = to_tensor(Image.fromarray(photo).resize((96, 96)))
        grey = Grey()(target[None], [torch.Generator().manual_seed(0)])
        restored = colouring.restore(grey, [None])
        lab = [rgb2lab(image.permute(1, 2, 0).numpy()) for image in (target, grey[0], restored[0])]
        errors.append([deltaE_ciede2000(lab[0], other).mean() for other in lab[1:]])
        assert float((rgb_to_grayscale(restored) - rgb_to_grayscale(grey)).abs().mean()) < 0.02
    before, after = zip(*errors, strict=True)
    assert sum(after) < 0.97 * sum(before)


@pytest.mark.parametrize("damage", [Grey(), Sequence([Grey(), LowLight((2, 2))])], ids=["clean", "dark"])
def test_photos_without_colour_are_left_without_colour_otherwise(blind, photo, damage):
    grey = damage(photo[None], [torch.Generator().manual_seed(0)])
    restored = blind.restore(grey, [None])
    assert float((restored.amax(dim=1) - restored.amin(dim=1)).max()) < 1 / 255


def test_the_default_preset_loses_nothing_of_a_clean_photo(blind):
    # Enlarged, so that nothing in it is as fine as noise.
    photo = to_tensor(
        Image.fromarray(skimage_data.astronaut()[:96, 100:196]).resize((192, 192), Image.Resampling.BICUBIC)
    )
    assert psnr(blind.restore(photo[None], [None])[0], photo) > 45


def test_a_whole_run_of_the_default_preset_is_the_same_in_a_batch(blind, photo):
    images = torch.stack([photo[:, :64, :64], photo[:, 40:104, 60:124]])
    together = blind.restore(images, [None, None])
    alone = torch.cat([blind.restore(image[None], [None]) for image in images])
    assert psnr(together, alone) > 50


@pytest.fixture(scope="module")
def da_clip():
    prior = DACLIP()
    prior.load(MINI)
    return prior


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (LowLight((2.5, 2.5), (1.2, 1.2)), "low light"),
        (Haze((0.25, 0.25), (0.9, 0.9)), "haze"),
        (DefocusBlur((13, 13)), "blur"),
        (Grey(), "grey"),
    ],
)
def test_da_clip_names_the_damage_and_sees_through_it(da_clip, damage, word):
    photos = [skimage_data.astronaut(), skimage_data.chelsea(), skimage_data.coffee(), skimage_data.rocket()]
    clean = torch.stack([to_tensor(Image.fromarray(photo).resize((128, 128))) for photo in photos])
    damaged = damage(clean, generators(*range(4)))
    content, degradation = da_clip.network(damaged)
    likeliest = [next(iter(own)) for own in da_clip.probabilities(degradation)]
    assert likeliest.count(word) >= 3
    target = da_clip.network.image_embedding(clean)
    plain = torch.cosine_similarity(da_clip.network.image_embedding(damaged), target)
    assert float((torch.cosine_similarity(content, target) - plain).mean()) > -0.01


@pytest.mark.parametrize("name", ["auto", "da_clip", "da_clip_adapter"])
def test_every_prior_of_the_embedded_model_restores(photo, name):
    restorer = load_preset("blind", prior=str(find_preset(f"prior/{name}")), sampling__num_inference_steps=10)
    restorer.load()
    semantics = restorer.prior(photo[None], [None])
    assert semantics.embeddings is not None if name == "da_clip_adapter" else semantics.prompts[0].startswith("a photo")
    assert psnr(restorer.restore(photo[None], [None])[0], photo) > 30
