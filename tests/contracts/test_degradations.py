"""What every degradation must keep; a new class in the package is tested without editing a list."""

import inspect
import json
import subprocess
import sys

import hypothesis
import pytest
import torch
from hypothesis import strategies

import degradations
from degradations.base import Degradation
from degradations.blur.gaussian_blur import GaussianBlur
from degradations.blur.mixed_blur import MixedBlur
from degradations.coding.jpeg import JPEG
from degradations.description import build, describe, operators
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.pipeline import Composition, Maybe
from degradations.receipts import Receipt, degrade_with_receipt, read_receipt, to_json
from degradations.weather.haze import Haze
from degradations.wild import Wild
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses

CLASSES = concrete_subclasses(degradations, Degradation)


def example(cls) -> Degradation:
    """The class with its defaults; what is made of parts gets two."""
    if cls is MixedBlur:
        return MixedBlur([GaussianBlur(), GaussianBlur(is_isotropic=False)], kernel_size=(3, 9))
    if cls is Maybe:
        return Maybe(Haze(), 0.5)
    return cls([Haze(), GaussianNoise()]) if issubclass(cls, Composition) else cls()


EXAMPLES = [pytest.param(example(cls), id=cls.__name__) for cls in CLASSES]
EXAMPLES.append(pytest.param(JPEG((50, 50), "differentiable"), id="JPEG-differentiable"))


def test_the_package_finds_the_same_classes():
    assert sorted(cls.__name__ for cls in operators().values()) == sorted(cls.__name__ for cls in CLASSES)
    assert len(CLASSES) > 30


def test_the_package_finds_them_without_anybody_else_importing_them():
    command = "from degradations.description import operators; print(*operators(), sep='\\n')"
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert found == list(operators())


@pytest.mark.parametrize("degradation", EXAMPLES)
def test_rows_are_independent_and_replayable_and_in_range(degradation, pictures):
    before = pictures.clone()
    parameters = degradation.sample_parameters(generators(0, 1, 2, 3))
    assert {len(values) for values in parameters.values()} == {4}
    together = degradation.degrade(pictures, parameters)
    assert torch.equal(pictures, before)
    assert together.shape == pictures.shape
    assert float(together.min()) >= 0
    assert float(together.max()) <= 1
    assert torch.equal(together, degradation.degrade(pictures, parameters))
    assert torch.equal(together, degradation(pictures, generators(0, 1, 2, 3)))
    for row in range(4):
        alone = degradation(pictures[row : row + 1], generators(row))
        torch.testing.assert_close(alone[0], together[row], atol=1e-6, rtol=0)
        own = degradation.sample_parameters(generators(row))
        assert degradation.words(own)[0] == degradation.words(parameters)[row]


@pytest.mark.parametrize("degradation", EXAMPLES)
def test_autocast_changes_nothing_and_a_result_is_no_alias(degradation, pictures):
    expected = degradation(pictures, generators(0, 1, 2, 3))
    with torch.autocast("cpu", torch.bfloat16):
        inside = degradation(pictures, generators(0, 1, 2, 3))
        replayed = degradation.apply(pictures, degradation.sample_parameters(generators(0, 1, 2, 3)))
    assert torch.equal(inside, expected)
    assert torch.equal(replayed, expected)
    assert expected.untyped_storage().data_ptr() != pictures.untyped_storage().data_ptr()


@pytest.mark.parametrize("degradation", EXAMPLES)
def test_the_global_generator_is_neither_used_nor_moved(degradation, pictures):
    state = torch.get_rng_state()
    degradation(pictures, generators(0, 1, 2, 3))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("degradation", EXAMPLES)
def test_a_degradation_is_its_settings(degradation, pictures):
    description = json.loads(json.dumps(describe(degradation)))
    copy = build(description)
    assert type(copy) is type(degradation)
    assert describe(copy) == describe(degradation)
    assert torch.equal(copy(pictures, generators(0, 1, 2, 3)), degradation(pictures, generators(0, 1, 2, 3)))


@pytest.mark.parametrize("degradation", EXAMPLES)
def test_a_receipt_rebuilds_the_image_bit_for_bit(degradation, pictures, tmp_path):
    degraded, receipt = degrade_with_receipt(pictures[1], degradation, generators(5)[0], "some", 5)
    path = tmp_path / "receipt.json"
    path.write_text(to_json(receipt))
    again = read_receipt(path)
    assert isinstance(again, Receipt)
    assert torch.equal(again.replay(pictures[1]), degraded)
    assert len(path.read_text()) < 30_000
    assert all(values.dtype in (torch.float32, torch.int64, torch.bool) for values in parameters_of(degradation))


def parameters_of(degradation):
    return degradation.sample_parameters(generators(0)).values()


@pytest.mark.parametrize("degradation", EXAMPLES)
@hypothesis.given(
    height=strategies.integers(1, 300),
    width=strategies.integers(1, 300),
    batch=strategies.integers(1, 3),
    dtype=strategies.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.float64]),
    seed=strategies.integers(0, 10**6),
)
@hypothesis.example(height=1, width=1, batch=1, dtype=torch.float32, seed=0)
@hypothesis.example(height=299, width=1, batch=2, dtype=torch.float16, seed=1)
@hypothesis.settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_any_size_batch_and_precision(degradation, height, width, batch, dtype, seed):
    drawn = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed)).to(dtype)
    degraded = degradation(drawn, generators(*range(batch)))
    assert degraded.shape == drawn.shape
    assert degraded.dtype == dtype
    assert bool(torch.isfinite(degraded).all())
    assert 0 <= float(degraded.min()) <= float(degraded.max()) <= 1


@pytest.mark.parametrize("degradation", [case for case in EXAMPLES if case.values[0].is_differentiable])
def test_gradients_are_right_where_they_are_promised(degradation):
    image = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.4 + 0.3
    parameters = degradation.sample_parameters(generators(0, 1))
    assert torch.autograd.gradcheck(lambda x: degradation.degrade(x, parameters), image.requires_grad_(), atol=1e-6)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_docstring_names_every_setting(cls):
    documented = inspect.getdoc(cls)
    for name in list(inspect.signature(cls.__init__).parameters)[1:]:
        assert f"{name}:" in documented, f"{cls.__name__} does not document {name}"


def grey(image):
    return image[:, :1]


def with_alpha(image):
    return torch.cat([image, image[:, :1]], dim=1)


def eight_bit(image):
    return (image * 255).to(torch.uint8)


def too_bright(image):
    return image * 255


def negative(image):
    return image - 0.5


def not_a_number(image):
    return image.masked_fill(image > 0.9, float("nan"))


def infinite(image):
    return image.masked_fill(image > 0.9, float("inf"))


def unbatched(image):
    return image[0]


def empty(image):
    return image[:, :, :0]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (grey, r"looks grey \(use image.expand"),
        (with_alpha, r"with alpha \(use image\[:, :3\]\)"),
        (eight_bit, "divide 8-bit values by 255"),
        (too_bright, r"values from .* to .*, which must lie in \[0, 1\]"),
        (negative, r"values from -0.5"),
        (not_a_number, "holds NaN"),
        (infinite, "to inf"),
        (unbatched, r"must be RGB, shape \(B, 3, H, W\)"),
        (empty, "has no pixel"),
    ],
)
@pytest.mark.parametrize("degradation", [GaussianNoise(), Wild()], ids=["noise", "wild"])
def test_wrong_images_are_named(degradation, spoil, sentence, pictures):
    with pytest.raises(ValueError, match=sentence):
        degradation(spoil(pictures), generators(0, 1, 2, 3))


def test_one_generator_an_image(pictures):
    with pytest.raises(ValueError, match=r"2 generator\(s\) for 4 image\(s\)"):
        GaussianNoise()(pictures, generators(0, 1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("degradation", EXAMPLES)
def test_a_device_changes_nothing_but_rounding(degradation, pictures):
    here = degradation(pictures, generators(0, 1, 2, 3))
    there = degradation(pictures.cuda(), generators(0, 1, 2, 3))
    assert there.is_cuda
    difference = (there.cpu() - here).abs()
    # A value on the border between two 8-bit levels may fall to the other side.
    assert float(difference.median()) < 1e-5
    assert float(difference.mean()) < 1e-3
