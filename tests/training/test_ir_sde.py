"""The training of IR-SDE: its objectives, its timesteps, that it learns, and its recipe up to a restored photo."""

import pytest
import torch
from PIL import Image
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint
from skimage import data as skimage_data

from degradations.light.grey import Grey
from degradations.noise.gaussian_noise import GaussianNoise
from ldrps.cli import main
from ldrps.data.photos import PhotoData
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


@pytest.mark.parametrize("objective", ["maximum_likelihood", "noise", "x0", "log_x0"])
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
    ("make_network", "prediction_type"),
    [
        (lambda: NAFNet(**SMALL), "sample"),
        (lambda: ConditionalUNet(8, (1,), None, has_content=False, is_half_resolution=False), "epsilon"),
    ],
)
def test_either_network_learns(pictures, make_network, prediction_type):
    torch.manual_seed(0)
    training = make_training(
        make_network(), prediction_type, objective="x0" if prediction_type == "sample" else "noise"
    )
    training.log = lambda *arguments, **settings: None
    training._generators = lambda count: generators(*range(count))
    optimizer = torch.optim.Adam(training.parameters(), lr=2e-3)
    losses = []
    for _ in range(40):
        loss = training.training_step({"image": pictures[..., :16, :16]}, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.85 * losses[0]


def test_network_and_da_clip_go_together():
    with pytest.raises(ValueError, match="da_clip='folder' and the network's embedding_dim=None do not go together"):
        make_training(da_clip="folder")


def test_it_goes_on_from_weights_on_disk(tmp_path, pictures):
    first = make_training()
    torch.nn.init.normal_(first.network.leave.weight)
    first.export(tmp_path)
    second = make_training(initial_dir=str(tmp_path / "ir_sde"))
    for name, values in second.network.state_dict().items():
        torch.testing.assert_close(values, first.network.state_dict()[name].float(), atol=1e-3, rtol=1e-3)
    assert all(parameter.requires_grad for parameter in second.network.parameters())

    other = NAFNet(widths=(8, 24), encoder_blocks=(1,), middle_blocks=1, decoder_blocks=(1,))
    with pytest.raises(
        ValueError, match=r"initial_dir='.*' holds a network of another shape \(NAFNet, [0-9,]+ weights"
    ):
        make_training(network=other, initial_dir=str(tmp_path / "ir_sde"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of nine small photos."""
    photos = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "cat", "coffee"):
        for number in range(3):
            Image.fromarray(getattr(skimage_data, name)()).resize((48 + number, 40)).save(
                photos / f"{name}{number}.png"
            )
    return photos


def test_the_recipe_trains_and_a_photo_is_restored(photos, tmp_path, told_folder, photo_file):
    folder = tmp_path / "ir_sde"
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
    assert len(list((folder / "logs").rglob("*.png"))) > 0
    [checkpoint] = (folder / "logs").rglob("last.ckpt")
    names = torch.load(checkpoint, weights_only=False)["state_dict"]
    assert all(name.startswith("network.") for name in names)
    arguments = ["restore", str(photo_file), "--config", "ir_sde", "--model.weights", str(folder / "ir_sde")]
    assert main([*arguments, "-o", str(tmp_path / "out"), "--device", "cpu", "--trajectory", "3"]) == 0
    assert Image.open(tmp_path / "out" / "cat.jpg").size == (40, 28)


class Losses(Callback):
    """Remembers the loss of every step, and stops like a machine that fails before step `failing_at`."""

    def __init__(self, failing_at=None):
        self.failing_at, self.values = failing_at, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.failing_at:
            raise RuntimeError("the machine fails")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.values.append(float(outputs["loss"]))


def fit(folder, photos, losses, num_workers, checkpoint=None):
    torch.manual_seed(0)
    training = make_training(last_share=0.5)
    # Whatever else the process has drawn makes no difference.
    torch.manual_seed(checkpoint is not None)
    saving = ModelCheckpoint(folder, every_n_train_steps=2, save_top_k=-1, filename="{step}")
    trainer = Trainer(
        accelerator="cpu", max_steps=8, callbacks=[losses, saving, EMAWeightAveraging(decay=0.9)], logger=False,
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0, use_distributed_sampler=False,
    )  # fmt: skip
    data = PhotoData([str(photos)], crop_size_px=32, batch_size=2, num_held_out=2, num_workers=num_workers)
    trainer.fit(training, data, ckpt_path=checkpoint, weights_only=False)
    return training.network.state_dict()


@pytest.mark.filterwarnings("ignore:The '.*dataloader' does not have many workers")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_interrupted_training_goes_on_with_the_same_losses(tmp_path, photos, num_workers):
    """Six photos are three steps an epoch: one checkpoint lies inside an epoch, one at its end."""
    whole, before, after = Losses(), Losses(failing_at=7), Losses()
    weights = fit(tmp_path / "whole", photos, whole, num_workers)
    with pytest.raises(RuntimeError, match="the machine fails"):
        fit(tmp_path / "halves", photos, before, num_workers)
    for step in (2, 6):
        after.values.clear()
        again = fit(tmp_path / "again", photos, after, num_workers, tmp_path / "halves" / f"step={step}.ckpt")
        assert before.values == whole.values[:7]
        assert after.values == whole.values[step:]
    for name, values in weights.items():
        torch.testing.assert_close(again[name], values)


def test_a_loss_that_is_not_finite_stops_the_training_and_leaves_the_batch(tmp_path, photos):
    training = make_training()
    training.network.leave.bias.data.fill_(float("nan"))
    trainer = Trainer(
        accelerator="cpu", max_steps=3, default_root_dir=tmp_path, enable_progress_bar=False,
        enable_model_summary=False, logger=False, enable_checkpointing=False, limit_val_batches=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"the loss of step 0 is nan: the batch lies in '.*not_finite-000000.pt'"):
        trainer.fit(training, PhotoData([str(photos)], crop_size_px=32, batch_size=2, num_held_out=2))
    [saved] = tmp_path.glob("*.pt")
    assert torch.load(saved, weights_only=True)["image"].shape == (2, 3, 32, 32)
