"""How progress and results look on the page; plain HTML with the slider that reports use."""

from pathlib import Path
from urllib.parse import quote

from markupsafe import escape

from ldrps.commands.browser.work import Work
from ldrps.results.templates import environment

CSS = """
.gradio-container { max-width: 1240px !important; margin: 0 auto !important; }
footer { display: none !important; }
.card { margin: 0 0 2rem; } .card h3 { overflow-wrap: anywhere; margin: .3rem 0; } .card ul { padding-left: 1.2rem; }
.card table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.card td, .card th { text-align: right; padding: .1rem .7rem .1rem 0; }
.card td:first-child, .card th:first-child { text-align: left; }
.get { margin: .6rem 0; }
.strip { width: 100%; } .sentences { padding-left: 1.2rem; color: #b91c1c; }
.sentence { color: #b91c1c; }
.download { font-weight: 600; overflow-wrap: anywhere; } progress { width: 100%; }
"""


def style() -> str:
    """Style of the page."""
    return CSS + str(environment().get_template("slider.html.j2").module.style())  # type: ignore[attr-defined]


def results(work: Work, root: Path, shown_at: str) -> str:
    """Sentences and cards of a piece of work.

    Args:
        work: The work.
        root: The run folder.
        shown_at: Where the server shows it.
    """

    def url(path: Path) -> str:
        return quote(f"{shown_at}/{path.relative_to(root).as_posix()}")

    archive = work.folder / "restored.zip"
    return (
        environment("ldrps.commands.browser")
        .get_template("cards.html.j2")
        .render(
            sentences=work.sentences,
            cards=work.cards,
            url=url,
            figure=figure,
            archive=url(archive) if archive.is_file() else None,
        )
    )


def figure(name: str, value: float) -> str:
    """A measure as it is quoted."""
    return f"{value:.2f} dB" if name == "PSNR" else f"{value:.3f}"


def progress(work: Work, num_before: int) -> str:
    """How far a piece of work is, and how long it will take."""
    if num_before:
        return f"<p>waiting: {num_before} before this one</p><progress></progress>"
    left = "" if work.seconds_left is None else f", {duration(work.seconds_left)} left"
    value = f' value="{work.share:.3f}"' if work.share else ""
    return f"<p>{escape(work.doing)}{left}</p><progress{value}></progress>"


def outcome(work: Work) -> str:
    """What became of a piece of work, in one line."""
    return f"<p>{len(work.cards)} of {len(work.names)} photo(s) restored.</p>"


def sentence(text: str) -> str:
    """One sentence that says what to do."""
    return f'<p class="sentence">{escape(text)}</p>'


def duration(seconds: float) -> str:
    """Time as people say it.

    Example:
        >>> duration(4.2), duration(95), duration(7300)
        ('5 s', '2 min', '2 h 2 min')
    """
    if seconds < 60:
        return f"{int(seconds) + 1} s"
    minutes = int(seconds + 59) // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
