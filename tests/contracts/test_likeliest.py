"""Of several explanations of a photo, the one that leaves it least damaged."""

import pytest
import torch
from PIL import Image
from skimage import data

from ldrps.data.image_files import to_tensor
from modules.alignment.agreed_light import AgreedLight
from modules.alignment.base import Alignment
from modules.alignment.identity import Identity
from modules.alignment.light_and_haze import LightAndHaze
from modules.alignment.likeliest import Likeliest
from tests.builders import generators


class Darkened(Alignment):
    """Takes images for darkened by a known factor."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def begin(self, degraded, generators):
        self.scale = torch.nn.Parameter(torch.full((len(degraded), 1, 1, 1), 1 / self.factor))

    def forward(self, images):
        return images * self.scale.repeat(len(images) // len(self.scale), 1, 1, 1)

    def invert(self, degraded):
        return (degraded / self.scale).clamp(0, 1)


@pytest.fixture(scope="module")
def photos():
    arrays = [data.astronaut(), data.chelsea(), data.coffee(), data.astronaut()[::-1].copy()]
    return torch.stack([to_tensor(Image.fromarray(array).resize((96, 96))) for array in arrays])


def test_the_right_explanation_is_taken_for_each_photo(photos):
    # Two photos a fifth as bright as they were, two in order.
    degraded = torch.cat([photos[:2] / 5, photos[2:]])
    alignment = Likeliest([Identity(), AgreedLight()])
    alignment.begin(degraded, generators(0, 1, 2, 3))
    assert alignment.chosen.tolist() == [1, 1, 0, 0]
    undone = alignment.invert(degraded)
    assert torch.equal(undone[2:], photos[2:])
    errors = (undone[:2] - photos[:2]).square().mean(dim=(1, 2, 3))
    assert bool((errors < 0.15 * (degraded[:2] - photos[:2]).square().mean(dim=(1, 2, 3))).all())
    again = alignment(torch.cat([undone, undone]))
    torch.testing.assert_close(again, torch.cat([degraded, degraded]), atol=0.02, rtol=0)


def test_the_first_counts_unless_another_is_clearly_better(photos):
    degraded = photos / 5
    alignment = Likeliest([Identity(), Darkened(5)], margin_db=1000)
    alignment.begin(degraded, generators(0, 1, 2, 3))
    assert alignment.chosen.tolist() == [0, 0, 0, 0]
    torch.testing.assert_close(alignment.invert(degraded), degraded)


@pytest.mark.parametrize(
    "picture", [torch.zeros(1, 3, 90, 80), torch.full((1, 3, 90, 80), 0.1), torch.rand(1, 3, 7, 90) / 10]
)
def test_pictures_that_show_nothing_are_left_as_they_are(picture):
    alignment = Likeliest([Identity(), Darkened(5)], margin_db=0)
    alignment.begin(picture, generators(0))
    torch.testing.assert_close(alignment.invert(picture), picture)


def test_it_learns_on_where_it_was_chosen(photos):
    degraded = torch.cat([photos[:2] / 5, photos[2:]])
    alignment = Likeliest([Identity(), Darkened(5)])
    alignment.begin(degraded, generators(0, 1, 2, 3))
    alignment.chosen = torch.tensor([1, 1, 0, 0])
    [scale] = alignment.learnt_parameters()
    (alignment(photos) - 0.3).square().sum().backward()
    assert bool((scale.grad[:2] != 0).all())
    assert not bool(scale.grad[2:].any())


def test_without_a_candidate_there_is_nothing_to_choose():
    with pytest.raises(ValueError, match=r"candidates=\[\]"):
        Likeliest([])


def test_the_photo_is_looked_at_once_and_what_each_makes_of_it_once_more(photos):
    alignment = Likeliest([Identity(), AgreedLight(), LightAndHaze(light_belief=0.0, haze_belief=1.0)])
    alignment.load()
    looks = []
    alignment.onlooker.network.body.register_forward_hook(lambda module, given, output: looks.append(len(output)))
    degraded = photos[:2] / 5
    alignment.begin(degraded, generators(0, 1))
    assert looks == [2, 2, 2]
    first, second = (candidate.damage for candidate in alignment.nets[1:])
    # What is remembered is what would have been seen.
    for remembered, net in ((first, AgreedLight()), (second, LightAndHaze(light_belief=0.0, haze_belief=1.0))):
        net.begin(degraded, generators(0, 1))
        assert all(map(torch.equal, net.damage, remembered))
    alignment.begin(degraded[:1], generators(0))
    torch.testing.assert_close(alignment.nets[1].damage.log_gain, first.log_gain[:1])
