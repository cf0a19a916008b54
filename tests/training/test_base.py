"""What trainings share: warm-up, random numbers, damage in full precision, figures of several processes."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import LambdaCallback
from torch.utils.data import DataLoader

from degradations.blur.gaussian_blur import GaussianBlur
from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.pipeline import Maybe, RandomChoice
from ldrps.data.shipped import PACKAGE
from ldrps.training.autoencoder import AutoencoderTraining
from ldrps.training.base import Training
from ldrps.training.da_clip import DACLIPTraining
from ldrps.training.da_clip_detail import DACLIPDetailTraining
from ldrps.training.denoiser import DenoiserTraining
from ldrps.training.judge import JudgeTraining
from ldrps.training.noise_share import NoiseShareTraining
from ldrps.training.prior_adapter import PriorAdapterTraining
from modules.alignment.identity import Identity
from modules.backbones.stable_diffusion import StableDiffusion
from tests.builders import generators

MIXED = RandomChoice([GaussianBlur((0.5, 3.0)), GaussianNoise()])
"""Damage whose parts answer in different precisions under autocast."""

BATCH = {"caption": ["a photo of a cat", "a photo of a cup of coffee", "", "an astronaut in front of a flag"]}


class Slope(Training):
    """One weight."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.drawn = []

    def training_step(self, batch, batch_idx):
        self.drawn += [generator.initial_seed() for generator in self._generators(len(batch))]
        return self.weight * batch.sum()

    def validation_step(self, batch, batch_idx):
        rank = self.global_rank
        self.log("val/rank", batch.new_tensor(rank), batch_size=len(batch), sync_dist=True)
        # The first process has one row, the second three; of the other kind only the second has any.
        values = torch.full((4,), float(rank))
        self._log_rows("val/some", values, torch.arange(4) < 1 + 2 * rank)
        self._log_rows("val/only_second", values, torch.arange(4) < 2 * rank)
        self._log_rows("val/none", values, torch.zeros(4, dtype=torch.bool))


class Seen(torch.nn.Module):
    """Stands for DA-CLIP: the photo itself is its embedding."""

    def forward(self, images):
        return images, None


def fit(model, **settings):
    trainer = Trainer(
        accelerator="cpu", max_steps=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, val_check_interval=2, num_sanity_val_steps=0, **settings,
    )  # fmt: skip
    loader = DataLoader(torch.ones(16, 1), batch_size=4)
    trainer.fit(model, loader, loader)
    return trainer


@pytest.mark.parametrize(("steps", "expected"), [(0, [1.0, 1.0]), (1, [1.0, 1.0]), (2, [0.5, 1.0])])
def test_no_warm_up_is_none(steps, expected):
    training = Slope(warmup_steps=steps)
    training._share_done = lambda step: 0.0
    assert [training._learning_rate_factor(step) for step in (0, 1)] == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:The '.*dataloader' does not have many workers")
@pytest.mark.parametrize("end", [{"max_steps": 4}, {"max_epochs": 2, "max_steps": -1}], ids=["steps", "epochs"])
def test_the_learning_rate_falls_to_the_end_of_a_training(end):
    training = Slope(learning_rate=1.0, warmup_steps=0)
    rates = []
    noted = LambdaCallback(
        on_train_batch_start=lambda trainer, *_: rates.append(trainer.optimizers[0].param_groups[0]["lr"])
    )
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[noted], **end,
    )  # fmt: skip
    trainer.fit(training, DataLoader(torch.ones(8, 1), batch_size=4))
    assert rates == pytest.approx([0.02 + 0.98 * math.cos(step / 4 * math.pi / 2) ** 2 for step in range(4)])


def test_a_negative_warm_up_is_refused():
    with pytest.raises(ValueError, match="warmup_steps=-3 is negative: give 0 for no warm-up"):
        Slope(warmup_steps=-3)


@pytest.mark.filterwarnings("ignore:The '.*dataloader' does not have many workers")
@pytest.mark.parametrize("exports", [True, False])
def test_the_end_says_where_what_was_trained_lies(exports, tmp_path, monkeypatch, capfd):
    written = []
    monkeypatch.setattr(Slope, "export", lambda self, folder: written.append(folder))
    fit(Slope(export_dir=str(tmp_path) if exports else None))
    assert [folder.parent for folder in written] == ([tmp_path] if exports else [])
    sentence = f"what was trained is in {tmp_path}\n"
    assert capfd.readouterr().out.endswith(sentence) == exports


def seeds_drawn(seed=0, step=0, rank=0, count=3):
    training = Slope(seed=seed)
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(total_batch_idx=step))
    trainer = SimpleNamespace(fit_loop=loop, world_size=2, global_rank=rank)
    training.trainer = trainer
    return {generator.initial_seed() for generator in training._generators(count)}


def test_seed_step_and_process_decide_what_is_drawn_and_nothing_else():
    first = seeds_drawn()
    torch.manual_seed(1)
    assert seeds_drawn() == first
    others = [seeds_drawn(seed=1), seeds_drawn(step=1), seeds_drawn(rank=1), seeds_drawn(step=1, rank=1)]
    assert len(first.union(*others)) == 15


def test_validation_leaves_all_random_numbers_as_they_are(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    training, before = Slope(), torch.get_rng_state()
    seen = []
    for _ in range(2):
        training.on_validation_start()
        seen.append(torch.rand(3))
        training.on_validation_end()
    assert torch.equal(*seen)
    assert torch.equal(torch.get_rng_state(), before)
    assert seeded == []


class Gathered(Callback):
    """Keeps what the processes drew; asked in each process, since they share nothing with the one that started them."""

    def setup(self, trainer, pl_module, stage):
        # OpenMP's threads do not come with a fork, and would be waited for.
        torch.set_num_threads(1)

    def on_fit_end(self, trainer, pl_module):
        drawn = pl_module.all_gather(torch.tensor(pl_module.drawn)).flatten().tolist()
        if trainer.is_global_zero:
            # Metrics are what comes back from a process.
            trainer.callback_metrics["num_different"] = torch.tensor(float(len(set(drawn))))


@pytest.mark.filterwarnings("ignore")
def test_two_processes_draw_differently_and_log_figures_of_both():
    trainer = fit(Slope(), strategy="ddp_fork", devices=2, callbacks=[Gathered()])
    figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert figures == {"num_different": 16.0, "val/rank": 0.5, "val/some": 0.75, "val/only_second": 1.0}


@pytest.mark.filterwarnings("ignore:The '.*dataloader' does not have many workers")
def test_one_process_logs_its_own_figures():
    training = Slope()
    figures = fit(training).callback_metrics
    assert {name: float(value) for name, value in figures.items()} == {"val/rank": 0.0, "val/some": 0.0}
    assert len(set(training.drawn)) == 8


@pytest.fixture
def damage(told_folder):
    """How each training makes what it learns from of photos, with damage that does not bear half precision."""
    da_clip = DACLIPTraining(str(told_folder), MIXED, ["clean", "noise", "blur"])
    detail = DACLIPDetailTraining(str(told_folder), MIXED)
    detail.configure_model()
    adapter = PriorAdapterTraining(StableDiffusion(str(told_folder)), MIXED)
    # An embedding in which every difference of the pixels shows.
    adapter._da_clip = [Seen()]
    share = NoiseShareTraining(MIXED, MIXED)
    return {
        "da_clip": lambda *given: da_clip._degrade(*given)[0],
        "da_clip_detail": lambda *given: detail._degrade(*given)[0],
        "prior_adapter": adapter._embed,
        "noise_share": lambda *given: share._examples(*given)[0],
    }


@pytest.mark.parametrize("name", ["da_clip", "da_clip_detail", "prior_adapter", "noise_share"])
def test_photos_are_damaged_in_full_precision_in_a_training_in_half(damage, pictures, name):
    photos = F.interpolate(pictures, size=(128, 128), mode="bicubic").clamp(0, 1)
    whole = damage[name](photos, generators(*range(4)))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(damage[name](photos, generators(*range(4))), whole)
    assert whole.dtype == torch.float32
    assert not whole.requires_grad


def test_photos_keep_their_precision(pictures):
    for dtype in (torch.float64, torch.bfloat16):
        damaged, words = Slope()._damaged(MIXED, pictures.to(dtype), generators(*range(4)))
        assert damaged.dtype == dtype
        assert {word for own in words for word in own} == {"blur", "noise"}


def make_autoencoder(folder):
    return AutoencoderTraining(channels=8, latent_noise=1.0)


def make_denoiser(folder):
    return DenoiserTraining(str(folder), (32, 32), caption_dropout=0.5, draws_per_photo=2, focus_share=0.5)


def make_adapter(folder):
    return PriorAdapterTraining(StableDiffusion(str(folder), dtype="float32"), GaussianNoise())


def make_noise_share(folder):
    return NoiseShareTraining(LowLight((0, 0), (1, 1)), GaussianNoise(), jitter=0.5)


def make_judge(folder):
    training = JudgeTraining(
        Maybe(LowLight((2, 2), (1, 1)), 0.5), [Identity()], str(PACKAGE / "pretrained" / "mini" / "first_guess")
    )
    training.configure_model()
    # A step learns from what was made before, too.
    examples = training._examples(torch.rand(1, 3, 32, 32), generators(0))
    training.memory.extend([examples._replace(decibels=examples.decibels + number) for number in range(30)])
    return training


@pytest.mark.parametrize("make", [make_autoencoder, make_denoiser, make_adapter, make_noise_share, make_judge])
def test_a_step_draws_by_its_generators_alone(make, told_folder, pictures):
    photos = F.interpolate(pictures, size=(128, 128), mode="bicubic").clamp(0, 1)
    losses = []
    for global_seed, first in ((0, 0), (1, 0), (1, 4)):
        torch.manual_seed(0)
        training = make(told_folder)
        training.configure_model()
        # Dropout, which a network draws itself, is left out.
        training.eval()
        training.log = lambda *arguments, **settings: None
        training._generators = lambda count, first=first: generators(*range(first, first + count))
        torch.manual_seed(global_seed)
        losses.append(training.training_step(BATCH | {"image": photos}, 0).item())
    assert losses[1] == losses[0]
    assert losses[2] != losses[0]


@torch.no_grad()
@pytest.mark.parametrize("make", [make_autoencoder, make_denoiser, make_adapter, make_noise_share, make_judge])
def test_figures_of_validation_are_those_of_all_processes(make, told_folder, pictures):
    photos = F.interpolate(pictures, size=(128, 128), mode="bicubic").clamp(0, 1)
    training = make(told_folder)
    training.configure_model()
    logged = {}
    training.log = lambda name, value, **settings: logged.update({name: settings})
    training.all_gather = lambda values: values
    training._save_samples = lambda images: None
    training.eval().validation_step(BATCH | {"image": photos}, 0)
    assert logged
    assert all(settings["sync_dist"] for settings in logged.values())


@pytest.mark.parametrize(
    "training",
    [
        DACLIPTraining("nowhere", GaussianNoise(), ["clean"]),
        DACLIPDetailTraining("nowhere", GaussianNoise()),
        DenoiserTraining("nowhere"),
    ],
    ids=lambda training: type(training).__name__,
)
def test_a_pipeline_folder_that_is_not_there_is_named_and_no_hub_is_asked(training):
    with pytest.raises(ValueError, match=r"model.pipeline_dir='nowhere' is no folder: give one"):
        training.configure_model()
