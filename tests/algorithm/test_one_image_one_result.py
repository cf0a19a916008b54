"""What comes out depends on image, seed and settings alone."""

import pytest
import torch

from ldrps.data.image_generator import image_generator
from ldrps.methods.ld_rps.guidance import GuidanceSettings
from ldrps.methods.ld_rps.sampling import SamplingSettings
from modules.alignment.affine import Affine
from modules.alignment.chained import Chained
from modules.alignment.fpam import FPAM
from modules.alignment.haze import Haze
from modules.alignment.plain_stack import PlainStack
from modules.alignment.tone_curve import ToneCurve
from modules.losses.adversarial import Adversarial
from modules.losses.base import LossTerm
from modules.losses.color_constancy import ColorConstancy
from modules.losses.exposure import Exposure
from modules.losses.l2 import L2
from modules.losses.perceptual import Perceptual
from modules.losses.residual_adversarial import ResidualAdversarial
from modules.outputs.wiener import Wiener
from tests.builders import generators, make_guidance, make_restorer

ALIGNMENTS = {
    "affine": Affine(),
    "tone_curve": ToneCurve(),
    "haze_tone_curve": Chained(ToneCurve(), Haze(num_iterations=20)),
    "fpam": FPAM(width=8),
    "fpam_random": FPAM(width=8, use_mean_channel=True, start_from_identity=False),
    "plain": PlainStack(width=8),
}


def full_settings():
    return {
        "losses": {
            "l2": LossTerm(L2()),
            "perceptual": LossTerm(Perceptual(), weight=0.1),
            "residual": LossTerm(ResidualAdversarial(width=8, learning_rate=1e-3), weight=1e-3),
            "exposure": LossTerm(Exposure(patch_size_px=8), weight=0.1),
            "color": LossTerm(ColorConstancy(), weight=0.1),
        },
        "alignment_losses": {
            "l2": LossTerm(L2()),
            "adversarial": LossTerm(Adversarial(width=8, learning_rate=1e-3), weight=0.01),
        },
        "sampling": SamplingSettings(num_inference_steps=14, num_refinements=1, strength=0.43, num_free_chains=1),
        "guidance": GuidanceSettings(strength=0.2, alignment_until=800),
        "output": Wiener(),
    }


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-6)])
def test_a_batch_of_four_equals_four_single_runs(micro_folder, pictures, name, dtype, tolerance):
    restorer = make_restorer(micro_folder, dtype, alignment=ALIGNMENTS[name], **full_settings())
    images = pictures.to(getattr(torch, dtype))
    together = restorer.restore(images, [None] * 4)
    alone = torch.cat([restorer.restore(image[None], [None]) for image in images])
    assert restorer.sampling.num_steps == 20
    assert float((together - alone).abs().max()) < tolerance


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(micro_folder, pictures):
    restorer = make_restorer(micro_folder)
    first = restorer.restore(pictures[:1], [None])
    assert torch.equal(first, restorer.restore(pictures[:1], [None]))
    restorer.seed = 1
    assert not torch.equal(first, restorer.restore(pictures[:1], [None]))


def test_the_order_of_the_images_does_not_matter(micro_folder, pictures):
    restorer = make_restorer(micro_folder, alignment=FPAM(width=8))
    forward = restorer.restore(pictures, [None] * 4)
    backward = restorer.restore(pictures.flip(0), [None] * 4).flip(0)
    torch.testing.assert_close(forward, backward, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_a_row_s_alignment_net_is_untouched_by_the_other_rows(pictures, name):
    from tests.builders import GaussianBackbone

    alignment = ALIGNMENTS[name]
    guidance = make_guidance(GaussianBackbone(0.5, 0.01), alignment, {"l2": LossTerm(L2())})
    parameters = []
    for other in (1, 2):
        guidance.begin(0.5 * pictures[[0, other]], generators(0, other))
        for _ in range(5):
            guidance.fit_alignment(pictures[[0, other]], timestep=10)
        rows = [parameter.detach()[0].clone() for parameter in alignment.parameters()]
        parameters.append(rows)
    for first, second in zip(*parameters, strict=True):
        torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-5)


def test_generators_differ_by_pixel_and_by_seed(pictures):
    image = pictures[0]
    changed = image.clone()
    changed[0, 0, 0] = 1 - changed[0, 0, 0]
    seeds = {image_generator(*key).initial_seed() for key in ((image, 0), (image, 1), (changed, 0))}
    assert len(seeds) == 3
