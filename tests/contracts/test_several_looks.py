"""A guess that looks again at its own result."""

import pytest
import torch
from skimage import data as skimage_data

from modules.alignment.agreed_light import AgreedLight
from modules.alignment.light_and_haze import LightAndHaze
from modules.alignment.likeliest import Likeliest
from modules.alignment.several_looks import SeveralLooks
from tests.builders import generators


@pytest.fixture(scope="module")
def hazy():
    """Two photos of scikit-image behind even haze."""
    photos = [torch.from_numpy(getattr(skimage_data, name)()[:256, :256].copy()) for name in ("astronaut", "coffee")]
    return 0.35 * torch.stack(photos).permute(0, 3, 1, 2).float() / 255 + 0.65 * 0.9


def test_one_look_is_the_guess_itself(hazy):
    once, guess = SeveralLooks(LightAndHaze(), num_looks=1), LightAndHaze()
    for net in (once, guess):
        net.begin(hazy, generators(0, 1))
    assert torch.equal(once.invert(hazy), guess.invert(hazy))
    assert torch.equal(once(hazy), guess(hazy))


def test_each_look_goes_on_from_the_result_of_the_one_before(hazy):
    several = SeveralLooks(LightAndHaze(light_belief=0.0, haze_belief=1.0))
    several.begin(hazy, generators(0, 1))
    guess, later = LightAndHaze(light_belief=0.0, haze_belief=1.0), LightAndHaze(light_belief=0.0)
    guess.begin(hazy, generators(0, 1))
    undone = guess.invert(hazy)
    for _ in range(2):
        later.begin(undone, generators(0, 1))
        undone = later.invert(undone)
    torch.testing.assert_close(several.invert(hazy), undone)
    assert float((undone - guess.invert(hazy)).abs().mean()) > 1e-3
    # And psi leads back.
    torch.testing.assert_close(several(undone.clamp(0.02, 0.98)), hazy, atol=0.03, rtol=0)


def test_later_looks_find_nothing_where_the_first_found_nothing(hazy):
    several = SeveralLooks(LightAndHaze(light_belief=0.0, haze_belief=0.0))
    several.begin(hazy, generators(0, 1))
    torch.testing.assert_close(several.invert(hazy), hazy)
    dark = SeveralLooks(LightAndHaze(light_belief=1.0, haze_belief=0.0))
    dark.begin(hazy / 6, generators(0, 1))
    assert all(not correction.thickness.any() for correction in dark.corrections)
    assert bool(dark.corrections[0].log_gain.any())


def test_all_looks_share_one_network(hazy):
    several = SeveralLooks(AgreedLight())
    likeliest = Likeliest([several])
    likeliest.begin(hazy, generators(0, 1))
    nets = [several.guess, *several.corrections]
    assert {id(net.onlooker.network) for net in nets} == {id(likeliest.onlooker.network)}
    # What is learnt while sampling is every look's own.
    assert len(several.learnt_parameters()) == 4 * len(nets)


def test_no_look_is_refused():
    with pytest.raises(ValueError, match="num_looks=0"):
        SeveralLooks(LightAndHaze(), num_looks=0)
