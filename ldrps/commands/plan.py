"""`ldrps plan`: what a restoration will take on this machine, before anything is restored."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from ldrps.commands import lightning
from ldrps.commands.options import option, parse
from ldrps.commands.restore import Restore
from ldrps.configuration.layers import DEFAULT_PRESET

WHEN_INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Plan:
    """Say what restoring photos will take: time, memory, windows, batch.

    A machine that nothing is known of is measured first, in seconds with the embedded model. Options are those of
    `ldrps restore` but for what is written and how; any setting can be added by its dotted name.

    Attributes:
        inputs: Image files, folders or glob patterns.
        config: Preset name or YAML file; may be repeated, later ones say what differs (refined).
        prior: Semantic prior, as for `ldrps restore` (auto).
        prompt: What the restored photos should show.
        colorize: Give photos without colour the colour that the model expects.
        backbone: Folder or hub id of a Stable Diffusion model (mini).
        seed: Seed of the run (that of the preset, 0).
        max_side: Restore longer photos at this size in pixels, and carry over what is smooth: light, haze, colour.
        batch_size: Images of one size that are restored together; auto for as many as are quickly done.
        device: Where it runs: auto, cpu, cuda or mps.
    """

    inputs: list[str] = field(metadata=option(metavar="IN", nargs="+"))
    config: list[str] = field(default_factory=lambda: [DEFAULT_PRESET], metadata=option("-c", metavar="X"))
    prior: str | None = field(default=None, metadata=option(metavar="X"))
    prompt: str | None = field(default=None, metadata=option(metavar="TEXT"))
    colorize: bool = False
    backbone: str | None = field(default=None, metadata=option(metavar="X"))
    seed: int | None = field(default=None, metadata=option(metavar="N"))
    max_side: int | None = field(default=None, metadata=option(metavar="N"))
    batch_size: int | Literal["auto"] = field(default=1, metadata=option(metavar="N"))
    device: str = field(default="auto", metadata=option(metavar="X"))

    def settings(self) -> dict[str, Any]:
        """The run that is planned, with nothing read or written.

        Raises:
            ValueError: See `Restore.settings`.
        """
        from ldrps.configuration.layers import merged

        run = Restore(**{one.name: getattr(self, one.name) for one in fields(self)}).settings()
        nothing = {
            "data": {"init_args": {"dry_run": True}},
            "writer": {"output": None},
            "trainer": {"enable_progress_bar": False},
        }
        return merged(run, nothing, "the command")


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps plan` and return its exit code."""
    options, changes = parse("plan", Plan, arguments)
    return lightning.run_verb("predict", options.settings, changes)
