"""`ldrps restore`: the everyday face of Lightning's predict."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ldrps.commands import lightning
from ldrps.commands.options import option, parse
from ldrps.configuration.layers import DEFAULT_PRESET
from ldrps.data.inputs import named_images
from ldrps.data.outputs import TO_KEEP_OR_REPLACE, check_outputs, picture_file, without_results
from ldrps.data.photo_formats import FormatName

WHEN_INTERRUPTED = f"{lightning.WHEN_INTERRUPTED}: --resume restores the others"

DESCRIBED = "blind"
"""What builds on this preset is told what the photo shows, if nobody says otherwise: `ldrps restore` looks for text."""

UNDESCRIBED = {"fast", "inpainting"}
"""What builds on these is not: `fast` samples nothing; `inpainting` was measured without, and text doubles its time."""

COLORIZATION = {"num_samples": 8}
"""What `--colorize` adds. Photos without colour are left as they are otherwise: most were taken that way."""


@dataclass(frozen=True)
class Restore:
    """Restore photos.

    Any setting of `ldrps predict` can be added by its dotted name, such as --model.sampling.num_inference_steps 30;
    --print_config shows the resolved run, --model.help what each setting of the method means.

    Attributes:
        inputs: Image files, folders or glob patterns.
        output: Folder for the pictures.
        config: Preset name or YAML file; may be repeated, later ones say what differs (refined).
        format: Format of the pictures: png, jpeg, tiff, webp, avif or heic (each photo's own).
        compare: Also write before|after pictures.
        trajectory: Also write a film strip of this many frames.
        overwrite: Replace pictures of earlier runs.
        resume: Keep pictures of earlier runs and restore the others.
        prior: Semantic prior: auto, null, text, prompt_file, mllm, endpoint, da_clip, da_clip_adapter, a YAML file or a
            class path (auto).
        prompt: What the restored photos should show.
        colorize: Give photos without colour the colour that the model expects.
        backbone: Folder or hub id of a Stable Diffusion model (mini).
        seed: Seed of the run (that of the preset, 0).
        max_side: Restore longer photos at this size in pixels, and carry over what is smooth: light, haze, colour.
        batch_size: Images of one size that are restored together; auto for as many as are quickly done.
        device: Where it runs: auto, cpu, cuda or mps.
    """

    inputs: list[str] = field(metadata=option(metavar="IN", nargs="+"))
    output: str = field(default="restored", metadata=option("-o", metavar="DIR"))
    config: list[str] = field(default_factory=lambda: [DEFAULT_PRESET], metadata=option("-c", metavar="X"))
    format: FormatName | None = field(default=None, metadata=option(metavar="X"))
    compare: bool = False
    trajectory: int = field(default=0, metadata=option(metavar="N"))
    overwrite: bool = False
    resume: bool = False
    prior: str | None = field(default=None, metadata=option(metavar="X"))
    prompt: str | None = field(default=None, metadata=option(metavar="TEXT"))
    colorize: bool = False
    backbone: str | None = field(default=None, metadata=option(metavar="X"))
    seed: int | None = field(default=None, metadata=option(metavar="N"))
    max_side: int | None = field(default=None, metadata=option(metavar="N"))
    batch_size: int | Literal["auto"] = field(default=1, metadata=option(metavar="N"))
    device: str = field(default="auto", metadata=option(metavar="X"))

    def settings(self) -> dict[str, Any]:
        """The whole run, as a preset would say it.

        Raises:
            ValueError: If a config or the prior does not exist, two configs contradict each other, or an option has no
                effect with them.
        """
        from ldrps.configuration.layers import merged, read_presets
        from ldrps.configuration.presets import read_prior
        from ldrps.configuration.purposes import RESTORING, check_purpose

        check_purpose(self.config, RESTORING, "restore")
        settings = read_presets(self.config)
        if looks_for_text(self.config):
            settings = merged(settings, {"model": {"init_args": {"prior": read_prior("auto")}}}, "the command")
        everyday = {
            "data": {"init_args": {"inputs": self.inputs, "batch_size": self.batch_size}},
            "writer": {
                "output": self.output,
                "format": self.format,
                "compare": self.compare,
                "trajectory": self.trajectory,
                "overwrite": self.overwrite,
                "resume": self.resume,
            },
            "plan": {"show": True},
            "trainer": {"accelerator": self.device},
            "model": {"init_args": {}},
        }
        return self._with_method(merged(settings, everyday, "the command"))

    def is_done(self) -> bool:
        """Whether there is nothing left to do, which is then said; told before what takes seconds to import.

        Raises:
            ValueError: If pictures exist and are neither to be kept nor replaced, or an input does not exist.
        """
        if self.overwrite or (self.resume and (self.compare or self.trajectory)):
            return False
        folder = Path(self.output)
        files = without_results(named_images(self.inputs), self.inputs, folder)
        pictures = [picture_file(folder, name, file, self.format) for file, name in files]
        check_outputs(pictures, [file for file, _ in files], self.resume, TO_KEEP_OR_REPLACE)
        if not (self.resume and pictures and all(picture.exists() for picture in pictures)):
            return False
        sys.stdout.write(f"{len(pictures)} of {len(pictures)} picture(s) are in {folder} already and are kept\n")
        return True

    def _with_method(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings of a run with the options that are settings of its method."""
        from ldrps.configuration.handing_down import no_effect, with_setting
        from ldrps.configuration.presets import read_prior

        chosen: dict[str, tuple[str, Any]] = {
            "--prior": ("prior", None if self.prior is None else read_prior(self.prior)),
            "--prompt": ("prior", None if self.prompt is None else one_text(self.prompt)),
            "--backbone": ("backbone", None if self.backbone is None else {"init_args": {"path": self.backbone}}),
            "--colorize": ("colorization", COLORIZATION if self.colorize else None),
            "--max-side": ("max_side_px", self.max_side),
            "--seed": ("seed", self.seed),
        }
        model = settings["model"]
        for option_, (name, value) in chosen.items():
            if value is None:
                continue
            told = with_setting(model, name, value)
            if told is None:
                raise ValueError(no_effect(option_, f"--config {' --config '.join(self.config)}"))
            model = told
        return {**settings, "model": model}


def one_text(prompt: str) -> dict[str, Any]:
    """The prior that `--prompt` stands for.

    Raises:
        ValueError: If a part of the text would be taken for the name of another setting.
    """
    if "${" in prompt:
        raise ValueError(f"prompt={prompt!r} holds ${{, which stands for another setting: write it without")
    return {"class_path": "modules.priors.text.Text", "init_args": {"prompt": prompt}}


def looks_for_text(configs: Sequence[str]) -> bool:
    """Whether `ldrps restore` looks by itself for text that says what a photo shows.

    Args:
        configs: Presets or files; one's own may say which prior they want.

    Raises:
        ValueError: If one does not exist.

    Example:
        >>> [looks_for_text([preset]) for preset in ("best", "dark", "fast", "ir_sde")]
        [True, True, False, False]
    """
    from ldrps.configuration.layers import find_preset, line_of, read_file, read_presets
    from ldrps.data.shipped import preset_folder

    shipped = (preset_folder() / "restore").resolve()
    files = {path.resolve() for config in configs for path in line_of(find_preset(config))}
    bases = {file.stem for file in files if file.parent == shipped}
    is_said = any("prior" in of_the_method(read_file(file)) for file in files if file.parent != shipped)
    has_prior = "prior" in of_the_method(read_presets(configs))
    return DESCRIBED in bases and not bases & UNDESCRIBED and has_prior and not is_said


def of_the_method(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of the method among those of a run."""
    model = settings.get("model")
    return model.get("init_args") or {} if isinstance(model, dict) else {}


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps restore` and return its exit code."""
    options, changes = parse("restore", Restore, arguments)
    # Any other setting may change which files are written, or restore nothing at all.
    is_plain = not changes and not any(config.endswith((".yaml", ".yml")) for config in options.config)
    return lightning.run_verb("predict", options.settings, changes, options.is_done if is_plain else None)
