"""Presets by name: restorers and priors built from them in Python."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldrps.configuration.arguments import one_each, text_of
from ldrps.configuration.handing_down import hand_down
from ldrps.configuration.hints import with_hint
from ldrps.configuration.layers import DEFAULT_PRESET, Settings, is_class_path, read_preset, read_presets
from ldrps.configuration.quiet import quieten
from ldrps.configuration.texts import argument_of, as_meant, keep_texts
from ldrps.data.moved import with_current_names

# The last two take seconds to import; wrong names are told without.
if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from ldrps.methods.restorer import Restorer
    from modules.priors.base import Prior


def load_preset(name: str = DEFAULT_PRESET, **settings: Any) -> "Restorer":
    """Build the restorer of a preset.

    Lightning, diffusers and transformers are quiet from then on in the whole process: no remarks and no bars of theirs.

    Args:
        name: Preset name or path of a YAML file with a ``model`` section.
        **settings: Changes by dotted name, with ``__`` for the dot, such as ``sampling__num_inference_steps=20``.
            Values are those of Python, or texts as on the command line, where priors have names.

    Returns:
        The restorer; calling it with a PIL image, file name or tensor returns the restored PIL image.

    Raises:
        ValueError: If the preset or a setting does not exist or does not fit.

    Example:
        >>> from PIL import Image
        >>> from skimage.data import cat
        >>> restorer = load_preset("blind", sampling__num_inference_steps=2)
        >>> restorer(Image.fromarray(cat()[:48, :64])).size
        (64, 48)
    """
    changes = [argument_of(f"model.{key.replace('__', '.')}", value) for key, value in settings.items()]
    parser, config = parse_preset(name, changes)
    restorer: Restorer = parser.instantiate(config).model
    return restorer


def read_prior(name: str) -> Settings | str:
    """Class and settings of a prior.

    Args:
        name: Preset name such as ``da_clip``, path of a YAML file, class path, or settings as YAML.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> read_prior("da_clip"), read_prior("modules.priors.null.Null")
        ({'class_path': 'modules.priors.da_clip.DACLIP'}, {'class_path': 'modules.priors.null.Null'})
    """
    if "{" in name:
        return name
    if is_class_path(name) and not Path(name).is_file():
        return {"class_path": str(with_current_names(name))}
    return read_preset(name if Path(name).is_file() else str(Path("prior") / name))


def with_priors(arguments: Sequence[str]) -> list[str]:
    """Replace names of priors after ``--model.prior`` by what they stand for; texts are meant as they stand.

    Raises:
        ValueError: If there is no such prior.

    Example:
        >>> with_priors(["--model.prior", "null", "--model.seed=3"])
        ['--model.prior={"class_path": "modules.priors.null.Null"}', '--model.seed=3']
    """
    resolved: list[str] = []
    option = "--model.prior"
    for argument in one_each(arguments):
        name, separator, value = argument.partition("=")
        if name == option and separator:
            argument = f"{option}={text_of(read_prior(value))}"
        resolved.append(as_meant(argument))
    return resolved


def build_prior(name: str, settings: Sequence[str] = ()) -> "Prior":
    """Build a semantic prior.

    Args:
        name: Preset name such as ``da_clip``, path of a YAML file, or class path.
        settings: Changes as on the command line, such as ``--prior.num_captions=2``.

    Raises:
        ValueError: If the prior or a setting does not exist or does not fit.

    Example:
        >>> build_prior("text", ["--prior.prompt=a cat"]).prompt
        'a cat'
    """
    from jsonargparse import ArgumentError

    from ldrps.configuration.whole_names import WholeNames
    from modules.priors.base import Prior

    parser = WholeNames(parser_mode="omegaconf+", exit_on_error=False)
    parser.add_subclass_arguments(Prior, "prior")
    given = [f"--prior={text_of(read_prior(name))}", *map(as_meant, settings)]
    try:
        prior: Prior = parser.instantiate(parser.parse_args(given)).prior
    except ArgumentError as error:
        raise ValueError(with_hint(error, parser, given)) from error
    return prior


def preset_model(names: str | Sequence[str], arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Resolve the restorer of one or several presets to plain data, class path and settings.

    Args:
        names: Preset name or path of a YAML file with a ``model`` section; of several, later ones count.
        arguments: Changes as on the command line, such as ``--model.seed=3``.

    Raises:
        ValueError: If the preset or a setting does not exist or does not fit.

    Example:
        >>> preset_model("blind", ["--model.seed=3"])["init_args"]["seed"]
        3
    """
    parser, config = parse_preset(names, arguments)
    model: dict[str, Any] = json.loads(parser.dump(config, format="json"))["model"]
    return model


def check_model(settings: Settings) -> None:
    """Build a restorer of its settings, without weights.

    Args:
        settings: Class path and settings.

    Raises:
        ValueError: If a setting does not exist or does not fit.
    """
    from jsonargparse import ArgumentError

    from ldrps.configuration.whole_names import WholeNames
    from ldrps.methods.restorer import Restorer

    parser = WholeNames(parser_mode="omegaconf+", exit_on_error=False)
    parser.add_subclass_arguments(Restorer, "model")
    try:
        parser.instantiate(parser.parse_object({"model": settings}))
    except ArgumentError as error:
        raise ValueError(with_hint(error, parser, [])) from error


def parse_preset(names: str | Sequence[str], arguments: Sequence[str]) -> tuple["ArgumentParser", "Namespace"]:
    """Parse presets and changes to them; the parser instantiates what it parsed.

    Raises:
        ValueError: If a preset or a setting does not exist or does not fit.
    """
    from jsonargparse import ArgumentError

    from ldrps.configuration.whole_names import WholeNames
    from ldrps.methods.restorer import Restorer

    parser = WholeNames(parser_mode="omegaconf+", exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(Restorer, "model")
    # Other sections are Lightning's (trainer, data) and have no meaning here.
    settings = {
        name: value
        for name, value in read_presets([names] if isinstance(names, str) else names).items()
        if name == "model"
    }
    settings, arguments = hand_down(settings, with_priors(arguments))
    given = [f"--config={json.dumps(settings, ensure_ascii=False)}", *arguments]
    quieten()
    keep_texts()
    try:
        return parser, parser.parse_args(given)
    except ArgumentError as error:
        raise ValueError(with_hint(error, parser, given)) from error
