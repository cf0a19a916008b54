"""What belongs to one open page: a folder, the files it sent, the work it asked for."""

import secrets
import shutil
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ldrps.commands.browser.choices import Choices
from ldrps.commands.browser.uploads import Upload, take
from ldrps.commands.browser.work import Work
from modules.safe_files import complete_or_absent


class Session:
    """One open page.

    Args:
        folder: Folder of this page alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent: set[Path] = set()
        self.work: Work | None = None
        self.future: Future[None] | None = None
        self.num_runs = 0

    @property
    def is_busy(self) -> bool:
        """Whether work of this page waits or runs."""
        return self.future is not None and not self.future.done()

    def cancel(self) -> None:
        """Stop the work at its next step, or before it begins."""
        if self.work is not None:
            self.work.is_cancelled = True


class Sessions:
    """All open pages, and the one line in which their work waits: a model takes a whole machine.

    Args:
        folder: Run folder; nothing is written outside of it.
        device: Where the work runs.
        keep: Whether photos and results stay when their page is closed.
    """

    def __init__(self, folder: Path, device: str = "auto", keep: bool = False) -> None:
        self.folder = folder
        self.device = device
        self.keep = keep
        self._open: dict[str, Session] = {}
        self._submitted: list[Future[None]] = []
        self._line = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ldrps-ui")

    def of(self, key: str) -> Session:
        """The session of a page, made when it is first asked for."""
        if key not in self._open:
            # Pictures are served by their path: it must not be guessed.
            name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{secrets.token_urlsafe(12)}"
            self._open[key] = Session(self.folder / name)
        return self._open[key]

    def begin(self, key: str, uploads: Sequence[Upload], choices: Choices) -> Work:
        """Take the files and put the work into the line.

        Raises:
            ValueError: If the page is busy, or no file can be restored; one sentence for each file.
            OSError: If the disk is full.
        """
        session = self.of(key)
        if session.is_busy:
            raise ValueError("this page is restoring already: wait, or cancel it first")
        session.num_runs += 1
        folder = session.folder / f"run-{session.num_runs}"
        names, refused = take(uploads, folder / "photos")
        if not names:
            raise ValueError(" ".join(refused) or "choose a photo first: drop one, or a folder of them")
        session.work = Work(folder, names, choices, self.device, sentences=refused)
        session.future = self._line.submit(session.work.run)
        self._submitted = [future for future in self._submitted if not future.done()] + [session.future]
        return session.work

    def before(self, session: Session) -> int:
        """How many pieces of work come before that of this page."""
        unfinished = [future for future in self._submitted if not future.done()]
        return unfinished.index(session.future) if session.future in unfinished else 0

    def close(self, key: str) -> None:
        """Forget a page: stop its work and delete its files, unless they are kept."""
        session = self._open.pop(key, None)
        if session is None:
            return
        session.cancel()
        if session.future is None or session.future.cancel():
            self._forget(session)
        else:
            session.future.add_done_callback(lambda _: self._forget(session))

    def _forget(self, session: Session) -> None:
        if not self.keep:
            shutil.rmtree(session.folder, ignore_errors=True)
        in_use = {path for other in self._open.values() for path in other.sent}
        for path in session.sent - in_use:
            path.unlink(missing_ok=True)

    def close_all(self) -> None:
        """Forget every page, and wait for what stops at its next step."""
        for key in list(self._open):
            self.close(key)
        self._line.shutdown(wait=True, cancel_futures=True)


def pack(work: Work) -> Path:
    """Put the results of a piece of work into one ZIP file."""
    path = work.folder / "restored.zip"
    with complete_or_absent(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for card in work.cards:
            archive.write(card.result, card.result.relative_to(work.folder / "restored"))
    return path
