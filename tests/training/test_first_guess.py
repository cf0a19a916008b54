"""The learnt first guess: its physics in closed form, its independence of the batch, its training."""

import pytest
import torch

from degradations.pipeline import Maybe
from degradations.weather.haze import Haze
from ldrps.cli import main
from ldrps.training.first_guess import FirstGuessTraining
from modules.networks.first_guess import FirstGuess, Guess
from tests.builders import generators
from tests.training.recipe import fit


def shaken(seed=0) -> FirstGuess:
    """A network whose heads say something."""
    network = FirstGuess().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (*network.local_head.parameters(), *network.global_head.parameters()):
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def known(gain=1.0, gamma=1.0, transmission=1.0, airlight=0.9, batch=1, cells=8) -> Guess:
    """A guess of even damage."""
    maps = torch.ones(batch, 3, cells, cells)
    return Guess(
        presence=torch.zeros(batch, 2),
        log_gain=maps * torch.tensor(gain).log(),
        log_gamma=torch.full((batch, 3, 1, 1), float(torch.tensor(gamma).log())),
        thickness=-maps[:, :1] * torch.tensor(transmission).log(),
        airlight=torch.full((batch, 3, 1, 1), airlight),
    )


def test_undo_inverts_light_gamma_and_haze(pictures):
    photos = pictures.clamp(0.05, 1)
    damaged = (0.2 * photos**1.3) * 0.5 + 0.8 * (1 - 0.5)
    undone = known(gain=5.0, gamma=1.3, transmission=0.5, airlight=0.8, batch=4).undo(damaged)
    torch.testing.assert_close(undone, photos, atol=2e-5, rtol=1e-4)


def test_what_is_not_believed_is_not_undone(pictures):
    guess = known(gain=4.0, gamma=0.7, transmission=0.3, batch=4)
    nothing = torch.zeros(4)
    torch.testing.assert_close(guess.believed(nothing, nothing).undo(pictures), pictures.clamp(min=1e-6))
    some = torch.tensor([1.0, 0.0, 1.0, 0.0])
    partly = guess.believed(some, nothing).undo(pictures)
    torch.testing.assert_close(partly[1::2], pictures[1::2].clamp(min=1e-6))
    torch.testing.assert_close(partly[::2], (pictures[::2].clamp(min=1e-6) * 4) ** (1 / 0.7))


def test_no_transmission_makes_a_channel_negative():
    image = torch.tensor([0.1, 0.5, 0.8]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    undone = known(transmission=0.05, airlight=0.9).undo(image)
    # t >= 1 - min(y / A) = 1 - 0.1 / 0.9, where the darkest channel becomes black.
    bound = 1 - 0.1 / 0.9
    expected = ((image - 0.9) / bound + 0.9).clamp(min=1e-6)
    torch.testing.assert_close(undone, expected, atol=1e-5, rtol=0)
    assert float(undone.min()) >= 0


@torch.no_grad()
def test_a_new_network_sees_no_preference_and_little_damage(pictures):
    guess = FirstGuess()(pictures)
    assert torch.equal(guess.presence, torch.zeros(4, 2))
    assert float(guess.log_gain.abs().max()) == float(guess.log_gamma.abs().max()) == 0
    assert 0 < float(guess.thickness.max()) < 0.5


def test_photos_of_a_batch_do_not_see_each_other(pictures):
    network = shaken()
    together = network(pictures)
    for row in range(4):
        for own, all_rows in zip(network(pictures[row : row + 1]), together, strict=True):
            torch.testing.assert_close(own[0], all_rows[row], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64), (301, 77)])
def test_a_photo_of_any_size(size):
    photo = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    guess = shaken()(photo)
    assert guess.log_gain.shape == (1, 3, 8, 8)
    assert guess.thickness.shape == (1, 1, 8, 8)
    undone = guess.undo(photo)
    assert undone.shape == photo.shape
    assert bool(undone.isfinite().all())


def test_it_is_as_small_as_promised(tmp_path):
    network = FirstGuess()
    assert sum(parameter.numel() for parameter in network.parameters()) < 1_000_000
    network.half().save_pretrained(tmp_path)
    assert (tmp_path / "diffusion_pytorch_model.safetensors").stat().st_size < 2_000_000


def test_only_light_and_haze_count_as_present(pictures):
    training = FirstGuessTraining(Maybe(Haze((0.3, 0.5)), 0.5), widths=(8, 8, 8), num_blocks=1)
    _, degraded, present = training._damage(pictures, generators(0, 1, 2, 3))
    assert not present[:, 0].any()
    changed = (degraded - pictures).abs().amax(dim=(1, 2, 3)) > 0.01
    assert torch.equal(changed, present[:, 1])
    assert 0 < int(present[:, 1].sum()) < 4


def test_the_recipe_trains_exports_and_goes_on(tmp_path, capsys):
    assert fit("first_guess", tmp_path, 40, "--trainer.max_steps", "4") == 0
    exported = tmp_path / "mini" / "first_guess"
    network = FirstGuess.from_pretrained(exported, torch_dtype=torch.float32)
    photo = torch.rand(1, 3, 50, 70, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first = network(photo)
    assert all(bool(part.isfinite().all()) for part in first)
    assert float(first.log_gain.abs().max()) > 0
    [checkpoint] = (tmp_path / "logs").rglob("last.ckpt")
    assert main(["export", str(checkpoint), "--output", str(tmp_path / "early")]) == 0
    assert "weights of step 4" in capsys.readouterr().out
    early = FirstGuess.from_pretrained(tmp_path / "early" / "first_guess", torch_dtype=torch.float32)
    with torch.no_grad():
        for mine, its in zip(early(photo), first, strict=True):
            torch.testing.assert_close(mine, its)
    assert fit("first_guess", tmp_path, 40, "--trainer.max_steps", "6", "--ckpt_path", str(checkpoint)) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "other settings" in line]
    assert [line.partition("settings: ")[2] for line in told] == ["trainer.max_steps is 4 there and 6 here"]
    again = FirstGuess.from_pretrained(exported, torch_dtype=torch.float32)
    with torch.no_grad():
        assert float((again(photo).log_gain - first.log_gain).abs().max()) > 0
