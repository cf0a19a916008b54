"""Pages are made of Jinja templates that share one document, its style and one slider."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment(package: str = "ldrps.results") -> "Environment":
    """Templates of a package and, beside them, those of this folder; everything that is put into them is escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    packages = dict.fromkeys((package, "ldrps.results"))
    loader = ChoiceLoader([PackageLoader(name, ".") for name in packages])
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
