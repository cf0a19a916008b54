"""Crops of the full resolution: they add to DA-CLIP's words and leave its embeddings alone."""

import pytest
import torch
import torch.nn.functional as F

from degradations.noise.gaussian_noise import GaussianNoise
from degradations.pipeline import Maybe
from ldrps.training.da_clip_detail import DACLIPDetailTraining
from modules.networks.da_clip import load_da_clip
from modules.priors.da_clip import DACLIP
from tests.builders import generators
from tests.da_clip import make_da_clip
from tests.training.recipe import fit


@pytest.fixture
def training(tmp_path, told_folder):
    make_da_clip(tmp_path / "da_clip", told_folder / "tokenizer")
    made = DACLIPDetailTraining(str(tmp_path), Maybe(GaussianNoise((0.1, 0.1)), 0.5))
    made.configure_model()
    made.log = lambda *arguments, **settings: None
    return made


def test_it_learns_and_the_embeddings_stay(training, pictures):
    network = training.network
    before = network(pictures)
    torch.testing.assert_close(network.damage(pictures), F.normalize(before[1], dim=1))
    optimizer = torch.optim.Adam(network.detail.parameters(), lr=2e-3)
    losses = []
    for step in range(30):
        training._generators = lambda count, step=step: generators(*range(step * count, (step + 1) * count))
        loss = training.training_step({"image": pictures.repeat(4, 1, 1, 1)}, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    for old, new in zip(before, network(pictures), strict=True):
        torch.testing.assert_close(old, new)
    assert float((network.damage(pictures) - F.normalize(before[1], dim=1)).abs().max()) > 1e-2


def test_an_image_says_the_same_alone_and_at_any_size(training):
    torch.nn.init.normal_(training.network.detail.projection.weight)
    images = torch.rand(3, 3, 70, 200, generator=torch.Generator().manual_seed(0))
    together = training.network.damage(images)
    torch.testing.assert_close(together[1:2], training.network.damage(images[1:2]), atol=1e-5, rtol=1e-4)
    # Six crops: two rows and three columns, the whole width.
    changed = images.clone()
    changed[..., :8] = 0.5
    assert float((training.network.damage(changed) - together).abs().max()) > 1e-4


def test_the_recipe_trains_and_the_prior_names_words(tmp_path, told_folder, pictures):
    make_da_clip(tmp_path / "mini" / "da_clip", told_folder / "tokenizer")
    old = load_da_clip(tmp_path / "mini" / "da_clip").state_dict()
    assert (
        fit("da_clip_detail", tmp_path, 40, "--trainer.max_steps", "2", "--model.pipeline_dir", f"{tmp_path}/mini") == 0
    )
    new = load_da_clip(tmp_path / "mini" / "da_clip").state_dict()
    for name, values in old.items():
        torch.testing.assert_close(new[name], values.half().float())
    prior = DACLIP(str(tmp_path / "mini" / "da_clip"), min_probability=0.0)
    prior.load()
    words = prior.probabilities(prior.network.damage(pictures))
    assert [list(own) for own in words] == [list(own) for own in prior(pictures, [None] * 4).words]
    assert all(sum(own.values()) == pytest.approx(1) for own in words)
