"""Sequences, orders, choices, omissions: each image by itself, in any nesting."""

import pytest
import torch

from degradations.coding.banding import Banding
from degradations.coding.jpeg import JPEG
from degradations.dataset import DegradedDataset
from degradations.description import build, describe
from degradations.light.grey import Grey
from degradations.light.low_light import LowLight
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.pipeline import Maybe, RandomChoice, RandomOrder, Sequence
from degradations.weather.haze import Haze
from tests.builders import generators

SEEDS = range(4000)


def within_three_errors(hits, probability):
    count = len(hits)
    return abs(float(hits.float().mean()) - probability) < 3 * (probability * (1 - probability) / count) ** 0.5


def test_a_sequence_applies_its_steps_in_order(pictures):
    dark, coarse = LowLight((2, 2), (1, 1)), Banding((4, 4))
    both = Sequence([dark, coarse])(pictures, generators(0, 1, 2, 3))
    by_hand = ((pictures / 4) * 3).round() / 3
    torch.testing.assert_close(both, by_hand)


def test_an_order_is_the_image_s_own_and_all_are_equally_likely(pictures):
    steps = [LowLight((2, 2), (1, 1)), Banding((4, 4)), Haze((0.5, 0.5), (1, 1))]
    shuffled = RandomOrder(steps)
    order = shuffled.sample_parameters(generators(*SEEDS))["order"]
    number = order[:, 0] * 9 + order[:, 1] * 3 + order[:, 2]
    for value in number.unique():
        assert within_three_errors(number == value, 1 / 6)
    assert len(number.unique()) == 6
    parameters = shuffled.sample_parameters(generators(0, 1, 2, 3))
    degraded = shuffled.degrade(pictures, parameters)
    assert len({tuple(row) for row in parameters["order"].tolist()}) > 1
    for row in range(4):
        own = [steps[step] for step in parameters["order"][row]]
        expected = Sequence(own)(pictures[row : row + 1], generators(0))
        torch.testing.assert_close(degraded[row], expected[0])


def test_a_choice_follows_its_weights_and_leaves_the_others_out(pictures):
    choice = RandomChoice([Grey(), LowLight((1, 1), (1, 1)), Haze()], [0.2, 0.8, 0.0])
    parameters = choice.sample_parameters(generators(*SEEDS))
    assert within_three_errors(parameters["choice"] == 0, 0.2)
    assert not any(name.startswith("2.") for name in parameters)
    parameters = choice.sample_parameters(generators(0, 1, 2, 3))
    degraded = choice.degrade(pictures, parameters)
    for row in range(4):
        option = choice.options[int(parameters["choice"][row])]
        expected = option(pictures[row : row + 1], generators(0))
        torch.testing.assert_close(degraded[row], expected[0])


def test_maybe_spares_images_bit_for_bit(pictures):
    sometimes = Maybe(GaussianNoise(), 0.4)
    assert within_three_errors(sometimes.sample_parameters(generators(*SEEDS))["is_applied"], 0.4)
    parameters = sometimes.sample_parameters(generators(0, 1, 2, 3))
    degraded = sometimes.degrade(pictures, parameters)
    for row, is_applied in enumerate(parameters["is_applied"].tolist()):
        assert torch.equal(degraded[row], pictures[row]) != is_applied
    assert len(set(parameters["is_applied"].tolist())) == 2


def test_what_is_spared_is_a_copy(pictures):
    spared = Maybe(Grey(), 0.0)(pictures, generators(0, 1, 2, 3))
    assert torch.equal(spared, pictures)
    degraded, clean = DegradedDataset(pictures, Maybe(Grey(), 0.0))[0]
    degraded.zero_()
    assert float(clean.mean()) > 0.1


def test_a_sample_counted_from_the_end_is_the_same_sample(pictures):
    pairs = DegradedDataset(pictures, GaussianNoise())
    assert torch.equal(pairs[-1][0], pairs[3][0])


def test_nested_compositions_round_trip_through_their_description(pictures):
    nested = Sequence(
        [
            Maybe(RandomChoice([Grey(), RandomOrder([Haze(grid_size=2), Maybe(LowLight(), 0.5)])], [1, 3]), 0.7),
            JPEG((20, 90)),
        ]
    )
    again = build(describe(nested))
    assert torch.equal(again(pictures, generators(4, 5, 6, 7)), nested(pictures, generators(4, 5, 6, 7)))


def test_words_name_what_was_applied_in_order_and_once():
    steps = Sequence([Maybe(Grey(), 0.5), GaussianNoise(), RandomOrder([LowLight(), GaussianNoise()])])
    parameters = steps.sample_parameters(generators(*range(8)))
    for row, words in enumerate(steps.words(parameters)):
        expected = ["grey"] * bool(parameters["0.is_applied"][row]) + ["noise", "low light"]
        assert list(words) == expected


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        ({"class_path": "degradations.weather.haze.Hase"}, "did you mean 'degradations.weather.haze.Haze'"),
        ({"class_path": "Haze"}, "did you mean 'Haze'|degradations.weather.haze.Haze"),
        ({"class_path": "degradations.nothing.Rubbish"}, "does not exist"),
        ({"class_path": "pathlib.Path"}, "is no degradation"),
        ({"class_path": "degradations.base.Degradation"}, "is no degradation"),
        ({"class_path": "degradations.weather.haze.Haze", "init_args": {"airlite": [0, 1]}}, "did you mean 'airlight'"),
        ({"class_path": "degradations.weather.haze.Haze", "init_args": {"airlight": "bright"}}, "airlight"),
        ({"class_path": "degradations.weather.haze.Haze", "init_args": {"airlight": [1, 0]}}, r"airlight=\[1.0, 0.0\]"),
        ({"init_args": {}}, "must have a class_path"),
        (
            {"class_path": "degradations.pipeline.Sequence", "init_args": {"steps": [{"class_path": "a.b.Grei"}]}},
            "did you mean 'Grey'",
        ),
    ],
)
def test_a_wrong_description_is_one_sentence_with_the_nearest_name(description, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        build(description)
    assert "\n" not in str(error.value)
