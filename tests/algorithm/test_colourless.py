"""Photos without colour come back without: networks that know colourful photos tint what they restore."""

import pytest
import torch
from skimage import data as skimage_data

from ldrps.configuration.presets import load_preset
from modules.colourless import are_colourless, without_tint


@pytest.fixture(scope="module")
def noisy():
    """A noisy photo without colour, and one with."""
    grey = torch.from_numpy(skimage_data.camera()[:96, 128:224].copy()).expand(3, 96, 96)
    colourful = torch.from_numpy(skimage_data.astronaut()[:96, 128:224].copy()).permute(2, 0, 1)
    photos = torch.stack([grey, colourful]) / 255
    noise = 25 / 255 * torch.randn(2, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    return ((photos + noise).clamp(0, 1) * 255).round() / 255


def test_only_photos_without_any_colour_are_colourless(noisy):
    almost = noisy[:1].clone()
    almost[0, 0, 5, 5] += 1 / 255
    assert are_colourless(torch.cat([noisy, almost])).tolist() == [True, False, False]
    tinted = noisy + torch.tensor([0.01, 0.0, -0.01]).view(1, 3, 1, 1)
    torch.testing.assert_close(without_tint(tinted, noisy)[0], noisy[0])
    assert torch.equal(without_tint(tinted, noisy)[1], tinted[1])


@pytest.mark.parametrize("preset", ["blind", "fast", "refined", "ir_sde", "auto"])
def test_a_noisy_photo_without_colour_is_restored_without(preset, noisy):
    restorer = load_preset(preset)
    restorer.load()
    restored = restorer.restore(noisy, [None, None])
    assert float((restored[0] - noisy[0]).abs().mean()) > 0.01
    assert are_colourless(restored).tolist() == [True, False]
    assert float((restored[0, 0] - restored[0, 1]).abs().max()) < 0.5 / 65535
