"""whatsit: what is in the picture, on any device.

    import whatsit
    model = whatsit.load()
    print(model.classify("photo.jpg").predictions[0].label)

Each public name is imported when it is first used, so that `import whatsit` costs next to nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch import batch as batch
    from .batch.report import BatchReport as BatchReport
    from .bundle import Bundle as Bundle
    from .calibrating import Calibrated as Calibrated
    from .calibrating import calibrate as calibrate
    from .checkup.checking import checkup as checkup
    from .checkup.values import Checkup as Checkup
    from .choice import Choice as Choice
    from .choice import Limits as Limits
    from .choose import choose as choose
    from .classifier import Classifier as Classifier
    from .classifier import load as load
    from .compare import Comparison as Comparison
    from .compare import compare as compare
    from .datasets.base import Dataset as Dataset
    from .embedding import Embeddings as Embeddings
    from .embedding import embed as embed
    from .errors import AppMissing as AppMissing
    from .errors import BelowFloor as BelowFloor
    from .errors import DatasetError as DatasetError
    from .errors import DownloadFailed as DownloadFailed
    from .errors import ExtraMissing as ExtraMissing
    from .errors import ImageNotFound as ImageNotFound
    from .errors import ImageTooLarge as ImageTooLarge
    from .errors import ImageUnreadable as ImageUnreadable
    from .errors import ImageUnsupported as ImageUnsupported
    from .errors import InputError as InputError
    from .errors import ModelDamaged as ModelDamaged
    from .errors import ModelError as ModelError
    from .errors import ModelNotFound as ModelNotFound
    from .errors import ModelUnsupported as ModelUnsupported
    from .errors import ModelWithoutMetadata as ModelWithoutMetadata
    from .errors import RuntimeUnavailable as RuntimeUnavailable
    from .errors import SourceUnavailable as SourceUnavailable
    from .errors import UsageError as UsageError
    from .errors import VideoUnreadable as VideoUnreadable
    from .errors import WhatsitError as WhatsitError
    from .evaluate import evaluate as evaluate
    from .evaluation import Evaluation as Evaluation
    from .events.index import Index as Index
    from .events.values import Event as Event
    from .events.values import Segment as Segment
    from .explain import explain as explain
    from .explain.explainer import Explainer as Explainer
    from .explain.faithfulness import Faithfulness as Faithfulness
    from .explain.values import Explanation as Explanation
    from .labels import Labels as Labels
    from .preprocess import Preprocess as Preprocess
    from .quantizing import quantize as quantize
    from .quantizing.values import Quantized as Quantized
    from .results import Ancestor as Ancestor
    from .results import Prediction as Prediction
    from .results import Result as Result
    from .results import Verdict as Verdict
    from .smoothing import Smoothing as Smoothing
    from .streaming.values import Moment as Moment
    from .train import train as train
    from .train.report import TrainingReport as TrainingReport

__version__ = "0.1.0"

# public name → module; a test holds it equal to the imports above
_HOMES = {
    "batch": "batch",
    "BatchReport": "batch.report",
    "AppMissing": "errors",
    "BelowFloor": "errors",
    "Bundle": "bundle",
    "Calibrated": "calibrating",
    "calibrate": "calibrating",
    "checkup": "checkup.checking",
    "Checkup": "checkup.values",
    "Choice": "choice",
    "Limits": "choice",
    "choose": "choose",
    "Classifier": "classifier",
    "load": "classifier",
    "Comparison": "compare",
    "compare": "compare",
    "Dataset": "datasets.base",
    "Embeddings": "embedding",
    "embed": "embedding",
    "DatasetError": "errors",
    "DownloadFailed": "errors",
    "ExtraMissing": "errors",
    "ImageNotFound": "errors",
    "ImageTooLarge": "errors",
    "ImageUnreadable": "errors",
    "ImageUnsupported": "errors",
    "InputError": "errors",
    "ModelDamaged": "errors",
    "ModelError": "errors",
    "ModelNotFound": "errors",
    "ModelUnsupported": "errors",
    "ModelWithoutMetadata": "errors",
    "RuntimeUnavailable": "errors",
    "SourceUnavailable": "errors",
    "UsageError": "errors",
    "VideoUnreadable": "errors",
    "WhatsitError": "errors",
    "evaluate": "evaluate",
    "Evaluation": "evaluation",
    "Event": "events.values",
    "Index": "events.index",
    "Segment": "events.values",
    "explain": "explain",
    "Explainer": "explain.explainer",
    "Explanation": "explain.values",
    "Faithfulness": "explain.faithfulness",
    "Labels": "labels",
    "Preprocess": "preprocess",
    "quantize": "quantizing",
    "Quantized": "quantizing.values",
    "Ancestor": "results",
    "Prediction": "results",
    "Result": "results",
    "Verdict": "results",
    "Smoothing": "smoothing",
    "Moment": "streaming.values",
    "train": "train",
    "TrainingReport": "train.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # the next look-up finds it without coming here
    return value


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        # Importing a module binds it here by its name; `evaluate` is to stay the function.
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
