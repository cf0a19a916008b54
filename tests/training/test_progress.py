"""What `ldrps fit` shows while it trains."""

import io
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Timer
from rich.console import Console
from torch.utils.data import DataLoader

from ldrps.callbacks import training_progress
from ldrps.callbacks.training_progress import TrainingProgress, how_far
from ldrps.training.base import Training
from tests.training.recipe import fit


class Slope(Training):
    """One weight."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, 1))

    def training_step(self, batch, batch_idx):
        loss = (batch @ self.weight).mean()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", batch.mean(), prog_bar=True)


def shown(monkeypatch, **settings):
    """Everything that a terminal shows during a training without an end of epochs, as lines."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    monkeypatch.setattr(training_progress, "Console", lambda stderr: console)
    # Every change is shown, however quick.
    update = training_progress.Progress.update
    monkeypatch.setattr(
        training_progress.Progress, "update", lambda self, *given, **more: update(self, *given, refresh=True, **more)
    )
    trainer = Trainer(
        accelerator="cpu", max_epochs=-1, callbacks=[TrainingProgress()], logger=False, enable_checkpointing=False,
        enable_model_summary=False, check_val_every_n_epoch=None, val_check_interval=2, **settings,
    )  # fmt: skip
    loader = DataLoader(torch.ones(16, 1), batch_size=4)
    trainer.fit(Slope(), loader, loader)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()).replace("\r", "\n").splitlines()


@pytest.mark.filterwarnings("ignore:The '.*dataloader' does not have many workers")
def test_steps_are_counted_to_the_last_one_with_what_is_done_and_the_time_left(monkeypatch):
    lines = shown(monkeypatch, max_steps=6)
    assert not any("Epoch" in line or "-2" in line for line in lines)
    assert any(line.startswith("validating, batch 1 of 2") for line in lines)
    assert any(line.startswith("validating, batch 4 of 4") for line in lines)
    assert any(
        re.match(r"training, step 5 of 6 .* 0:00:0\d left train/loss [\d.]+ +val/loss 1", line) for line in lines
    )
    assert [line for line in lines if line][-1].startswith("training, step 6 of 6")


@pytest.mark.filterwarnings("ignore:The '.*dataloader' does not have many workers")
def test_where_time_ends_the_training_it_is_the_time_left(monkeypatch):
    lines = shown(monkeypatch, max_time=timedelta(seconds=1), limit_val_batches=0)
    assert any(re.match(r"training, step [\d,]+ .* 0:00:01 left", line) for line in lines)
    assert not any(" of " in line for line in lines)


def trainer_at(step, *timers):
    return SimpleNamespace(global_step=step, callbacks=list(timers))


def test_what_ends_first_counts_and_a_resumed_training_is_as_quick_as_since_then():
    assert how_far(trainer_at(30), 40, 20, 100.0) == (0.75, 100.0)
    assert how_far(trainer_at(20), 40, 20, 0.0) == (0.5, None)
    assert how_far(trainer_at(20), None, 0, 50.0) == (None, None)
    timer = Timer("00:00:01:40")
    timer._offset = 90
    share, left = how_far(trainer_at(30, timer, Timer()), 40, 20, 100.0)
    assert (share, left) == pytest.approx((0.9, 10))


def test_the_command_shows_it(tmp_path, capfd):
    options = ["--model.channels", "8", "--trainer.max_steps", "2", "--trainer.enable_progress_bar", "true"]
    assert fit("autoencoder", tmp_path, 32, *options) == 0
    told = capfd.readouterr()
    assert "training, step 2 of 2" in told.err
    assert "Epoch" not in told.err + told.out
