"""The judge of what was undone: its examples, its training, its weights."""

import shutil
from contextlib import nullcontext

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from safetensors.torch import load_file, save_file

from degradations.light.low_light import LowLight
from degradations.pipeline import Maybe
from ldrps.data.photos import PhotoData
from ldrps.data.shipped import PACKAGE
from ldrps.training.judge import BEST_DB, JudgeTraining
from modules.alignment.identity import Identity
from modules.alignment.tone_curve import ToneCurve
from modules.networks.first_guess import FirstGuess
from modules.networks.judge import Judge
from tests.builders import generators
from tests.training.recipe import fit, photos

MINI = PACKAGE / "pretrained" / "mini"


class KnownDarkness(Identity):
    """Takes every photo for one that is a quarter as bright as it was."""

    def invert(self, degraded):
        return (4 * degraded).clamp(0, 1)


@pytest.fixture(scope="module")
def training():
    made = JudgeTraining(
        Maybe(LowLight((2, 2), (1, 1)), 0.5), [Identity(), KnownDarkness(), ToneCurve()], str(MINI / "first_guess")
    )
    made.configure_model()
    return made


def test_the_right_candidate_has_the_highest_psnr(training, pictures):
    features, decibels, ordinary = training._examples(pictures, generators(0, 1, 2, 5))
    assert features.shape == (4, 3, training.network.config.num_features)
    assert 0 < int(ordinary.sum()) < 4
    assert bool((decibels[ordinary, 0] == BEST_DB).all())
    assert bool((decibels[ordinary, 1] < 20).all())
    # Rounding to 8 bits in the dark leaves errors of two levels.
    assert bool((decibels[~ordinary, 1] > 40).all())
    assert bool((decibels[~ordinary, 0] < 20).all())


def test_only_the_judge_is_trained_and_kept(training):
    assert {name.split(".")[0] for name in training.state_dict()} == {"network"}


@pytest.fixture
def blind():
    """A training on another device than the CPU, which any machine has."""
    made = JudgeTraining(LowLight((2, 2), (1, 1)), [Identity()], str(MINI / "first_guess"), num_kept=3)
    made.configure_model()
    return made.to("meta")


def test_the_first_guess_follows_the_photos_to_their_device(blind, pictures, monkeypatch):
    # This device knows no autocast, not even to switch it off.
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **settings: nullcontext())
    examples = blind._examples(pictures.to("meta"), generators(0, 1, 2, 3))
    assert [values.device.type for values in examples] == ["meta"] * 3


def test_the_latest_batches_are_remembered_on_the_cpu(training, pictures):
    made = JudgeTraining(training.degradation, training.candidates, training.first_guess, num_kept=3)
    made.configure_model()
    made.log = lambda *arguments, **settings: None
    seen = []
    for number in range(5):
        made._generators = lambda count, number=number: generators(*range(number, number + count))
        made.training_step({"image": pictures}, 0)
        seen.append(made._examples(pictures, made._generators(4)).features)
    assert len(made.memory) == 3
    for kept, features in zip(made.memory, seen[2:], strict=True):
        assert torch.equal(kept.features, features)
        assert {values.device.type for values in kept} == {"cpu"}


def losses_of(folder, max_steps, checkpoint=None):
    """Train on 12 photos, two a step, and return the losses by step; every step leaves a checkpoint."""
    torch.manual_seed(0)
    made = JudgeTraining(
        LowLight((0, 3), (1, 1)), [Identity(), KnownDarkness()], str(MINI / "first_guess"), num_kept=4, warmup_steps=0
    )
    data = PhotoData([str(folder / "photos")], crop_size_px=32, batch_size=2, num_held_out=2)
    checkpoints = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    losses = {}

    class Losses(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            losses[trainer.global_step] = outputs["loss"].item()

    trainer = Trainer(
        accelerator="cpu", max_steps=max_steps, logger=False, callbacks=[checkpoints, Losses()],
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(made, data, ckpt_path=checkpoint)
    return losses


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:Checkpoint directory")
def test_a_resumed_training_goes_on_with_the_losses_it_would_have_had(tmp_path, monkeypatch):
    # Dropout draws from torch's own random numbers, which nobody keeps.
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, values: values)
    photos(tmp_path / "photos", 32)
    whole = losses_of(tmp_path, 8)
    resumed = losses_of(tmp_path, 8, tmp_path / "step=6.ckpt")
    assert resumed == {step: whole[step] for step in (7, 8)}
    assert len(torch.load(tmp_path / "step=6.ckpt", weights_only=True)["memory"]) == 4


def test_examples_of_other_candidates_are_not_learnt_from(training):
    examples = training._examples(torch.rand(1, 3, 32, 32), generators(0))
    fewer = (examples.features[:, :2], examples.decibels[:, :2], examples.ordinary)
    made = JudgeTraining(training.degradation, training.candidates, training.first_guess)
    made.on_load_checkpoint({"memory": [fewer, tuple(examples)]})
    assert [kept.decibels.shape[1] for kept in made.memory] == [3]
    made.on_load_checkpoint({})
    assert not made.memory


def test_a_first_guess_that_is_missing_or_incomplete_is_one_sentence_and_no_hub_is_asked(tmp_path):
    made = JudgeTraining(LowLight((2, 2), (1, 1)), [Identity()], str(tmp_path / "none"))
    with pytest.raises(ValueError, match=r"none' of the first guess cannot be read .* train/first_guess"):
        made.configure_model()
    made.first_guess = str(shutil.copytree(MINI / "first_guess", tmp_path / "cut"))
    [file] = (tmp_path / "cut").glob("*.safetensors")
    weights = load_file(file)
    weights.pop(sorted(weights)[0])
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(ValueError, match="1 weights are missing"):
        made.configure_model()


def test_to_keep_nothing_is_refused():
    with pytest.raises(ValueError, match="num_kept=0 keeps nothing to learn from"):
        JudgeTraining(LowLight((2, 2), (1, 1)), [Identity()], "", num_kept=0)


def test_photos_and_candidates_are_judged_one_by_one():
    judge = Judge(num_features=6, hidden_dim=8).eval()
    features = torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(0))
    together = judge(features, features[:, :1].expand_as(features))
    assert together.shape == (4, 3)
    torch.testing.assert_close(judge(features[2, 1], features[2, 0]), together[2, 1])


def test_the_recipe_trains_and_exports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(MINI / "first_guess", tmp_path / "mini" / "first_guess")
    assert fit("judge", tmp_path, 40, "--trainer.max_steps", "4") == 0
    judge = Judge.from_pretrained(tmp_path / "mini" / "judge", torch_dtype=torch.float32)
    assert judge.config.num_features == FirstGuess.from_pretrained(MINI / "first_guess").num_features
    assert bool(judge(torch.rand(2, 264), torch.rand(2, 264)).isfinite().all())
