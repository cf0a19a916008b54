"""What is hidden under full transparency has no say in what becomes of the rest."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as skimage_data

from ldrps.data.as_sample import as_sample
from ldrps.data.image_files import to_tensor
from ldrps.methods.baselines.gain import Gain
from ldrps.methods.transparency import with_hidden, without_hidden


@pytest.fixture(scope="module")
def cut_out():
    """A cat inside a disc, shape (3, 96, 96), and where it is, shape (96, 96)."""
    rows, columns = np.mgrid[:96, :96]
    visible = (rows - 48) ** 2 + (columns - 48) ** 2 < 30**2
    return np.asarray(Image.fromarray(skimage_data.chelsea()[:300, 60:360]).resize((96, 96))), visible


def coloured(cut_out, colour):
    """The cut-out with this colour under its transparency."""
    pixels, visible = cut_out
    hidden = np.where(visible[..., None], pixels, np.uint8(colour))
    return Image.fromarray(np.dstack([hidden, np.where(visible, 255, 0).astype(np.uint8)]), "RGBA")


def test_hidden_colours_change_nothing_and_come_back_as_they_were(cut_out):
    visible = cut_out[1]
    black, white = (np.asarray(Gain()(coloured(cut_out, level))) for level in (0, 255))
    assert np.array_equal(black[visible], white[visible])
    assert not np.array_equal(black[visible][:, :3], cut_out[0][visible])
    assert (black[~visible][:, :3] == 0).all()
    assert (white[~visible][:, :3] == 255).all()


def test_a_cut_out_is_as_light_as_its_visible_part(cut_out):
    pixels, visible = cut_out
    seen = without_hidden(as_sample(coloured(cut_out, 0)))
    assert torch.equal(seen[:, visible], to_tensor(Image.fromarray(pixels))[:, visible])
    border = seen[:, ~visible]
    assert border.min() >= seen[:, visible].min()
    assert border.max() <= seen[:, visible].max()


@pytest.mark.parametrize("opacity", [0, 255])
def test_a_picture_of_one_opacity_is_seen_as_it_is(cut_out, opacity):
    picture = Image.fromarray(cut_out[0])
    picture.putalpha(opacity)
    sample = as_sample(picture)
    assert without_hidden(sample) is sample.image
    restored = 1 - sample.image
    assert with_hidden(restored, sample) is restored
