"""The layout of the page, in Gradio; what it does is elsewhere."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio
from gradio.data_classes import FileData

from ldrps.commands.browser import looks
from ldrps.commands.browser.choices import NO_DAMAGE, PRESET_OWN, Choices, presets, priors, suites
from ldrps.commands.browser.sessions import Sessions, pack
from ldrps.commands.browser.uploads import Upload
from ldrps.commands.exit_codes import sentence_of
from ldrps.configuration.layers import DEFAULT_PRESET

INTRODUCTION = """# Restore photos
Drop photos that are noisy, dark or hazy; nobody needs to say what is wrong with them. They stay on the machine that
runs this page{keeping}."""

SECONDS_BETWEEN_LOOKS = 0.25


def named_upload(file: FileData) -> Upload:
    """A file with the name that the browser gave it."""
    return Upload(Path(file.path), file.orig_name or Path(file.path).name)


def build(sessions: Sessions, shown_at: str, may_choose_backbone: bool) -> gradio.Blocks:
    """Build the page.

    Args:
        sessions: The open pages.
        shown_at: Where the server shows their folder.
        may_choose_backbone: Whether a folder of this machine may be named; not where others look in.
    """
    with gradio.Blocks(title="ldrps", analytics_enabled=False, fill_width=True) as page:
        gradio.Markdown(INTRODUCTION.format(keeping="" if sessions.keep else ", until you close it"))
        with gradio.Row():
            with gradio.Column(scale=2, min_width=300):
                photos = gradio.File(file_count="multiple", label="Photos", height=170, elem_id="photos")
                # Gradio hands over shortened names. (It writes a file beside the module of any subclass.)
                photos._process_single_file = named_upload  # type: ignore[method-assign, assignment]
                folder = gradio.UploadButton("Add a folder", file_count="directory", size="sm", elem_id="folder")
                choices = controls(may_choose_backbone)
                with gradio.Row():
                    restore = gradio.Button("Restore", variant="primary", elem_id="restore")
                    cancel = gradio.Button("Cancel", variant="stop", elem_id="cancel")
            with gradio.Column(scale=3, min_width=300):
                progress = gradio.HTML(elem_id="progress")
                results = gradio.HTML(elem_id="results")
        with gradio.Accordion("The same from the command line, and in Python", open=False, elem_id="snippets"):
            command = gradio.Code(Choices().command(), language="shell", label="Command", elem_id="command")
            python = gradio.Code(Choices().python(), language="python", label="Python", elem_id="python")
        actions = Actions(sessions, shown_at)
        names = list(choices)
        shared: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        inputs = [photos, *choices.values()]

        def begin(request: gradio.Request, uploads: list[Upload] | None, *values: Any) -> Iterator[tuple[str, str]]:
            yield from actions.restore(uploads or [], dict(zip(names, values, strict=True)), request)

        def describe(*values: Any) -> tuple[str, str]:
            return actions.describe(dict(zip(names, values, strict=True)))

        restore.click(begin, inputs, [progress, results], concurrency_limit=32, **shared)
        cancel.click(actions.cancel, None, None, queue=False, **shared)
        folder.upload(actions.add, [photos, folder], photos, preprocess=True, **shared)
        gradio.on(
            [choice.change for choice in choices.values()], describe, [*choices.values()], [command, python], **shared
        )
        page.unload(actions.close)
    return page


def controls(may_choose_backbone: bool) -> dict[str, Any]:
    """What can be chosen, by the names of `Choices`."""
    chosen = {
        "damage": gradio.Dropdown(
            suites(),
            value=NO_DAMAGE,
            label="Damage the photo first?",
            info="For clean photos: damages them, restores them, and measures the result.",
            elem_id="damage",
        ),
        "light": gradio.Slider(0, 1, 1, step=0.05, label="Strength of light", elem_id="light"),
        "colour": gradio.Slider(0, 1, 1, step=0.05, label="Strength of colour", elem_id="colour"),
        "colorize": gradio.Checkbox(label="Give black-and-white photos colour"),
        "prompt": gradio.Textbox(label="What the photos show, if you want to say so", elem_id="prompt"),
    }
    with gradio.Accordion("More choices", open=False):
        chosen |= {
            "preset": gradio.Dropdown(presets(), value=DEFAULT_PRESET, label="Preset"),
            "prior": gradio.Dropdown(priors(), value=PRESET_OWN, label="Prior", info="Who says what the photos show."),
            "backbone": gradio.Textbox(
                label="Model",
                info="Folder of a Stable Diffusion model; empty for the small one that comes with it.",
                visible=may_choose_backbone,
            ),
            "seed": gradio.Number(
                None,
                label="Seed",
                precision=0,
                minimum=0,
                info="Another number, another sample; empty for the preset's.",
            ),
        }
    return chosen


class Actions:
    """What the buttons do.

    Args:
        sessions: The open pages.
        shown_at: Where the server shows their folder.
    """

    def __init__(self, sessions: Sessions, shown_at: str) -> None:
        self.sessions = sessions
        self.shown_at = shown_at

    def restore(
        self, uploads: list[Upload], values: dict[str, Any], request: gradio.Request
    ) -> Iterator[tuple[str, str]]:
        """Restore photos and tell, again and again, how far it is."""
        key = str(request.session_hash)
        session = self.sessions.of(key)
        session.sent.update(upload.path for upload in uploads)
        try:
            work = self.sessions.begin(key, uploads, Choices(**values))
        except (ValueError, OSError) as error:
            yield looks.sentence(sentence_of(error)), ""
            return
        shown = -1
        while session.is_busy:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            # Pictures that are shown already stay as they are: a slider must not jump back.
            fresh = len(work.cards) != shown
            shown = len(work.cards)
            yield (
                looks.progress(work, self.sessions.before(session)),
                looks.results(work, self.sessions.folder, self.shown_at) if fresh else gradio.skip(),
            )
        if len(work.cards) > 1:
            try:
                pack(work)
            except OSError as error:
                work.sentences.append(sentence_of(error))
        yield looks.outcome(work), looks.results(work, self.sessions.folder, self.shown_at)

    def describe(self, values: dict[str, Any]) -> tuple[str, str]:
        """The command and the lines of Python for these choices."""
        try:
            choices = Choices(**values)
            return choices.command(), choices.python()
        except ValueError as error:
            return f"# {error}", f"# {error}"

    def add(self, photos: list[Upload] | None, folder: list[str] | None) -> Any:
        """Put the files of a folder beside the photos that are there."""
        return [*(str(upload.path) for upload in photos or []), *(folder or [])]

    def cancel(self, request: gradio.Request) -> None:
        """Stop what this page asked for."""
        self.sessions.of(str(request.session_hash)).cancel()

    def close(self, request: gradio.Request) -> None:
        """Forget this page."""
        self.sessions.close(str(request.session_hash))
