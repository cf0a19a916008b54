"""Settings are given by their whole names."""

from typing import Any

from jsonargparse import ArgumentParser


class WholeNames(ArgumentParser):
    """Does not take the beginning of a name for it, nor do the parsers that it makes for the settings of classes.

    Otherwise a misspelt setting goes by two names, and a run by two identities.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **{**settings, "allow_abbrev": False})
