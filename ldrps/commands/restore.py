"""`ldrps restore`: the everyday face of Lightning's predict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ldrps.commands import lightning
from ldrps.commands.options import option, parse
from ldrps.configuration.layers import DEFAULT_PRESET

WHEN_INTERRUPTED = f"{lightning.WHEN_INTERRUPTED}: --resume restores the others"

AUTO_PRESETS = ("blind", "best", "refined")
"""Where `ldrps restore` looks for text by itself; other presets say which prior they want, and `fast` wants none."""

COLORIZATION = {"num_samples": 8}
"""What `--colorize` adds. Photos without colour are left as they are otherwise: most were taken that way."""


@dataclass(frozen=True)
class Restore:
    """Restore photos.

    Any setting of `ldrps predict` can be added by its dotted name, such as --model.sampling.num_inference_steps 30;
    --print_config shows the resolved run.

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
    format: Literal["png", "jpeg", "tiff", "webp", "avif", "heic"] | None = field(
        default=None, metadata=option(metavar="X")
    )
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
            ValueError: If a config or the prior does not exist, or two configs contradict each other.
        """
        from ldrps.configuration.layers import merged, read_presets
        from ldrps.configuration.presets import read_prior

        model: dict[str, Any] = {}
        if self.prior is not None:
            model["prior"] = read_prior(self.prior)
        if self.prompt is not None:
            model["prior"] = {"class_path": "modules.priors.text.Text", "init_args": {"prompt": self.prompt}}
        if self.backbone is not None:
            model["backbone"] = {"init_args": {"path": self.backbone}}
        if self.colorize:
            model["colorization"] = COLORIZATION
        if self.max_side is not None:
            model["max_side_px"] = self.max_side
        if self.seed is not None:
            model["seed"] = self.seed
        settings = read_presets(self.config[:1])
        if self.config[0] in AUTO_PRESETS:
            settings = merged(settings, {"model": {"init_args": {"prior": read_prior("auto")}}}, "the command")
        settings = merged(settings, read_presets(self.config[1:]), " and ".join(self.config[1:]))
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
            "model": {"init_args": model},
        }
        return merged(settings, everyday, "the command")


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps restore` and return its exit code."""
    options, changes = parse("restore", Restore, arguments)
    return lightning.run_verb("predict", options.settings, changes)
