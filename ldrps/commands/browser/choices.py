"""What somebody chose on the page, and the command and the Python lines that do the same."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ldrps.commands.restore import COLORIZATION, Restore, looks_for_text
from ldrps.configuration.layers import DEFAULT_PRESET
from ldrps.configuration.presets import read_prior
from ldrps.data.shipped import preset_folder, suite_folder

PRESET_OWN = "as the preset"
"""Prior of a preset that nobody chose another one for."""

NO_DAMAGE = "no"
"""Photos are restored as they are."""


@cache
def presets() -> list[str]:
    """Names of the restorers' presets, the default first."""
    names = sorted(file.stem for file in (preset_folder() / "restore").glob("*.yaml"))
    return sorted(names, key=lambda name: name != DEFAULT_PRESET)


@cache
def priors() -> list[str]:
    """Names of the priors that need no file beside the photo and no text."""
    names = sorted(file.stem for file in (preset_folder() / "prior").glob("*.yaml"))
    return [PRESET_OWN, *(name for name in names if name not in ("prompt_file", "text"))]


@cache
def suites() -> list[str]:
    """Names of the suites that are one damage, after the choice of none."""
    return [NO_DAMAGE, *sorted(file.stem for file in suite_folder().glob("*.yaml") if file.stem != "all")]


@dataclass(frozen=True)
class Choices:
    """What to do with photos.

    Attributes:
        preset: Name of a restorer's preset.
        prior: Name of a semantic prior.
        prompt: What the photos show; takes the place of the prior.
        backbone: Folder or hub id of a Stable Diffusion model; empty for the embedded one.
        seed: Seed of the run; None takes the preset's.
        light: Share of the change of light, in [0, 1].
        colour: Share of the change of colour, in [0, 1].
        colorize: Give photos without colour the colour that the model expects.
        damage: Suite that damages clean photos first, so that the result can be measured.

    Raises:
        ValueError: If a name does not exist or a number lies outside its interval.
    """

    preset: str = DEFAULT_PRESET
    prior: str = PRESET_OWN
    prompt: str = ""
    backbone: str = ""
    seed: int | None = None
    light: float = 1.0
    colour: float = 1.0
    colorize: bool = False
    damage: str = NO_DAMAGE

    def __post_init__(self) -> None:
        for name, known in (("preset", presets()), ("prior", priors()), ("damage", suites())):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} does not exist: choose one of {', '.join(known)}")
        for name in ("light", "colour"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"strength of {name} is {getattr(self, name)}: choose a number from 0 to 1")

    @property
    def is_damaged_first(self) -> bool:
        """Whether a suite damages the photos before they are restored."""
        return self.damage != NO_DAMAGE

    def restore(self, inputs: Sequence[Path | str], output: Path | str, device: str, trajectory: int = 0) -> Restore:
        """The same as options of `ldrps restore`."""
        return Restore(
            inputs=[str(path) for path in inputs],
            output=str(output),
            config=[self.preset],
            prior=None if self.prior == PRESET_OWN else self.prior,
            prompt=self.prompt or None,
            backbone=self.backbone or None,
            seed=self.seed,
            colorize=self.colorize,
            device=device,
            trajectory=trajectory,
        )

    def settings(self) -> list[str]:
        """What `ldrps restore` has no everyday option for, by dotted name."""
        shares = {"light": self.light, "colour": self.colour}
        return [f"--model.strength.{name}={share:g}" for name, share in shares.items() if share != 1]

    def command(self, photos: str = "photo.jpg") -> str:
        """The command line, to copy."""
        everyday: dict[str, Any] = {
            "--config": self.preset if self.preset != DEFAULT_PRESET else None,
            "--prior": self.prior if self.prior != PRESET_OWN and not self.prompt else None,
            "--prompt": self.prompt or None,
            "--backbone": self.backbone or None,
            "--seed": self.seed,
        }
        words = [f"{name} {shlex.quote(str(value))}" for name, value in everyday.items() if value is not None]
        words += ["--colorize"] if self.colorize else []
        if not self.is_damaged_first:
            return " ".join(["ldrps restore", shlex.quote(photos), "--output restored", *words, *self.settings()])
        seed = "" if self.seed is None else f" --seed {self.seed}"
        first = f"ldrps degrade {shlex.quote(photos)} --suite {self.damage}{seed} --output damaged"
        return f"{first}\n{' '.join(['ldrps restore damaged --output restored', *words, *self.settings()])}"

    def python(self, photo: str = "photo.jpg") -> str:
        """Three lines of Python, to copy."""
        arguments = [f"{name}={value!r}" for name, value in self._python_settings().items()]
        return (
            "from ldrps.configuration.presets import load_preset\n"
            f"restorer = load_preset({', '.join([repr(self.preset), *arguments])})\n"
            f'restorer({photo!r}).save("restored.png")\n'
        )

    def _python_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if self.prompt:
            settings |= {"prior": "modules.priors.text.Text", "prior__prompt": self.prompt}
        elif self.prior != PRESET_OWN or looks_for_text([self.preset]):
            prior = read_prior("auto" if self.prior == PRESET_OWN else self.prior)
            assert isinstance(prior, dict)
            settings["prior"] = prior["class_path"]
            settings |= {f"prior__{name}": value for name, value in prior.get("init_args", {}).items()}
        optional = {"backbone__path": self.backbone or None, "seed": self.seed}
        settings |= {name: value for name, value in optional.items() if value is not None}
        shares = {"strength__light": self.light, "strength__colour": self.colour}
        settings |= {name: share for name, share in shares.items() if share != 1}
        return settings | ({"colorization": COLORIZATION} if self.colorize else {})
