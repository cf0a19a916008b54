"""What somebody says, such as a prompt, is text whatever it holds, on every way into a run."""

import json

import pytest

from ldrps.commands.restore import one_text
from ldrps.commands.sweep_init import parameter_of
from ldrps.commands.sweeping import constants_of
from ldrps.configuration.presets import build_prior, load_preset, preset_model
from ldrps.configuration.texts import argument_of

TEXTS = ["a: b", "yes", "1e3", "12", "[x]", "null", "{a: 1}", "a #1", "#1", "- a", "'a'", "!x", "a: b: c", "", "a\nb:"]


def prompt_of(model):
    return model["init_args"]["prior"]["init_args"]["prompt"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_prompt_is_text_whatever_it_holds(text):
    dotted = ["--model.prior", "text", "--model.prior.negative_prompt=x", "--model.prior.prompt", text]
    model = preset_model("blind", dotted)
    assert model["init_args"]["prior"]["init_args"] == {"prompt": text, "negative_prompt": "x"}


@pytest.mark.parametrize("text", ["1e3", "a: b"])
def test_so_it_is_in_tests_and_points_of_sweeps(text):
    assert prompt_of(preset_model("blind", [f"--model.prior={json.dumps(one_text(text))}"])) == text
    assert prompt_of(preset_model("blind", ["--model.prior=text", argument_of("model.prior.prompt", text)])) == text


@pytest.mark.parametrize("text", ["a: b", "yes", "a #1"])
def test_it_reaches_methods_inside_a_method(text):
    methods = preset_model("auto", ["--model.prior", "text", "--model.prior.prompt", text])["init_args"]["methods"]
    assert prompt_of(methods["refined"]) == text


def test_python_takes_it_as_it_stands():
    restorer = load_preset("blind", prior="text", prior__prompt="a: b", prior__negative_prompt="null")
    assert (restorer.prior.prompt, restorer.prior.negative_prompt) == ("a: b", "null")


def test_a_question_is_text_and_the_second_one_may_be_none():
    question, damage = "Answer briefly: what is shown?", "--prior.damage_question"
    prior = build_prior("endpoint", [f"--prior.question={question}", f"{damage}={question}"])
    assert (prior.question, prior.damage_question) == (question, question)
    assert build_prior("endpoint", [f"{damage}=null"]).damage_question is None


@pytest.mark.parametrize("text", TEXTS)
def test_a_sweep_keeps_it(text):
    assert constants_of([f"--model.prior.prompt={text}", "--model.seed=3"]) == {
        "model.prior.prompt": text,
        "model.seed": 3,
    }


def test_a_sweep_may_leave_the_second_question_out():
    assert constants_of(["--model.prior.damage_question=null"]) == {"model.prior.damage_question": None}


def test_values_of_a_sweep_are_texts_between_commas():
    assert parameter_of("prompt=a: b") == ("prompt", {"value": "a: b"})
    assert parameter_of("model.prior.prompt=yes, a..b") == ("model.prior.prompt", {"values": ["yes", "a..b"]})
    assert parameter_of("prompt=[a cat, 'b, c']") == ("prompt", {"values": ["a cat", "b, c"]})
