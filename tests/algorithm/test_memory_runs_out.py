"""When memory runs out, less is taken: fewer images at once, smaller windows, lower precision; each is said once."""

import logging

import pytest
import torch

from ldrps.data.samples import Sample
from ldrps.methods.baselines.bicubic import Bicubic
from ldrps.methods.in_turn import InTurn
from ldrps.methods.ir_sde.ir_sde import IRSDE
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.sampling import SamplingSettings
from tests.builders import make_restorer


@pytest.fixture
def restorer(micro_folder):
    return make_restorer(
        micro_folder,
        sampling=SamplingSettings(num_inference_steps=3, num_refinements=0),
        guidance=GuidanceSettings(strength=0.5, alignment_until=1000),
    )


def limit(restorer, largest, error, cost=lambda latents: latents.numel()):
    """Memory for sampling steps of so many latents: the second step and what comes after it need it."""
    calls = []

    def check(module, arguments):
        calls.append(arguments[0].shape)
        if len(calls) > 1 and cost(arguments[0]) > largest:
            raise error

    restorer.backbone.unet.register_forward_pre_hook(check)


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "ldrps.memory"]


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: Error code 12"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_fewer_images_at_once_from_then_on(restorer, pictures, caplog, error):
    caplog.set_level(logging.WARNING, "ldrps.memory")
    samples = [Sample(str(number), None, image) for number, image in enumerate(pictures[[0, 1, 0, 1, 0, 1]])]
    expected = [restorer.restore(sample.image[None], [None])[0] for sample in samples[:2]]
    limit(restorer, 2 * expected[0].numel(), error, lambda latents: len(latents) * expected[0].numel())
    outcomes = restorer.restore_batch(samples[:4]) + restorer.restore_batch(samples[4:])
    for number, outcome in enumerate(outcomes):
        assert outcome.error is None
        torch.testing.assert_close(outcome.restored, expected[number % 2], atol=1e-4, rtol=0)
    assert said(caplog) == ["memory ran out with 4 images at once: 2 at a time from here on"]


def test_smaller_windows_for_that_picture_alone(restorer, caplog):
    caplog.set_level(logging.WARNING, "ldrps.memory")
    large = torch.rand(3, 288, 320, generator=torch.Generator().manual_seed(0))
    windows, factor = restorer.backbone.windows, restorer.backbone.codec.downscale_factor
    limit(restorer, (160 // factor) ** 2, OUT_OF_MEMORY[0], lambda latents: latents[0, 0].numel())
    [outcome] = restorer.restore_batch([Sample("large", None, large)])
    assert outcome.restored.shape == large.shape
    assert said(caplog) == ["memory ran out: once more with windows of 160 px"]
    assert restorer.backbone.windows == windows


def test_a_method_made_of_others_saves_as_they_do(restorer):
    large = torch.rand(1, 3, 288, 320)
    inside = [economy.name for economy in InTurn(Bicubic(), restorer).economies(large)]
    assert (
        inside
        == [economy.name for economy in restorer.economies(large)]
        == [economy.name for economy in IRSDE().economies(large)]
        == ["windows of 160 px", "networks in bfloat16"]
    )


def test_then_lower_precision_and_then_one_sentence(restorer, pictures, caplog):
    caplog.set_level(logging.WARNING, "ldrps.memory")
    limit(restorer, 0, OUT_OF_MEMORY[0], lambda latents: not torch.is_autocast_enabled("cpu"))
    [outcome] = restorer.restore_batch([Sample("small", None, pictures[0])])
    assert outcome.error is None
    assert said(caplog) == ["memory ran out: once more with networks in bfloat16"]
    limit(restorer, 0, OUT_OF_MEMORY[0])
    [outcome] = restorer.restore_batch([Sample("small", None, pictures[0])])
    assert outcome.restored is None
    assert outcome.error.startswith("there is not enough memory, even with networks in bfloat16: ")


def test_other_trouble_is_not_tried_again(restorer, pictures):
    limit(restorer, 0, RuntimeError("shapes do not match"))
    [outcome] = restorer.restore_batch([Sample("small", None, pictures[0])])
    assert outcome.error == "shapes do not match"
