"""Serves the page: to this machine alone unless asked otherwise, without a word to the network."""

import os
import shutil
import socket
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from ldrps.commands.account import say
from ldrps.commands.exit_codes import sentence_of
from ldrps.commands.ui import Ui
from ldrps.data.outputs import prepare_folder

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ldrps.commands.browser.sessions import Sessions

LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Gradio reads these when it is imported.
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}

PICTURES = "pictures"
"""Where the run folder is shown."""

UPLOADS = ".uploads"
"""Where Gradio keeps what a browser sends, inside the run folder."""

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
"""What a browser may load: nothing but from here, whatever Gradio's page asks for."""


def serve(options: Ui) -> None:
    """Serve the page until it is interrupted.

    Raises:
        ValueError: If the port is in use or the address not of this machine, or the folder cannot be written.
    """
    listener = listen(options.host, options.port)
    with run_folder(options.keep) as folder:
        import uvicorn

        app, sessions = make_app(options, folder)
        host = f"[{options.host}]" if ":" in options.host else options.host
        address = f"http://{host}:{listener.getsockname()[1]}"
        say(f"The page is at {address} (end it with Ctrl+C)")
        if options.host not in LOOPBACK:
            say("Everybody who reaches this address can use this machine for restoring: there is no password.")
        if not options.no_open:
            # A machine without display has no browser; the address is printed for that.
            Timer(1.0, webbrowser.open, [address]).start()
        try:
            uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)).run(
                sockets=[listener]
            )
        finally:
            sessions.close_all()


def listen(host: str, port: int) -> socket.socket:
    """Take the port.

    Raises:
        ValueError: If that is not possible; the message says why.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OverflowError as error:
        raise ValueError(f"port {port} does not exist: choose --port from 1024 to 65535, or 0 for any") from error
    except OSError as error:
        listener.close()
        raise ValueError(
            f"cannot listen at {host}:{port} ({error.strerror or error}): choose another --port, 0 for any, or --host"
        ) from error
    return listener


@contextmanager
def run_folder(keep: Path | None) -> Iterator[Path]:
    """The folder that everything is written into; without --keep it goes when the server ends.

    Raises:
        ValueError: If it cannot be written.
    """
    if keep is not None:
        prepare_folder(keep)
        try:
            yield keep.resolve()
        finally:
            shutil.rmtree(keep / UPLOADS, ignore_errors=True)
        return
    with tempfile.TemporaryDirectory(prefix="ldrps-ui-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def make_app(options: Ui, folder: Path) -> tuple["FastAPI", "Sessions"]:
    """Make what answers a browser.

    Args:
        options: Options of the verb.
        folder: Run folder.
    """
    os.environ |= QUIET | {"GRADIO_TEMP_DIR": str(folder / UPLOADS)}
    import gradio
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.staticfiles import StaticFiles

    from ldrps.commands.browser import looks
    from ldrps.commands.browser.page import build
    from ldrps.commands.browser.sessions import Sessions

    is_private = options.host in LOOPBACK
    sessions = Sessions(folder, options.device, keep=options.keep is not None)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(RefuseWhenFull, uploads=folder / UPLOADS)
    app.add_middleware(KeepToThisMachine)
    if is_private:
        # A page of another name that leads here (DNS rebinding) is not ours.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    app.mount(f"/{PICTURES}", StaticFiles(directory=folder))
    gradio.mount_gradio_app(
        app,
        build(sessions, PICTURES, may_choose_backbone=is_private),
        path="/",
        footer_links=[],
        show_error=True,
        max_file_size=f"{options.max_megabytes}mb",
        ssr_mode=False,
        theme=gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=looks.style(),
    )
    return app, sessions


class KeepToThisMachine:
    """Forbids the browser to load anything from elsewhere, and to keep pictures after the page is closed.

    Args:
        app: What answers.
    """

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer, with headers of ours; see the ASGI specification."""
        from starlette.datastructures import MutableHeaders

        async def send_with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["Referrer-Policy"] = "no-referrer"
                if scope["path"].startswith(f"/{PICTURES}/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, send_with_headers)


class RefuseWhenFull:
    """Says in one sentence that an upload found no room, where Gradio would break off, and takes its beginning away.

    Args:
        app: What answers.
        uploads: Where Gradio writes what a browser sends; what is not complete lies there as ``tmp...``.
    """

    def __init__(self, app: "ASGIApp", uploads: Path) -> None:
        self.app = app
        self.uploads = uploads

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer; see the ASGI specification."""
        from starlette.responses import PlainTextResponse

        is_failed = False

        async def send_unless_failed(message: "Message") -> None:
            # Gradio's server answers "Internal Server Error" before it raises; ours comes in its place.
            nonlocal is_failed
            is_failed = is_failed or message.get("status", 200) >= 500
            if not is_failed:
                await send(message)

        if scope["type"] != "http" or not scope["path"].endswith("/upload"):
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send_unless_failed)
        except OSError as error:
            for file in self.uploads.glob("tmp*"):
                file.unlink(missing_ok=True)
            # A browser reads the answer only once it has sent everything.
            while (await receive()).get("more_body", False):
                pass
            await PlainTextResponse(sentence_of(error), status_code=507)(scope, receive, send)
