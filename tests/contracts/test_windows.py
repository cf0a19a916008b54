"""A picture in windows is the picture: nothing is counted twice, and nothing changes where windows meet."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data as skimage_data

import modules.alignment
import modules.losses
import modules.outputs
from ldrps.data.image_files import to_tensor
from modules.alignment.base import Alignment
from modules.alignment.chained import Chained
from modules.alignment.fpam import FPAM
from modules.alignment.likeliest import Likeliest
from modules.alignment.plain_stack import PlainStack
from modules.alignment.tone_curve import ToneCurve
from modules.fused_windows import fused
from modules.losses.adversarial import Adversarial
from modules.losses.base import Loss, State
from modules.losses.vgg import VGG
from modules.outputs.base import Output
from modules.outputs.denoised import Denoised
from modules.windows import WindowSettings, split
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses
from tests.contracts.test_alignment import build as build_alignment
from tests.contracts.test_losses import features

SIZE = 128, 192


@pytest.fixture(scope="module")
def photos():
    """Two photos of 128 x 192 pixels, the first of them hazy towards the top."""
    photos = [to_tensor(Image.fromarray(make()).resize(SIZE[::-1])) for make in (skimage_data.coffee, skimage_data.cat)]
    air = torch.linspace(0.6, 0.1, SIZE[0])[:, None]
    photos[0] = photos[0] * (1 - air) + 0.9 * air
    return torch.stack(photos)


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    side=st.integers(20, 120),
    margin=st.integers(0, 40),
    multiple=st.sampled_from([1, 2, 8]),
)
def test_every_place_counts_once_and_is_seen_with_its_margin(size, side, margin, multiple):
    counted = torch.zeros(1, 1, *size)
    for window in split(size, side, margin, multiple):
        assert window.rows.end - window.rows.start <= -(-side // multiple) * multiple
        assert window.rows.outer_start % multiple == window.columns.outer_start % multiple == 0
        assert window.columns.start - window.columns.outer_start >= min(margin, window.columns.start)
        assert window.rows.outer_end - window.rows.end >= min(margin, size[0] - window.rows.end)
        window.core(window.outer(counted)).add_(1)
    assert torch.equal(counted, torch.ones_like(counted))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), side=st.integers(2, 30), overlap=st.integers(0, 15))
def test_fused_windows_leave_alone_what_is_the_same_in_all(height, width, side, overlap):
    values = torch.rand(1, 2, 4 * height, 4 * width)
    seen = []

    def double(part):
        seen.append(part.shape)
        assert max(part.shape[-2:]) <= max(4 * side, 4)
        assert part.shape[-1] % 4 == part.shape[-2] % 4 == 0
        return 2 * part

    torch.testing.assert_close(fused(double, values, 4 * side, min(overlap, 2 * side), 4), 2 * values)


@pytest.mark.parametrize("cls", concrete_subclasses(modules.alignment, Alignment))
def test_an_alignment_net_sees_the_same_in_a_window(cls, photos):
    alignment = cls(width=6) if cls in (FPAM, PlainStack) else build_alignment(cls)
    alignment.begin(photos, generators(0, 1))
    chains = photos.repeat(2, 1, 1, 1).flip(-1)
    for make, images in ((lambda part: alignment(part), chains), (alignment.invert, photos)):
        with torch.no_grad():
            whole = make(images)
            for window in split(SIZE, 80, alignment.reach_px):
                with alignment.at(window):
                    part = make(window.outer(images))
                expected = window.core(window.outer(whole))
                torch.testing.assert_close(window.core(part), expected, atol=1e-5, rtol=0)


def test_nets_of_nets_reach_as_far_as_both():
    assert Chained(ToneCurve(), FPAM()).reach_px == 4
    assert Likeliest([ToneCurve(), FPAM()]).reach_px == 4


@pytest.mark.parametrize("size", [SIZE, (125, 187)])
@pytest.mark.parametrize("cls", concrete_subclasses(modules.losses, Loss))
def test_the_gradients_of_the_windows_add_up_to_that_of_the_picture(cls, photos, size, vgg_hub):
    loss = cls(width=6) if issubclass(cls, Adversarial) else cls()
    if cls is VGG:
        loss.weights = str(vgg_hub / "checkpoints" / "vgg16-397923af.pth")
    degraded, restored = photos[..., : size[0], : size[1]], photos.flip(0)[..., : size[0], : size[1]]
    loss.begin(degraded, features, generators(0, 1))

    def gradient(images, seen, window=None):
        images = images.clone().requires_grad_()
        state = State(images, 0.8 * images + 0.1, seen, images.detach(), 0.8 * images.detach() + 0.1)
        state = state if window is None else state.of(window, restored)
        (own,) = torch.autograd.grad(loss(state).sum(), images)
        return own

    whole, summed = gradient(restored, degraded), torch.zeros_like(restored)
    for window in split(size, 64, loss.reach_px, loss.grid_px):
        window.outer(summed).add_(gradient(window.outer(restored), window.outer(degraded), window))
    # A pooling layer leaves an odd last row out, which a window that does not hold it cannot know.
    tolerance = 0.03 if cls is VGG and size != SIZE else 1e-3
    assert float((summed - whole).abs().max() / whole.abs().max()) < tolerance


@pytest.mark.parametrize(
    "output",
    [*(cls() for cls in concrete_subclasses(modules.outputs, Output)), Denoised(num_views=8)],
    ids=lambda output: type(output).__name__,
)
@pytest.mark.parametrize("size", [SIZE, (125, 187)])
def test_an_output_makes_the_same_of_windows(output, size, photos):
    """Also where undoing the damage enlarges the noise of one side more than that of the other, and of odd sides."""
    photos = photos[..., : size[0], : size[1]]
    gain = torch.linspace(1, 6, size[1]).expand(2, 1, *size)
    noise = 0.03 * torch.randn(photos.shape, generator=torch.Generator().manual_seed(0))
    noisy = (photos / gain + noise).clamp(0, 1)
    soft = torch.nn.functional.avg_pool2d(photos, 3, stride=1, padding=1, count_include_pad=False)

    def undo_at(window):
        return lambda images: (images * window.outer(gain)).clamp(0, 1)

    pieces = output.in_windows(soft, noisy, undo_at, None)
    parts = output.in_windows(soft, noisy, undo_at, 64)
    torch.testing.assert_close(parts, pieces, atol=2e-5, rtol=0)


@pytest.mark.parametrize("wrong", [{"side_px": 8}, {"overlap_px": -1}, {"side_px": 64, "overlap_px": 40}])
def test_windows_that_do_not_fit_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(reversed(wrong)))):
        WindowSettings(**wrong)
