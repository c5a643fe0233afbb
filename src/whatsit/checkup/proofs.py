"""What running a model proves of it, in words: on an engine, and on known pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..wording import shown
from .naming import title
from .planning import options_of, words_of
from .values import Finding, Severity

if TYPE_CHECKING:
    from ..errors import ModelError, WhatsitError
    from .knowing import Known
    from .ways import Range


def fails(error: ModelError) -> Finding:
    """Of a model that its engine cannot run."""
    return Finding(
        "cannot-run",
        Severity.SERIOUS,
        "The model cannot be run",
        (shown(error.message, 200),),
        error.hint or "Convert the model again.",
    )


def logits() -> Finding:
    """Of a model that gives what is no probability."""
    return Finding(
        "no-softmax",
        Severity.SERIOUS,
        "The model gives logits, and no probabilities",
        ("known pictures give scores below 0 or above 1: its graph ends before the softmax",),
        "`--fix` puts a softmax behind it.",
        mended=True,
    )


def shifted(known: Known) -> Finding:
    """Of labels that are off by a line or two."""
    assert known.offset is not None
    assert known.lines is not None
    return Finding(
        "labels-shifted",
        Severity.SERIOUS,
        title("labels-shifted"),
        (
            f"ImageNet's first class is line {known.lines + 1} of its labels, and score "
            f"{known.offset + 1} of the model, as {known.pictures} known pictures show",
        ),
        "`--fix` moves the labels to their scores.",
        mended=True,
    )


def wrong_range(own: Range, known: Known) -> Finding:
    """Of a mean and std with which the model recognises next to nothing."""
    assert known.best is not None
    return Finding(
        "mean-std",
        Severity.SERIOUS,
        "Mean and std are wrong",
        (
            f"with {words_of(own)}, it recognises {known.gain:.1f} of {known.pictures} known "
            f"pictures; with {words_of(known.best)}, {known.best_gain:.1f}",
        ),
        f"`--fix` writes {words_of(known.best)}.",
        mended=True,
    )


def doubtful_range(own: Range, known: Known) -> Finding:
    """Of a mean and std with which it recognises much, and with another one more."""
    assert known.likelier is not None
    return Finding(
        "mean-std",
        Severity.WARNING,
        "Mean and std may be wrong",
        (
            f"with {words_of(own)}, it recognises {known.gain:.2f} of {known.pictures} known "
            f"pictures; with {words_of(known.likelier)}, {known.likelier_gain:.2f}",
            "most networks still work with another mean and std, but worse",
        ),
        "Look up what it was made for; --data with labelled pictures of yours proves it. "
        f"`--fix {options_of(known.likelier)}` writes the other.",
    )


def unnameable(finding: Finding, why: str) -> Finding:
    """The finding of labels that nobody can put in their places."""
    return replace(
        finding,
        evidence=(*finding.evidence, why),
        fix="`--fix` writes no file unless --labels FILE gives all names, one a line.",
        mended=False,
    )


def refused(error: WhatsitError) -> Finding:
    """Of a model that other programs may take, and this package does not."""
    return Finding(
        "refused",
        Severity.SERIOUS,
        "whatsit cannot run it",
        (shown(error.message, 200),),
        error.hint or "Make the bundle again.",
        mended=True,
    )
