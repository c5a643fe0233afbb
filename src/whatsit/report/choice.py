"""The report of a choice: accuracy against latency, the front, the recommended model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import scatter, text
from .page import render

if TYPE_CHECKING:
    from ..choice import Candidate, Choice, Limits


def page(choice: Choice) -> str:
    """The whole page."""
    recommended = [c for c in choice.candidates if c.name == choice.recommended]
    return render(
        "choice.html",
        {
            "choice": choice,
            "recommended": recommended[0] if recommended else None,
            "plot": scatter.plot(choice),
            "machine": text.machine_rows(choice.machine),
            "largest": max((c.size_bytes for c in choice.candidates), default=0),
            "sources": list(dict.fromkeys(c.top1_source for c in choice.candidates)),
            "limits": _limits(choice.limits),
            "state": _state,
        },
    )


def _limits(limits: Limits) -> list[str]:
    said = []
    if limits.max_latency_ms is not None:
        said.append(f"at most {limits.max_latency_ms:g} ms a picture")
    if limits.max_size_bytes is not None:
        said.append(f"at most {text.megabytes(limits.max_size_bytes)}")
    if limits.min_top1 is not None:
        said.append(f"Top-1 of at least {100 * limits.min_top1:g} %")
    return said


def _state(candidate: Candidate, choice: Choice) -> str:
    """What a candidate is, in a word or two."""
    if candidate.name == choice.recommended:
        return "recommended"
    if candidate.top1 is None:
        return "of unknown accuracy"
    if candidate.shortfalls:
        return "over a limit"
    if candidate.name in choice.tied:
        return "tied"
    return "on the front" if candidate.on_front else "beaten"
