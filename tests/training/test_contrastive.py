"""Contrastive training at scale: processes share embeddings, batches go through in pieces, the gradient is the same."""

import math
import os
from functools import partial

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from transformers import CLIPTokenizer

from degradations.noise.gaussian_noise import GaussianNoise
from ldrps.data.shipped import PACKAGE
from ldrps.training.contrastive import caption_loss, caption_numbers
from ldrps.training.da_clip import DACLIPTraining
from modules.networks.da_clip import load_da_clip
from tests.builders import generators

CAPTIONS = ["a cat", "", "a cup", "a cat", "a rocket", ""]


def embeddings():
    images, texts = torch.randn(2, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    texts[3] = texts[0]
    return images, texts


def gradient(rows):
    """Of a layer that all photos go through, and of the scale."""
    torch.manual_seed(0)
    layer, scale = torch.nn.Linear(8, 8).double(), torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    images, texts = embeddings()
    captions = [CAPTIONS[row] for row in rows]
    loss = caption_loss(layer(images[rows]), texts[rows], caption_numbers(captions), scale)
    return loss, *torch.autograd.grad(loss, [layer.weight, scale])


def test_without_equal_captions_it_is_clips_loss():
    rows = [0, 2, 4]
    images, texts = (F.normalize(part[rows], dim=1) for part in embeddings())
    logits = 7.0 * images @ texts.T
    expected = (F.cross_entropy(logits, torch.arange(3)) + F.cross_entropy(logits.T, torch.arange(3))) / 2
    images, texts = embeddings()
    captions = caption_numbers([CAPTIONS[row] for row in range(6) if row != 3])
    others = [0, 1, 2, 4, 5]
    loss = caption_loss(images[others], texts[others], captions, torch.tensor(7.0, dtype=torch.float64))
    torch.testing.assert_close(loss, expected)


def in_process(rank, folder):
    # OpenMP's threads do not come with a fork, and would be waited for.
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1"}
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    loss, *gradients = gradient([[0, 1, 2], [3, 4, 5]][rank])
    for values in gradients:
        dist.all_reduce(values)
    if rank == 0:
        torch.save([loss.detach(), *(values / 2 for values in gradients)], f"{folder}/gradients.pt")
    dist.destroy_process_group()


def test_two_processes_have_the_gradient_of_the_whole_batch(tmp_path):
    mp.start_processes(in_process, (str(tmp_path),), nprocs=2, start_method="fork")
    for one, two in zip(gradient(range(6)), torch.load(tmp_path / "gradients.pt"), strict=True):
        torch.testing.assert_close(two, one)


def counted(sizes, values):
    sizes.append(values.numel())
    return values


def test_a_pretrained_clip_keeps_its_pixels_and_its_temperature():
    mean, std = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    folder = PACKAGE / "pretrained" / "mini"
    training = DACLIPTraining(
        str(folder), GaussianNoise(), ["clean"], image_mean=mean, image_std=std, logit_scale=math.log(100)
    )
    training.configure_model()
    assert training.network.logit_scale.exp().item() == pytest.approx(100)
    side = training.network.image_size
    grey = torch.tensor(mean).view(1, 3, 1, 1).expand(1, 3, side, side)
    torch.testing.assert_close(training.network.prepare(grey), torch.zeros(1, 3, side, side), atol=1e-5, rtol=0)
    one_more = training.network.prepare(grey + torch.tensor(std).view(1, 3, 1, 1))
    torch.testing.assert_close(one_more, torch.ones(1, 3, side, side), atol=1e-5, rtol=0)


def test_a_batch_in_pieces_has_the_same_gradient_in_less_memory(told_folder, pictures):
    kept, gradients = [], []
    for piece_size in (None, 2):
        torch.manual_seed(0)
        training = DACLIPTraining(str(told_folder), GaussianNoise(), ["clean", "noise"], piece_size=piece_size)
        network = training.network = load_da_clip(told_folder / "da_clip")
        network.begin_training()
        training.log = lambda *arguments, **settings: None
        training._generators = lambda count: generators(*range(count))
        training.tokenizer = CLIPTokenizer.from_pretrained(told_folder / "tokenizer")
        sizes: list[int] = []
        batch = {"image": pictures.repeat(2, 1, 1, 1), "caption": ["a cat", "a cup of coffee", "", "a flag"] * 2}
        with torch.autograd.graph.saved_tensors_hooks(partial(counted, sizes), lambda values: values):
            loss = training.training_step(batch, 0)
        kept.append(sum(sizes))
        trained = [values for values in network.parameters() if values.requires_grad]
        gradients.append(torch.autograd.grad(loss, trained, allow_unused=True))
    for whole, pieces in zip(*gradients, strict=True):
        torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-4)
    assert any(float(values.abs().max()) > 1e-4 for values in gradients[0] if values is not None)
    assert kept[1] < 0.7 * kept[0]
