"""Checkpoints of earlier versions, and of other trainings."""

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from ldrps.training.base import Training
from tests.training.recipe import fit


class Line(Training):
    """A weight, which decays, and a bias, which does not; the bias comes first, as it may."""

    def __init__(self, **settings):
        super().__init__(warmup_steps=0, **settings)
        self.bias = torch.nn.Parameter(torch.ones(1))
        self.weight = torch.nn.Parameter(torch.ones(1, 1))

    def training_step(self, batch, batch_idx):
        return (batch @ self.weight + self.bias).square().mean()


class EarlierLine(Line):
    """As it was."""

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def trained(model, max_steps, folder, checkpoint=None):
    trainer = Trainer(
        accelerator="cpu", max_steps=max_steps, callbacks=[ModelCheckpoint(folder, filename="{step}")], logger=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    photos = torch.linspace(0, 2, 8).reshape(8, 1)
    trainer.fit(model, DataLoader(photos, batch_size=4), ckpt_path=checkpoint)
    return model


# A cosine over eight steps in both, though the first stops halfway.
@pytest.fixture(autouse=True)
def same_schedule(monkeypatch):
    monkeypatch.setattr(Line, "_share_done", lambda self, step: step / 8)


@pytest.mark.filterwarnings("ignore:The '.*dataloader' does not have many workers", "ignore:.*Checkpoint directory")
def test_a_training_goes_on_from_a_checkpoint_of_one_group(tmp_path):
    trained(EarlierLine(), 4, tmp_path)
    then, now = (trained(model, 8, tmp_path, tmp_path / "step=4.ckpt") for model in (EarlierLine(), Line()))
    assert torch.equal(now.weight, then.weight)
    assert torch.equal(now.bias, then.bias)
    assert now.lr_schedulers().get_last_lr() == 2 * then.lr_schedulers().get_last_lr()


@pytest.mark.filterwarnings("ignore:The '.*dataloader' does not have many workers", "ignore:.*Checkpoint directory")
def test_what_does_not_decay_does_so_no_more(tmp_path):
    trained(EarlierLine(weight_decay=0.5), 4, tmp_path)
    resumed = trained(Line(weight_decay=0.5), 5, tmp_path, tmp_path / "step=4.ckpt")
    decaying, others = resumed.optimizers().param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    assert decaying["params"] == [resumed.weight]
    assert decaying["lr"] == others["lr"] < resumed.learning_rate


def test_a_checkpoint_of_another_training_is_one_sentence(tmp_path, capfd):
    options = ["--trainer.max_steps", "1", "--trainer.callbacks.init_args.every_n_train_steps=1"]
    assert fit("autoencoder", tmp_path, 32, "--model.channels", "8", *options) == 0
    [last] = (tmp_path / "logs").rglob("last.ckpt")
    capfd.readouterr()
    assert fit("autoencoder", tmp_path, 32, "--model.channels", "16", *options, "--ckpt_path", str(last)) == 2
    told = capfd.readouterr().err.splitlines()
    assert told[-1].startswith(f"ldrps: checkpoint {str(last)!r} does not fit this training (Error(s) in loading")
    assert told[-1].endswith("or leave --ckpt_path out")
    assert not any("Traceback" in line for line in told)
