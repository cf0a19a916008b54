"""Reads commands and settings of the documentation with the parsers that users meet, and does nothing of it."""

import importlib
import importlib.util
import inspect
import json
import re
import shlex
from dataclasses import replace
from itertools import islice
from pkgutil import resolve_name

import yaml
from jsonargparse import ArgumentParser
from pytorch_lightning import Trainer

from degradations.base import Degradation
from ldrps.cli import EVERYDAY, LIGHTNING
from ldrps.commands.options import parse, parse_alone
from ldrps.commands.sweep_init import parameter_of
from ldrps.commands.sweeping import point_maker
from ldrps.configuration.arguments import one_each, split_configs
from ldrps.configuration.layers import read_presets
from ldrps.configuration.presets import with_priors
from ldrps.methods.restorer import Restorer
from ldrps.sweeps.search import candidates
from ldrps.sweeps.sweep import read_sweep
from tests.cli.test_verbs import OPTIONS
from tests.docs.pages import ROOT

WHOLE = "--clean photos --suite noise_25 --output run"
"""What three dots stand for."""

STANDS_FOR = {
    "--suite ... --clean ...": WHOLE,
    "…": WHOLE,
    "sd15|sd21": "sd21",
    "modules.priors.file_name": "my_package.file_name",
}
STANDS_FOR |= {"restored/ldrps.config.yaml": "blind", "this.yaml": "blind", "sharpen.yaml": "mine.yaml"}
"""What is there in place of what sentences name."""


def names_of(settings, changes, section):
    """Make sure that the class of a section takes what a command changes of it."""
    own = Trainer if section == "trainer" else resolve_name(settings[section]["class_path"])
    taken = inspect.signature(own).parameters
    for change in changes:
        first, _, name = re.match(r"--([\w.]+)", change)[1].partition(".")
        assert first != section or name.partition(".")[0] in taken, change


def check_restoration(settings, changes):
    """Let the real parser read a restorer's settings and changes, without building anything."""
    parser = ArgumentParser(parser_mode="omegaconf+", exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(Restorer, "model")
    changes = with_priors(changes)
    whole = json.dumps({"model": settings["model"]})
    parser.parse_args([f"--config={whole}", *(change for change in changes if change.startswith("--model."))])
    names_of({}, changes, "trainer")


def check_sweep(action, *arguments):
    module = importlib.import_module(f"ldrps.commands.sweep_{action}")
    cls = getattr(module, f"Sweep{action.title()}")
    options = (parse_alone if action in ("init", "table", "point") else parse)(f"sweep {action}", cls, arguments)
    for text in options.parameters if action == "init" else ():
        parameter_of(text)


def check_command(line):
    """Read one command as `ldrps` would, and stop before anything is done."""
    verb, *arguments = shlex.split(line.partition(" > ")[0].replace(" ...", f" {WHOLE}"), comments=True)[1:]
    if verb == "sweep":
        check_sweep(*arguments)
        return
    if verb in LIGHTNING:
        configs, others = split_configs(arguments)
        settings = read_presets(configs)
        for section in ("model", "data", "trainer"):
            if section in settings or section == "trainer":
                names_of(settings, one_each(others), section)
        return
    assert verb in EVERYDAY, line
    options, changes = parse(verb, OPTIONS[verb], arguments)
    changes = [change for change in one_each(changes) if change != "--print_config"]
    if verb in ("restore", "plan"):
        check_restoration(options.settings(), changes)
    elif verb == "test":
        make_settings, others = replace(options, no_baselines=True).with_changes(changes)
        names_of({}, others, "trainer")
        make_settings()


def check_line(line, is_marked):
    """A line of a block for the shell: a command of ours, or one that the block says is not run."""
    line = line.removeprefix("$ ").replace("$prior", "da_clip").strip()
    if line.startswith("#"):
        return
    if line.startswith("ldrps "):
        check_command(line)
    elif line.startswith("make "):
        assert f"\n{line.split()[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    elif line.startswith("--"):
        check_command(f"ldrps restore photo.jpg --output restored {line}")
    elif line.startswith("python -m tests."):
        assert importlib.util.find_spec(line.split()[2])
    else:
        assert is_marked, f"{line!r} is neither checked nor says why not"


def check_inline(command):
    """A command inside of a sentence, which may name a verb and one of its options alone."""
    for name, there in STANDS_FOR.items():
        command = command.replace(name, there)
    try:
        check_command(command)
    except ValueError as error:
        assert "arguments are required" in str(error), command  # noqa: PT017


def check_yaml(code, folder):
    """A sweep, the settings of a damage, or a preset of one's own."""
    file = folder / "mine.yaml"
    file.write_text(code, encoding="utf-8")
    content = yaml.safe_load(code)
    if "parameters" in content:
        sweep = read_sweep(str(file)).with_constants({"clean": ["photos"]})
        for point in islice(candidates(sweep, []), 3):
            make_settings, _ = point_maker("cpu")(sweep.settings(point), folder)
            make_settings()
    elif "degradation" in content:
        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(Degradation, "degradation")
        assert parser.instantiate(parser.parse_object(content)).degradation
    else:
        check_restoration(read_presets([str(file)]), [])
