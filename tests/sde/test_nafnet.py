"""The gated network: the identity at first, any size, no neighbours in a batch, told what it should be."""

import pytest
import torch

from modules.networks.nafnet import NAFNet
from modules.networks.restoration_network import RestorationNetwork
from modules.sde.folder import load_sde, save_sde
from modules.sde.mean_reverting import MeanReverting

SMALL = {"widths": (8, 16), "encoder_blocks": (1,), "middle_blocks": 1, "decoder_blocks": (1,), "time_dim": 16}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = NAFNet(**SMALL, embedding_dim=4).double().eval().requires_grad_(False)
    for parameter in made.parameters():
        # The last convolutions start at zero; here every one has a say.
        parameter.normal_(std=0.2)
    return made


def inputs(*size):
    generator = torch.Generator().manual_seed(0)
    sample, degraded = torch.rand(2, 3, 3, *size, dtype=torch.float64, generator=generator)
    content, degradation = torch.rand(2, 3, 4, dtype=torch.float64, generator=generator)
    return sample, degraded, torch.tensor([1.0, 50.0, 100.0], dtype=torch.float64), content, degradation


def test_a_new_network_says_that_the_degraded_image_is_the_clean_one():
    sample, degraded, timesteps, *_ = inputs(9, 12)
    assert torch.equal(NAFNet(**SMALL).double()(sample, degraded, timesteps), degraded)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (16, 24), (33, 7)])
def test_any_size_keeps_it_and_rows_do_not_see_each_other(network, size):
    together = network(*inputs(*size))
    assert together.shape == (3, 3, *size)
    for row in range(3):
        alone = network(*(part[row : row + 1] for part in inputs(*size)))
        torch.testing.assert_close(alone[0], together[row])


def test_time_and_embeddings_are_heeded_and_zeros_stand_for_no_embedding(network):
    sample, degraded, timesteps, content, degradation = inputs(8, 8)
    told = network(sample, degraded, timesteps, content, degradation)
    assert not torch.allclose(network(sample, degraded, timesteps.flip(0), content, degradation), told)
    assert not torch.allclose(network(sample, degraded, timesteps, content.flip(0), degradation), told)
    untold = network(sample, degraded, timesteps)
    assert not torch.allclose(untold, told)
    torch.testing.assert_close(network(sample, degraded, timesteps, 0 * content, 0 * degradation), untold)
    # Only their directions count.
    torch.testing.assert_close(network(sample, degraded, timesteps, 3 * content, degradation / 2), told)


def test_it_is_as_small_as_promised(tmp_path):
    full = NAFNet(embedding_dim=128)
    assert 2_000_000 < sum(parameter.numel() for parameter in full.parameters()) < 4_000_000
    full.half().save_pretrained(tmp_path)
    assert (tmp_path / "diffusion_pytorch_model.safetensors").stat().st_size < 10_000_000


def test_blocks_that_do_not_fit_the_widths_are_named():
    with pytest.raises(ValueError, match=r"encoder_blocks=\[1, 2\] and decoder_blocks=\[2\] must have"):
        NAFNet(decoder_blocks=(2,))


class Mine(RestorationNetwork):
    """As its author would write it: a constructor and `forward`."""

    def __init__(self, width=8, gain=1.0):
        super().__init__()
        self.gain = gain
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, sample, degraded, timesteps, content=None, degradation=None):
        return degraded * self.gain


def test_a_network_of_ones_own_comes_back_as_it_was_made(tmp_path):
    save_sde(tmp_path, Mine(16, gain=2.0), MeanReverting())
    network, _ = load_sde(tmp_path)
    assert network.bias.shape == (16,)
    assert network.gain == 2.0
