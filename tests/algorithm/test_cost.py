"""Nothing is computed whose result is unused."""

import pytest
import torch

from ldrps.data.samples import Sample
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.sampling import SamplingSettings
from modules.alignment.affine import Affine
from modules.alignment.identity import Identity
from modules.losses.base import LossTerm
from modules.losses.exposure import Exposure
from modules.losses.l2 import L2
from modules.outputs.base import Output
from modules.outputs.decoded import Decoded
from modules.outputs.denoised import Denoised
from modules.priors.base import Prior, Semantics
from modules.priors.null import Null
from modules.priors.text import Text
from tests.builders import make_restorer

STEPS = SamplingSettings(num_inference_steps=6, num_refinements=0)


def count(restorer, pictures):
    """Rows through the denoiser, calls of the denoiser, decodes and encodes of one restoration."""
    counts = {"unet_rows": 0, "unet_calls": 0, "decodes": 0, "encodes": 0}
    backbone = restorer.backbone

    def on_unet(module, arguments):
        counts["unet_rows"] += len(arguments[0])
        counts["unet_calls"] += 1

    def counted(name, function):
        def call(*arguments):
            counts[name] += 1
            return function(*arguments)

        return call

    handle = backbone.unet.register_forward_pre_hook(on_unet)
    backbone.decode = counted("decodes", backbone.decode)
    backbone.encode = counted("encodes", backbone.encode)
    restorer.restore(pictures, [None] * len(pictures))
    handle.remove()
    return counts


@pytest.mark.parametrize(
    ("prior", "guidance_scale", "num_free_chains", "rows_per_step"),
    [
        (Text(), 8.0, 0, 1),  # without a prompt the two halves are equal
        (Text("a cat", "a cat"), 8.0, 0, 1),
        (Text("a cat"), 1.0, 0, 1),
        (Text("a cat"), 8.0, 0, 2),
        (Text("a cat"), 8.0, 1, 4),  # what the released code always computes
    ],
)
def test_one_denoiser_call_a_step_with_no_more_rows_than_needed(
    micro_folder, pictures, prior, guidance_scale, num_free_chains, rows_per_step
):
    settings = SamplingSettings(num_inference_steps=6, num_refinements=0, num_free_chains=num_free_chains)
    restorer = make_restorer(micro_folder, prior=prior, guidance_scale=guidance_scale, sampling=settings)
    counts = count(restorer, pictures[:2])
    assert counts["unet_calls"] == 6
    assert counts["unet_rows"] == 6 * 2 * rows_per_step


def test_nothing_is_decoded_but_the_result_when_nothing_is_learnt_or_guided(micro_folder, pictures):
    restorer = make_restorer(micro_folder, sampling=STEPS, guidance=GuidanceSettings(strength=0))
    counts = count(restorer, pictures[:1])
    assert (counts["decodes"], counts["encodes"]) == (1, 0)


def test_one_decode_a_step_serves_fit_and_guidance(micro_folder, pictures):
    restorer = make_restorer(micro_folder, sampling=STEPS, alignment=Affine())
    assert count(restorer, pictures[:1])["decodes"] == 6 + 1


def test_guidance_at_every_third_step_decodes_at_these(micro_folder, pictures):
    settings = GuidanceSettings(strength=0.5, alignment_until=1000, every=3)
    restorer = make_restorer(micro_folder, sampling=STEPS, alignment=Affine(), guidance=settings)
    assert count(restorer, pictures[:1])["decodes"] == 2 + 1


def test_terms_outside_their_window_cost_nothing(micro_folder, pictures):
    losses = {"l2": LossTerm(L2(), max_timestep=400), "exposure": LossTerm(Exposure(), weight=0)}
    restorer = make_restorer(micro_folder, sampling=STEPS, losses=losses)
    inside = [timestep for timestep in restorer.backbone.begin(6, 1.0) if timestep < 400]
    assert count(restorer, pictures[:1])["decodes"] == len(inside) + 1


def test_the_alignment_phase_only_learns(micro_folder, pictures):
    settings = GuidanceSettings(strength=100.0, alignment_until=0)
    guided = make_restorer(micro_folder, sampling=STEPS, alignment=Affine(), guidance=settings)
    free = make_restorer(micro_folder, sampling=STEPS, guidance=GuidanceSettings(strength=0))
    assert torch.equal(guided.restore(pictures[:1], [None]), free.restore(pictures[:1], [None]))
    assert not torch.equal(guided.alignment.scale.detach(), torch.ones(1, 3, 1, 1))


@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_guidance_strength_means_the_same_at_any_size(pictures, scale):
    from tests.builders import GaussianBackbone, generators, make_guidance

    pixel = torch.full((1, 3, int(16 * scale), int(16 * scale)), 0.2)
    guidance = make_guidance(GaussianBackbone(0.5, 0.01), Affine(), {"l2": LossTerm(L2())})
    guidance.begin(pixel, generators(0))
    guidance.make_optimizer = lambda parameters: torch.optim.SGD(parameters, lr=0.0)
    guidance.begin(pixel, generators(0))
    gradient = guidance.update(torch.full_like(pixel, 0.7), timestep=10)
    torch.testing.assert_close(gradient, torch.full_like(pixel, 2 * 0.5))


@pytest.mark.parametrize("num_refinements", [0, 2])
def test_a_sample_that_nobody_looks_at_is_not_pulled_last_nor_decoded(micro_folder, pictures, num_refinements):
    settings = SamplingSettings(num_inference_steps=4, num_refinements=num_refinements)
    results, learnt, pulls = [], [], []
    for needs_sample in (True, False):
        restorer = make_restorer(micro_folder, sampling=settings, alignment=Affine(), output=Undone(needs_sample))
        gradient = restorer.guidance.gradient
        pulls.append([])
        restorer.guidance.gradient = lambda *arguments, gradient=gradient: pulls[-1].append(1) or gradient(*arguments)
        decodes = count(restorer, pictures[:1])["decodes"]
        assert decodes == settings.num_steps + needs_sample
        results.append(restorer.restore(pictures[:1], [None]))
        learnt.append([parameter.detach().clone() for parameter in restorer.alignment.learnt_parameters()])
    assert torch.equal(*results)
    assert all(map(torch.equal, *learnt))
    assert len(pulls[0]) - len(pulls[1]) == 2  # restored twice


def test_without_steps_the_input_is_encoded_and_decoded_only_where_the_sample_is_needed(micro_folder, pictures):
    settings = SamplingSettings(num_inference_steps=0, start_from="degraded", num_refinements=2)
    for output, passes in ((Decoded(), 1), (Undone(False), 0)):
        restorer = make_restorer(micro_folder, sampling=settings, alignment=Affine(), output=output)
        counts = count(restorer, pictures[:1])
        assert (counts["unet_calls"], counts["decodes"], counts["encodes"]) == (0, passes, passes)
        assert settings.num_steps == 0
    with pytest.raises(ValueError, match="start_from"):
        SamplingSettings(num_inference_steps=0)


class Undone(Output):
    """The input with its damage undone, whether it asks for the sample or not."""

    def __init__(self, uses_sample):
        super().__init__()
        self.uses_sample = uses_sample

    def forward(self, decoded, degraded, undo, facts=None):
        return undo(degraded)


class Asked(Prior):
    """Counts the images that it is asked about."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, degraded, paths):
        self.count += len(degraded)
        return Semantics()


@pytest.mark.parametrize(("alignment", "expected"), [(Identity, 0), (Affine, 2)])
def test_a_prior_is_asked_once_about_photos_that_are_sampled_and_never_about_others(
    micro_folder, pictures, alignment, expected
):
    prior = Asked()
    restorer = make_restorer(micro_folder, sampling=STEPS, alignment=alignment(), output=Denoised(), prior=prior)
    restorer.is_watched = False
    restorer.load()
    restorer.restore(pictures[:2], [None, None])
    assert prior.count == expected


def test_a_prior_that_is_never_asked_is_told_once(micro_folder, caplog):
    for prior in (Asked(), Null()):
        restorer = make_restorer(
            micro_folder, sampling=SamplingSettings(num_inference_steps=0, start_from="degraded"), prior=prior
        )
        restorer.load()
        restorer.load()
    assert [record.message[:26] for record in caplog.records if record.name == "ldrps.prior"] == [
        "the prior is not asked: sa"
    ]


def test_a_loss_that_is_a_mean_over_images_is_refused(micro_folder, pictures):
    class Mean(L2):
        def forward(self, state):
            return super().forward(state).mean()

    restorer = make_restorer(micro_folder, sampling=STEPS, losses={"mean": LossTerm(Mean())})
    restorer.load()
    with pytest.raises(ValueError, match=r"^Mean gave shape \(\) for 2 image\(s\): a loss gives one number an image"):
        restorer.restore(pictures[:2], [None, None])


@pytest.mark.parametrize("alignment", [Identity, Affine])
def test_steps_that_change_nothing_are_left_out_unless_somebody_looks(micro_folder, pictures, alignment):
    restorer = make_restorer(micro_folder, sampling=STEPS, alignment=alignment(), output=Denoised())
    sample = Sample("picture", None, pictures[0])
    results, calls = [], []
    for is_watched in (False, True):
        seen = []
        restorer.step_listeners = [lambda samples, step, seen=seen: seen.append(step.index)] if is_watched else []
        handle = restorer.backbone.unet.register_forward_pre_hook(lambda *_, who=is_watched: calls.append(who))
        [outcome] = restorer.restore_batch([sample])
        handle.remove()
        results.append(outcome.restored)
        assert seen == (list(range(6)) if is_watched else [])
    assert torch.equal(*results)
    assert calls.count(True) == 6
    assert calls.count(False) == (0 if alignment is Identity else 6)
