"""How the verbs that go from file to file read pictures and give account of them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

# It brings torch, which takes seconds to import and which only pictures need.
if TYPE_CHECKING:
    from ldrps.data.image_files import Picture


@dataclass
class Account:
    """How a job went.

    Attributes:
        done: Pictures written.
        failed: One sentence for each that was not, or not as promised.
    """

    done: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if all went well, 1 if some failed, 2 if nothing was done."""
        if not self.failed:
            return 0
        return 1 if self.done else 2

    def fail(self, sentence: str) -> None:
        """Count a failure and say it at once."""
        self.failed.append(sentence)
        sys.stderr.write(f"ldrps: {' '.join(sentence.split())}\n")


def read_all(files: Sequence[tuple[Path, str]], account: Account, title: str) -> "Iterator[tuple[Picture, Path, str]]":
    """Read pictures one after another behind a progress bar; what cannot be read is counted and passed over."""
    from ldrps.data.image_files import read_picture

    for file, name in track(files, title, console=Console(stderr=True), transient=True):
        try:
            picture = read_picture(file)
        except (ValueError, OSError) as error:
            account.fail(str(error))
            continue
        yield picture, file, name


def say(sentence: str) -> None:
    """Print one line, if anybody still listens."""
    with suppress(BrokenPipeError):
        Console().print(sentence, highlight=False, soft_wrap=True, markup=False)
