"""The mean of what a network makes of a picture's flips and turns."""

import pytest
import torch

from ldrps.methods.ir_sde.ir_sde import IRSDE
from modules.outputs.denoised import Denoised
from modules.outputs.refined import Refined
from modules.views import mean_of_views

TURNS = {
    "mirrored": lambda images: images.flip(-1),
    "upside down": lambda images: images.flip(-2),
    "turned by a quarter": lambda images: images.rot90(1, (-2, -1)),
}


@pytest.fixture(scope="module")
def network():
    """Knows directions, as every trained network does."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.GELU(), torch.nn.Conv2d(4, 3, 3, padding=1)
    )


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 7, 10, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("num_views", range(1, 9))
def test_what_is_left_as_it_is_comes_back_from_every_view(images, num_views):
    torch.testing.assert_close(mean_of_views(lambda seen: seen, images, num_views), images)


@pytest.mark.parametrize(
    ("num_views", "known"),
    [(1, []), (2, ["mirrored"]), (4, ["mirrored", "upside down"]), (8, list(TURNS))],
)
@torch.no_grad()
def test_with_all_views_of_a_kind_it_does_not_matter_how_the_picture_lies(network, images, num_views, known):
    mean = mean_of_views(network, images, num_views)
    for name, turn in TURNS.items():
        same = torch.allclose(mean_of_views(network, turn(images), num_views), turn(mean), atol=1e-6)
        assert same == (name in known), name


@torch.no_grad()
def test_the_first_four_leave_vertical_lines_vertical(images):
    shapes = []
    mean_of_views(lambda seen: shapes.append(tuple(seen.shape[-2:])) or seen, images, 8)
    assert shapes == [(7, 10)] * 4 + [(10, 7)] * 4


@pytest.mark.parametrize("count", [0, 9])
@pytest.mark.parametrize("make", [Denoised, Refined, IRSDE])
def test_there_are_eight_views(make, count):
    with pytest.raises(ValueError, match=f"num_views={count} must lie in 1 to 8"):
        make(num_views=count)
