"""IR-SDE as a restorer: one image, one result; its step rules and its complaints."""

import math
import shutil

import pytest
import torch
from skimage import data as skimage_data

from degradations.coding.jpeg import JPEG
from ldrps.cli import main
from ldrps.configuration.presets import load_preset
from ldrps.methods.ir_sde.ir_sde import IRSDE
from modules.networks.nafnet import NAFNet
from modules.outputs.decoded import Decoded
from modules.outputs.refined import Refined
from modules.sde.folder import save_sde
from modules.sde.mean_reverting import MeanReverting
from modules.windows import WindowSettings
from tests.builders import generators
from tests.da_clip import make_da_clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory, told_folder):
    """Weights of a network that has something to say, and a DA-CLIP beside them."""
    made = tmp_path_factory.mktemp("sde")
    torch.manual_seed(0)
    network = NAFNet((8, 16), (1,), 1, (1,), time_dim=16, embedding_dim=16)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_sde(made / "ir_sde", network, MeanReverting(prediction_type="sample"))
    make_da_clip(made / "da_clip", told_folder / "tokenizer")
    return made / "ir_sde"


def make(folder, **settings) -> IRSDE:
    restorer = IRSDE(str(folder), **settings)
    restorer.load()
    return restorer


@pytest.mark.parametrize("step_rule", ["posterior", "euler", "ode"])
def test_a_batch_of_four_equals_four_single_runs_in_any_order(folder, pictures, step_rule):
    restorer = make(folder, step_rule=step_rule)
    together = restorer.restore(pictures, [None] * 4)
    assert together.shape == pictures.shape
    assert 0 <= float(together.min()) <= float(together.max()) <= 1
    alone = torch.cat([restorer.restore(image[None], [None]) for image in pictures])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
    backward = restorer.restore(pictures.flip(0), [None] * 4).flip(0)
    torch.testing.assert_close(together, backward, atol=1e-4, rtol=0)


def test_every_setting_has_its_effect(folder, pictures):
    first = make(folder).restore(pictures[:1], [None])
    assert torch.equal(make(folder).restore(pictures[:1], [None]), first)
    for settings in (
        {"seed": 1},
        {"num_inference_steps": 20},
        {"step_rule": "euler"},
        {"step_rule": "ode"},
        {"has_embeddings": False},
        {"num_views": 2},
    ):
        assert not torch.allclose(make(folder, **settings).restore(pictures[:1], [None]), first, atol=1e-4)


def test_one_step_is_the_networks_own_prediction(folder, pictures):
    restorer = make(folder, num_inference_steps=1)
    steps = []
    restored = restorer.restore(pictures, [None] * 4, steps.append)
    assert [(step.index, step.count, step.timestep) for step in steps] == [(0, 1, 100.0)]
    torch.testing.assert_close(steps[0].images(), restored, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (31, 17)])
def test_any_size(folder, size):
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    restored = make(folder).restore(image, [None])
    assert restored.shape == image.shape
    assert bool(restored.isfinite().all())


@pytest.mark.parametrize("step_rule", ["posterior", "euler"])
def test_large_images_go_through_the_network_in_windows_with_one_noise(folder, monkeypatch, step_rule):
    image = torch.rand(1, 3, 150, 203, generator=torch.Generator().manual_seed(0))
    seen = []

    def of_single_places(self, sample, degraded, timesteps, content=None, degradation=None):
        seen.append((sample.shape, timesteps.tolist(), content.tolist()))
        return 0.5 * degraded + 0.25 * sample + 0.001 * timesteps[:, None, None, None]

    monkeypatch.setattr(NAFNet, "forward", of_single_places)
    whole = make(folder, step_rule=step_rule, windows=WindowSettings(None)).restore(image, [None])
    [(shape, timesteps, content), *_] = seen
    assert (shape, len(seen)) == (image.shape, 5)
    seen.clear()
    parts = make(folder, step_rule=step_rule, windows=WindowSettings(64, 16)).restore(image, [None])
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)
    assert len(seen) == 5 * 3 * 4
    for part, at, told in seen[:12]:
        assert max(part[2:]) <= 64
        assert (at, told) == (timesteps, content)


@pytest.mark.parametrize("num_views", [1, 4])
def test_windows_start_and_mirrored_photos_end_where_blocks_of_jpeg_do(folder, monkeypatch, num_views):
    ramp = torch.arange(203.0).expand(150, 203)
    image = torch.stack([ramp, torch.arange(150.0)[:, None].expand(150, 203), 0 * ramp])[None] / 300
    corners, sizes = set(), set()

    def seeing(self, sample, degraded, *told):
        height, width = degraded.shape[-2:]
        sizes.update((height, width))
        for row, column in ((0, 0), (height - 1, width - 1)):
            corners.update((degraded[0, :2, row, column] * 300).round().int().tolist())
        return degraded

    monkeypatch.setattr(NAFNet, "forward", seeing)
    restorer = make(folder, num_inference_steps=1, num_views=num_views, windows=WindowSettings(64, 16))
    torch.testing.assert_close(restorer.restore(image, [None]), image, atol=1e-5, rtol=0)
    assert {size % 16 for size in sizes} == {0}
    # First pixels of windows and last ones: these are followed by a first one, or by the border of the photo.
    assert {corner % 16 for corner in corners - {149, 202}} == {0, 15}


def test_a_photo_that_was_cut_after_it_was_coded_gains_what_others_do():
    photo = torch.from_numpy(skimage_data.cat()[40:208, 100:268].copy()).permute(2, 0, 1)[None].float() / 255
    coded = JPEG((15, 15))(photo, generators(0))
    # One as it was coded, one cut; the network sees each of them as it was coded.
    (whole, clean), (cut, clean_cut) = (
        (image[..., top : top + 160, left : left + 160], photo[..., top : top + 160, left : left + 160])
        for top, left, image in ((0, 0, coded), (3, 5, coded))
    )
    restorer, blind = IRSDE(num_inference_steps=1), IRSDE(num_inference_steps=1, aligns_blocks=False)
    together = restorer.restore(torch.cat([whole, cut]), [None] * 2)
    torch.testing.assert_close(together[1:], restorer.restore(cut, [None]), atol=1e-5, rtol=0)
    torch.testing.assert_close(together[:1], blind.restore(whole, [None]), atol=1e-5, rtol=0)

    def gain_db(restored, seen, target):
        errors = [float((image - target).square().mean()) for image in (seen, restored)]
        return 10 * math.log10(errors[0] / errors[1])

    assert gain_db(together[:1], whole, clean) > 0.5
    assert gain_db(together[1:], cut, clean_cut) > 0.5
    assert gain_db(blind.restore(cut, [None]), cut, clean_cut) < 0.2


@pytest.mark.parametrize(("change", "taken"), [(0.005, 0.0), (0.015, 0.0075), (0.03, 0.03)])
def test_an_output_refined_by_it_takes_all_of_a_large_change_and_nothing_of_a_small_one(
    folder, monkeypatch, change, taken
):
    image = torch.rand(2, 3, 40, 170, generator=torch.Generator().manual_seed(0)) * 0.9
    image[1] = torch.linspace(0.4, 0.6, 170)
    monkeypatch.setattr(NAFNet, "forward", lambda self, sample, degraded, *told: degraded + change)
    output = Refined(Decoded(), str(folder), least_change=0.01)
    output.load()
    restored = output.in_windows(image, torch.zeros_like(image), lambda window: lambda images: images, 64)
    torch.testing.assert_close(restored, image + taken, atol=1e-5, rtol=0)
    assert output.uses_sample
    with pytest.raises(ValueError, match=r"least_change=-1 must not be negative"):
        Refined(least_change=-1)


def test_what_is_refined_alone_is_refined_the_same_in_a_batch(folder, pictures):
    output = Refined(Decoded(), str(folder), least_change=0.0)
    together = output(pictures, pictures, lambda images: images)
    alone = torch.cat([output(image[None], image[None], lambda images: images) for image in pictures])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert float((together - pictures).abs().mean()) > 1e-3


@pytest.mark.parametrize("size_px", [64, 256])
def test_with_the_flips_it_does_not_matter_how_a_photo_lies(folder, size_px):
    # In windows as well: their starts lie symmetrically, as 256 is 2 x 144 less 32.
    image = torch.rand(1, 3, size_px, size_px, generator=torch.Generator().manual_seed(0))
    output = Refined(Decoded(), str(folder), least_change=0.0, num_views=4)
    output.restoration.load()
    output.restoration.scheduler.initial_sample = lambda degraded, generators: degraded
    output.restoration.da_clip = None
    refined, mirrored = (output(seen, seen, lambda images: images) for seen in (image, image.flip(-1)))
    torch.testing.assert_close(mirrored.flip(-1), refined, atol=1e-5, rtol=0)
    assert float((refined - image).abs().mean()) > 1e-3


def test_the_fingerprint_tells_weights_apart(folder):
    whole, without = make(folder).weights_sha256(), make(folder, has_embeddings=False).weights_sha256()
    assert whole == make(folder, seed=3).weights_sha256() != without


def test_what_is_missing_or_does_not_fit_is_named(folder, tmp_path, told_folder):
    with pytest.raises(ValueError, match="holds no IR-SDE weights: train them with"):
        make(tmp_path)
    with pytest.raises(ValueError, match="num_inference_steps=0 must be at least 1"):
        IRSDE(num_inference_steps=0)
    with pytest.raises(ValueError, match="num_inference_steps=101 must lie between 1 and 100"):
        make(folder, num_inference_steps=101)
    make_da_clip(tmp_path / "wide", told_folder / "tokenizer", width=32)
    with pytest.raises(ValueError, match="gives embeddings of 32 numbers, but the network takes 16"):
        make(folder, da_clip=str(tmp_path / "wide"))
    shutil.copytree(folder, tmp_path / "alone" / "ir_sde")
    with pytest.raises(ValueError, match="no DA-CLIP lies in"):
        make(tmp_path / "alone" / "ir_sde")
    (tmp_path / "alone" / "ir_sde" / "network" / "config.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        make(tmp_path / "alone" / "ir_sde")


def test_the_preset_and_the_harness(folder, tmp_path, pairs_folder, capfd):
    restorer = load_preset("ir_sde", weights=str(folder), num_inference_steps=3)
    assert isinstance(restorer, IRSDE)
    arguments = ["test", "--config", "ir_sde", "--pairs", str(pairs_folder), "-o", str(tmp_path / "run")]
    arguments += ["--protocol", "ir_sde", "--model.weights", str(folder), "--no-baselines", "--device", "cpu"]
    assert main([*arguments, "--model.num_inference_steps", "2"]) == 0
    assert "ir_sde" in capfd.readouterr().out
