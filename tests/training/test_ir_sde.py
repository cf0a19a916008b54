"""The training of IR-SDE: its objectives, its timesteps, that it learns, and its recipe up to a restored photo."""

import pytest
import torch
from PIL import Image
from skimage import data as skimage_data

from degradations.light.grey import Grey
from degradations.noise.gaussian_noise import GaussianNoise
from ldrps.cli import main
from ldrps.training.ir_sde import IRSDETraining
from modules.networks.conditional_unet import ConditionalUNet
from modules.networks.nafnet import NAFNet
from modules.sde.mean_reverting import MeanReverting
from tests.builders import generators
from tests.da_clip import make_da_clip

SMALL = {"widths": (8, 16), "encoder_blocks": (1,), "middle_blocks": 1, "decoder_blocks": (1,), "time_dim": 16}


def make_training(network=None, prediction_type="sample", step_rule="posterior", **settings):
    scheduler = MeanReverting(prediction_type=prediction_type, step_rule=step_rule)
    return IRSDETraining(network or NAFNet(**SMALL), GaussianNoise(), scheduler=scheduler, **settings)


@pytest.mark.parametrize("objective", ["maximum_likelihood", "noise", "x0"])
@pytest.mark.parametrize("prediction_type", ["epsilon", "sample"])
def test_the_truth_has_no_loss_and_anything_else_has(pictures, objective, prediction_type):
    training = make_training(prediction_type=prediction_type, objective=objective)
    target, mu, timesteps = pictures.double(), pictures.flip(0).double(), torch.tensor([1, 20, 60, 100])
    noise = torch.randn(target.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noisy = training.scheduler.add_noise(target, noise, timesteps, mu)
    truth = noise if prediction_type == "epsilon" else target
    assert float(training.loss(truth, target, noise, noisy, timesteps, mu)) < 1e-9
    assert float(training.loss(truth + 0.1, target, noise, noisy, timesteps, mu)) > 1e-3


def test_maximum_likelihood_with_eulers_mean_is_the_released_objective(pictures):
    """There the noise is what the network says, and a step is dt long."""
    training = make_training(prediction_type="epsilon", step_rule="euler")
    target, mu, timesteps = pictures.double(), pictures.flip(0).double(), torch.tensor([2, 20, 60, 100])
    noise, output = torch.randn(2, *target.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noisy = training.scheduler.add_noise(target, noise, timesteps, mu)
    loss = training.loss(output, target, noise, noisy, timesteps, mu)

    total = training.scheduler.integral
    theta_dt = (total[timesteps] - total[timesteps - 1]).view(-1, 1, 1, 1)
    whole, left = (total[timesteps].view(-1, 1, 1, 1), total[timesteps - 1].view(-1, 1, 1, 1))
    variance = (50 / 255) ** 2 * (1 - torch.exp(-2 * whole))
    euler = noisy - (theta_dt * (mu - noisy) + 2 * (50 / 255) ** 2 * theta_dt * output / variance.sqrt())
    a, b, c = torch.exp(-theta_dt), torch.exp(-whole), torch.exp(-left)
    optimum = mu + a * (1 - c**2) / (1 - b**2) * (noisy - mu) + c * (1 - a**2) / (1 - b**2) * (target - mu)
    torch.testing.assert_close(loss, (euler - optimum).abs().mean())


def test_timesteps_are_drawn_evenly_but_for_the_last():
    drawn = make_training(last_share=0.5).draw_timesteps(generators(*range(1000)))
    assert (int(drawn.min()), int(drawn.max())) == (1, 100)
    assert float((drawn == 100).float().mean()) == pytest.approx(0.505, abs=0.05)
    assert float(drawn[drawn < 100].float().mean()) == pytest.approx(50, abs=3)
    assert torch.equal(make_training(last_share=0.5).draw_timesteps(generators(7)), drawn[7:8])


def test_ordinary_photos_are_the_target(pictures):
    training = make_training(ordinary=Grey())
    target, degraded, words = training._damage(pictures, generators(0, 1, 2, 3))
    torch.testing.assert_close(target, Grey()(pictures, generators(0, 1, 2, 3)))
    assert float((degraded - target).abs().mean()) > 0.03
    assert words == [("noise",)] * 4


@pytest.mark.parametrize(
    ("network", "prediction_type"),
    [
        (NAFNet(**SMALL), "sample"),
        (ConditionalUNet(8, (1,), None, has_content=False, is_half_resolution=False), "epsilon"),
    ],
)
def test_either_network_learns(pictures, network, prediction_type):
    torch.manual_seed(0)
    training = make_training(network, prediction_type, objective="x0" if prediction_type == "sample" else "noise")
    training.log = lambda *arguments, **settings: None
    optimizer = torch.optim.Adam(training.parameters(), lr=2e-3)
    losses = []
    for _ in range(40):
        torch.manual_seed(0)
        loss = training.training_step({"image": pictures[..., :16, :16]}, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_network_and_da_clip_go_together():
    with pytest.raises(ValueError, match="da_clip='folder' and the network's embedding_dim=None do not go together"):
        make_training(da_clip="folder")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, told_folder):
    """What the recipe leaves after a few steps on pictures, and its command."""
    folder = tmp_path_factory.mktemp("ir_sde")
    photos = folder / "photos"
    photos.mkdir()
    for name in ("astronaut", "cat", "coffee"):
        for number in range(3):
            Image.fromarray(getattr(skimage_data, name)()).resize((48 + number, 40)).save(
                photos / f"{name}{number}.png"
            )
    make_da_clip(folder / "da_clip", told_folder / "tokenizer")
    network = "--model.network.init_args."
    arguments = ["fit", "--config", "train/ir_sde", "--data.sources", f"[{photos}]", "--data.batch_size", "4"]
    arguments += ["--data.crop_size_px", "32", "--data.num_held_out", "3", "--trainer.max_time", "null"]
    arguments += ["--trainer.val_check_interval", "2", "--trainer.default_root_dir", str(folder / "logs")]
    arguments += ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
    arguments += [f"{network}widths", "[8, 16]", f"{network}encoder_blocks", "[1]", f"{network}decoder_blocks", "[1]"]
    arguments += [f"{network}middle_blocks", "1", f"{network}embedding_dim", "16", "--trainer.precision", "32"]
    arguments += ["--model.da_clip", str(folder / "da_clip"), "--model.export_dir", str(folder)]
    assert main([*arguments, "--trainer.max_steps", "2"]) == 0
    return folder, arguments


def test_the_recipe_trains_and_a_photo_is_restored(trained, tmp_path, photo_file):
    folder, _ = trained
    assert len(list((folder / "logs").rglob("*.png"))) > 0
    [checkpoint] = (folder / "logs").rglob("last.ckpt")
    names = torch.load(checkpoint, weights_only=False)["state_dict"]
    assert all(name.startswith("network.") for name in names)
    arguments = ["restore", str(photo_file), "--config", "ir_sde", "--model.weights", str(folder / "ir_sde")]
    assert main([*arguments, "-o", str(tmp_path / "out"), "--device", "cpu", "--trajectory", "3"]) == 0
    assert Image.open(tmp_path / "out" / "cat.png").size == (40, 28)


def test_the_recipe_goes_on(trained):
    folder, arguments = trained
    before = NAFNet.from_pretrained(folder / "ir_sde" / "network").state_dict()["leave.weight"].clone()
    [checkpoint] = (folder / "logs").rglob("last.ckpt")
    assert main([*arguments, "--trainer.max_steps", "4", "--ckpt_path", str(checkpoint)]) == 0
    after = NAFNet.from_pretrained(folder / "ir_sde" / "network").state_dict()["leave.weight"]
    assert not torch.equal(before, after)
