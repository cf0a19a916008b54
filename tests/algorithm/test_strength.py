"""How much of the change of light and colour a result keeps."""

import pytest
import torch

from ldrps.methods.ld_rps.strength import Strength


def means(images):
    return images.mean(dim=(2, 3))


def test_nothing_kept_brings_the_light_back_and_not_the_noise(pictures):
    generator = torch.Generator().manual_seed(0)
    dark = 0.25 * pictures
    noisy = (dark + 0.02 * torch.randn(dark.shape, generator=generator)).clamp(0, 1)
    back = Strength(light=0.0, colour=0.0)(pictures, noisy)
    torch.testing.assert_close(means(back), means(noisy), atol=0.01, rtol=0)
    assert (back - dark).square().mean() < 0.2 * (noisy - dark).square().mean()


def test_light_and_colour_are_apart(pictures):
    tinted = pictures[:1] * torch.tensor([1.0, 0.8, 0.64]).view(1, 3, 1, 1)
    same = Strength(light=1.0, colour=0.0)(pictures[:1], tinted)
    ratio = means(same)[0] / means(pictures[:1])[0]
    torch.testing.assert_close(ratio, torch.tensor([1.25, 1.0, 0.8]), atol=0.06, rtol=0)
    brighter = Strength(light=0.0, colour=1.0)(pictures[:1], tinted)
    torch.testing.assert_close(means(brighter)[0] / means(pictures[:1])[0], torch.full((3,), 0.8), atol=0.02, rtol=0)


def test_all_kept_is_the_result_itself(pictures):
    assert Strength()(pictures, pictures / 2) is pictures
    with pytest.raises(ValueError, match="colour"):
        Strength(colour=1.5)
