"""What every loss must keep."""

import pytest
import torch
import torch.nn.functional as F

import modules.losses
from modules.losses.adversarial import Adversarial
from modules.losses.base import Loss, LossTerm, State
from modules.losses.color_constancy import ColorConstancy
from modules.losses.exposure import Exposure
from modules.losses.identity_pull import IdentityPull
from modules.losses.l1 import L1
from modules.losses.l2 import L2
from modules.losses.perceptual import Perceptual
from modules.losses.relative_l2 import RelativeL2
from modules.losses.total_variation import TotalVariation
from modules.losses.vgg import VGG
from modules.windows import split
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses

CLASSES = concrete_subclasses(modules.losses, Loss)


def features(images):
    kernel = torch.linspace(-1, 1, 5 * 3 * 3 * 3, dtype=images.dtype).view(5, 3, 3, 3)
    return [F.conv2d(images, kernel, padding=1), F.conv2d(images, kernel, padding=1, stride=2)]


@pytest.fixture
def build(vgg_hub):
    def make(cls, batch_size):
        loss = (
            cls(weights=str(vgg_hub / "checkpoints" / "vgg16-397923af.pth"))
            if cls is VGG
            else cls(width=6)
            if issubclass(cls, Adversarial)
            else cls()
        )
        return loss, generators(*range(batch_size))

    return make


def make_state(restored, redegraded, degraded):
    return State(restored, redegraded, degraded, restored.detach(), redegraded.detach())


@pytest.mark.parametrize("cls", CLASSES)
def test_a_row_of_a_batch_equals_the_single_row(cls, build, pictures):
    loss, drawn = build(cls, 4)
    degraded, restored, redegraded = pictures, pictures.flip(0), pictures.roll(1, 0)
    loss.begin(degraded, features, drawn)
    together = loss(make_state(restored, redegraded, degraded))
    assert together.shape == (4,)
    for row in range(4):
        one = slice(row, row + 1)
        loss.begin(degraded[one], features, generators(row))
        alone = loss(make_state(restored[one], redegraded[one], degraded[one]))
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_gradient_is_finite_and_stays_in_its_row(cls, build, pictures):
    loss, drawn = build(cls, 2)
    degraded = pictures[:2]
    loss.begin(degraded, features, drawn)
    restored = (0.8 * pictures[:2] + 0.05).requires_grad_()
    loss(make_state(restored, 0.9 * restored, degraded))[0].backward()
    assert restored.grad.isfinite().all()
    assert restored.grad[0].abs().sum() > 0
    assert restored.grad[1].abs().sum() == 0


@pytest.mark.parametrize("cls", CLASSES)
def test_two_chains_give_two_rows_an_image(cls, build, pictures):
    loss, drawn = build(cls, 2)
    loss.begin(pictures[:2], features, drawn)
    chains = pictures[:2].repeat(2, 1, 1, 1)
    values = loss(make_state(chains, chains, chains))
    torch.testing.assert_close(values[:2], values[2:])
    training = loss.training_loss(make_state(chains, chains, chains))
    assert (training is None) == (not loss.learnable())
    assert training is None or training.shape == (2,)


@pytest.mark.parametrize("cls", [L1, L2, RelativeL2, Perceptual, VGG])
def test_fidelity_is_zero_at_the_degraded_image_and_positive_elsewhere(cls, build, pictures):
    loss, drawn = build(cls, 2)
    loss.begin(pictures[:2], features, drawn)
    same = loss(make_state(pictures[2:], pictures[:2], pictures[:2]))
    torch.testing.assert_close(same, torch.zeros(2), atol=1e-6, rtol=0)
    assert (loss(make_state(pictures[2:], pictures[2:], pictures[:2])) > 1e-4).all()


@pytest.mark.parametrize("cls", [Perceptual, VGG])
def test_content_is_compared_with_what_was_damaged(cls, build, pictures):
    loss, drawn = build(cls, 2)
    loss.target = "restored"
    loss.begin(pictures[:2], features, drawn)
    same = loss(make_state(pictures[2:], pictures[2:], pictures[:2]))
    torch.testing.assert_close(same, torch.zeros(2), atol=1e-6, rtol=0)
    assert (loss(make_state(pictures[2:], pictures[:2], pictures[:2])) > 1e-4).all()


@pytest.mark.parametrize(
    ("loss", "restored", "expected"),
    [
        (Exposure(patch_size_px=8), torch.full((1, 3, 16, 16), 0.5), 0.0),
        (Exposure(patch_size_px=8), torch.full((1, 3, 16, 16), 0.2), 0.09),
        (ColorConstancy(), torch.full((1, 3, 8, 8), 0.3), 0.0),
        (ColorConstancy(), torch.tensor([0.5, 0.3, 0.3]).view(1, 3, 1, 1).expand(1, 3, 8, 8), (2 * 0.2**4) ** 0.5),
        (TotalVariation(), torch.full((1, 3, 8, 8), 0.3), 1e-3),
        (TotalVariation(), torch.arange(8.0).view(1, 1, 1, 8).expand(1, 3, 8, 8) / 10, 0.1),
        (IdentityPull(), torch.full((1, 3, 8, 8), 0.3), 0.01),
    ],
)
def test_values_agree_with_the_formula(loss, restored, expected):
    redegraded = restored + 0.1
    loss.begin(restored, features, generators(0))
    value = loss(make_state(restored, redegraded, restored))
    torch.testing.assert_close(value, torch.tensor([expected]), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("margin", [0, 8])
@pytest.mark.parametrize("size", [(34, 34), (29, 48), (5, 34)])
def test_the_exposure_of_windows_adds_up_where_the_picture_ends_inside_a_patch(size, margin):
    loss = Exposure(patch_size_px=8)
    restored = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    state = make_state(restored, restored, restored)
    windows = split(size, 16, margin, loss.grid_px)
    assert len(windows) > 2
    summed = torch.zeros(2)
    for window in windows:
        part = window.outer(restored)
        summed = summed + loss(make_state(part, part, part).of(window, restored))
    torch.testing.assert_close(summed, loss(state))
    (own,), (whole,) = (torch.autograd.grad(value.sum(), restored) for value in (summed, loss(state)))
    torch.testing.assert_close(own, whole)


def test_patches_without_pixels_are_named():
    with pytest.raises(ValueError, match="patch_size_px=0 must be at least 1"):
        Exposure(0)


def test_a_discriminator_learns_to_tell_the_two_apart(pictures):
    loss = Adversarial(width=8, learning_rate=5e-3)
    loss.begin(pictures[:1], features, generators(0))
    state = make_state(pictures[:1], 1 - pictures[:1], pictures[:1])
    optimizer = torch.optim.Adam(loss.parameters(), lr=loss.learning_rate)
    first = float(loss.training_loss(state).detach().sum())
    for _ in range(60):
        optimizer.zero_grad()
        loss.training_loss(state).sum().backward()
        optimizer.step()
    assert float(loss.training_loss(state).detach().sum()) < 0.5 * first


def test_the_discriminator_has_the_size_of_the_released_one(pictures):
    loss = Adversarial()
    loss.begin(pictures[:1], features, generators(0))
    assert sum(parameter.numel() for parameter in loss.parameters()) == 371_073


def test_vgg_without_weights_says_what_to_do(tmp_path, pictures):
    with pytest.raises(ValueError, match=r"vgg16-397923af.pth.*Perceptual"):
        VGG(weights=str(tmp_path / "none.pth")).begin(pictures, features, generators(0, 1, 2, 3))
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="does not hold"):
        VGG(weights=str(tmp_path / "other.pth")).begin(pictures, features, generators(0, 1, 2, 3))


def test_terms_count_inside_their_window_only():
    term = LossTerm(L2(), min_timestep=100, max_timestep=700)
    assert [term.is_active(timestep) for timestep in (99, 100, 699, 700)] == [False, True, True, False]
    assert not LossTerm(L2(), weight=0).is_active(10)
