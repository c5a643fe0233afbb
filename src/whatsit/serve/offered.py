"""The models that the web app offers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from .. import zoo
from ..bundle import Bundle
from ..errors import WhatsitError


def offered(served: Iterable[Bundle]) -> list[Bundle]:
    """Those that are served, the first of them first; then all others of this install."""
    found = {bundle.name: bundle for bundle in served}
    for name in (*zoo.catalogue(), *zoo.installed()):
        if name not in found:
            with contextlib.suppress(WhatsitError):  # `whatsit models verify` says what is wrong
                found[name] = zoo.open_model(name)
    return list(found.values())
