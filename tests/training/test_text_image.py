"""The training of the text-image model: its loss is that of all contrastive trainings."""

import math
from types import SimpleNamespace

import pytest
import torch

from ldrps.training.contrastive import caption_loss, caption_numbers
from ldrps.training.text_image import TextImageTraining

CAPTIONS = ["a photo of a cat", "a cup of coffee", "a rocket", "an astronaut"]


@pytest.fixture
def training():
    torch.manual_seed(0)
    made = TextImageTraining(hidden_size=16, num_layers=1, image_size=32, vocab_size=560, max_length=12)
    trainer = SimpleNamespace(datamodule=SimpleNamespace(captions=CAPTIONS))
    made.trainer = trainer
    made.configure_model()
    made.trainer = None
    made.log = lambda *arguments, **settings: None
    return made.eval()


@torch.no_grad()
def test_without_equal_captions_it_is_clips_own_loss(training, pictures):
    similarity = training._look({"image": pictures, "caption": CAPTIONS}).logits_per_image
    rows = torch.arange(4)
    entropy = torch.nn.functional.cross_entropy
    expected = (entropy(similarity, rows) + entropy(similarity.T, rows)) / 2
    torch.testing.assert_close(training.training_step({"image": pictures, "caption": CAPTIONS}, 0), expected)


@torch.no_grad()
def test_equal_and_missing_captions_count_as_in_every_contrastive_training(training, pictures):
    captions = ["a photo of a cat", "", "a rocket", "a photo of a cat"]
    batch = {"image": pictures, "caption": captions}
    seen, scale = training._look(batch), training.clip.logit_scale.exp()
    expected = caption_loss(seen.image_embeds, seen.text_embeds, caption_numbers(captions), scale)
    torch.testing.assert_close(training.training_step(batch, 0), expected)


def test_the_scale_of_the_cosines_stays_in_bounds(training):
    for before, after in ((9.0, math.log(100)), (-1.0, 0.0), (2.5, 2.5)):
        training.clip.logit_scale.data.fill_(before)
        training.on_train_batch_end(None, None, 0)
        assert training.clip.logit_scale.item() == pytest.approx(after)


def test_only_weights_decay(training):
    training.trainer = SimpleNamespace(estimated_stepping_batches=10, callbacks=[])
    decaying, others = training.configure_optimizers()["optimizer"].param_groups
    assert decaying["weight_decay"] == training.weight_decay > 0
    assert others["weight_decay"] == 0
    assert any(each is training.clip.logit_scale for each in others["params"])
    assert sorted({each.ndim for each in others["params"]}) == [0, 1]
    assert len(decaying["params"]) + len(others["params"]) == len(list(training.parameters()))
