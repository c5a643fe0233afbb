"""Reports: one self-contained HTML page each, of an evaluation, a training, a benchmark and more.

A page asks nothing of a network, runs no script and is the same, byte for byte, for the same
result. jinja2 and matplotlib are imported only when a page is made.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .. import storage
from ..errors import ExtraMissing, UsageError

if TYPE_CHECKING:
    from ..benchmark import Benchmark
    from ..choice import Choice
    from ..compare import Comparison
    from ..doctor import Diagnosis
    from ..evaluation import Evaluation
    from ..explain.explainer import Explainer
    from ..explain.faithfulness import Faithfulness
    from ..explain.values import Explanation
    from ..train.report import TrainingReport

_NEEDED = ("jinja2", "matplotlib")


def evaluation_page(evaluation: Evaluation, explainer: Explainer | None = None) -> str:
    """How right one model is on a data set: rates, calibration, confusions, mistakes.

    With an explainer of the same model, the surest mistakes stand under their maps, too.
    """
    from . import evaluation as parts

    return parts.page(evaluation, explainer)


def comparison_page(comparison: Comparison) -> str:
    """Two models on the same pictures: the difference, and the pictures that flipped."""
    from . import comparison as parts

    return parts.page(comparison)


def benchmark_page(benchmark: Benchmark) -> str:
    """Where the time goes, setting by setting."""
    from . import benchmark as parts

    return parts.page(benchmark)


def choice_page(choice: Choice) -> str:
    """Which model was recommended among which, and why."""
    from . import choice as parts

    return parts.page(choice)


def diagnosis_page(diagnosis: Diagnosis) -> str:
    """What is wrong with a data set, finding by finding, with the pictures."""
    from . import diagnosis as parts

    return parts.page(diagnosis)


def explanation_page(explanation: Explanation, faithfulness: Faithfulness | None = None) -> str:
    """Which part of one picture speaks for a class, and which for another."""
    from . import explanation as parts

    return parts.page(explanation, faithfulness)


def training_page(report: TrainingReport) -> str:
    """What was taught: how good the model is, what more pictures would give, its mistakes."""
    from . import training as parts

    return parts.page(report)


def check(path: str | os.PathLike[str]) -> None:
    """Raises, before long work begins, what would prevent a report at `path` from being saved.

    UsageError if the name does not end in .html, ExtraMissing if a package that reports need is not
    installed, WhatsitError if nothing can be written there.
    """
    name = os.fspath(path)
    if Path(name).suffix.lower() != ".html":
        raise UsageError(
            f"a report {name!r}",
            expected="a name that ends in .html",
            hint="a report is one HTML page, such as report.html",
        )
    for package in _NEEDED:
        if importlib.util.find_spec(package) is None:
            raise ExtraMissing(
                f"a report needs {package}, which is not installed",
                hint="pip install 'whatsit[report]'",
            )
    storage.check_writable(path)


def save(html: str, path: str | os.PathLike[str]) -> None:
    """Writes a page, whole or not at all. Raises WhatsitError where that cannot be done."""
    with storage.whole_file(path) as file:
        file.write(html.encode("utf-8", "backslashreplace"))
