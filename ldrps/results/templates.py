"""Pages are made of Jinja templates that share one slider."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> "Environment":
    """Templates of this folder, with everything that is put into them escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("ldrps.results", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
