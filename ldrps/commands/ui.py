"""`ldrps ui`: a page in the browser for people who don't type commands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ldrps.commands.options import option, parse_alone

WHEN_INTERRUPTED = "the page is closed; what was asked to be kept is kept"


@dataclass(frozen=True)
class Ui:
    """Open a page in the browser: drop photos, choose, restore, compare, download.

    Needs the extra: pip install 'ldrps[ui]'. Works without network, tells nobody anything, and listens to this machine
    alone unless --host says otherwise.

    Attributes:
        host: Address to listen at; 0.0.0.0 lets other machines of the network in.
        port: Port to listen at.
        keep: Folder in which photos and results stay; otherwise they go when their page is closed.
        device: Where it runs: auto, cpu, cuda or mps.
        max_megabytes: Larger uploads are refused.
        no_open: Don't open a browser, only say where the page is.
    """

    host: str = field(default="127.0.0.1", metadata=option(metavar="X"))
    port: int = field(default=7860, metadata=option(metavar="N"))
    keep: Path | None = field(default=None, metadata=option("-k", metavar="DIR"))
    device: str = field(default="auto", metadata=option(metavar="X"))
    max_megabytes: int = field(default=100, metadata=option(metavar="N"))
    no_open: bool = False


def run(arguments: Sequence[str]) -> int:
    """Run `ldrps ui` and return its exit code."""
    options = parse_alone("ui", Ui, arguments)
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise ValueError("the page needs Gradio, which is not installed: pip install 'ldrps[ui]'")
    from ldrps.configuration.quiet import quieten, tell

    quieten()
    tell()
    from ldrps.commands.browser.server import serve

    serve(options)
    return 0
