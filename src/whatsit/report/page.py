"""Templates to one HTML page; whatever is put into them is escaped."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__, wording
from . import pictures, text

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, context: Mapping[str, Any]) -> str:
    """The page that `template` makes of `context`."""
    from markupsafe import Markup

    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    whole = {**context, "style": Markup(style), "version": __version__}
    return _environment().get_template(template).render(whole)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": text.shown,
        "percent": text.percent,
        "interval": text.interval,
        "points": wording.points,
        "ms": text.ms,
        "number": text.number,
        "moment": text.moment,
        "pvalue": wording.p_value,
        "rate": text.per_second,
        "spread": text.spread,
        "megabytes": text.megabytes,
        "counted": wording.counted,
        "thousands": "{:,}".format,
        "basename": os.path.basename,
        "below": pictures.below,
        "without": pictures.without,
    }
    return environment
