"""The errors of whatsit. Each carries a code, the value, what was expected and a hint.

WhatsitError
├── UsageError               wrong-usage          an argument that cannot work, whatever the picture
├── InputError               one picture failed; the others are not affected
│   ├── ImageNotFound        image-not-found
│   ├── ImageUnreadable      image-unreadable     empty, cut short, damaged, or no picture
│   ├── ImageTooLarge        image-too-large      refused before its pixels are decoded
│   └── ImageUnsupported     image-unsupported    a picture of a kind that this install cannot read
├── ModelError               nothing can be classified with this model
│   ├── ModelNotFound        model-not-found
│   ├── ModelDamaged         model-damaged        cut short, altered, or no model at all
│   ├── ModelUnsupported     model-unsupported    a valid model that is no image classifier of ours
│   └── ModelWithoutMetadata model-without-metadata
├── BelowFloor               below-floor          a model that was made loses more than it may
├── DatasetError             dataset-unusable     no labelled pictures, or labels that do not fit
├── DownloadFailed           download-failed      refused, cut off, too large, or not what was asked
├── SourceUnavailable        source-unavailable   a camera, stream or video that cannot be had
├── VideoUnreadable          video-unreadable     no picture in it, damaged, or of an unknown kind
├── AppMissing               app-missing          the web app has not been built
├── ExtraMissing             extra-missing        an optional part of whatsit is not installed
└── RuntimeUnavailable       runtime-unavailable  the inference engine is not installed
"""

from __future__ import annotations

import typing

Error = typing.TypeVar("Error", bound="WhatsitError")


class WhatsitError(Exception):
    """Base of every error that whatsit raises on purpose."""

    code = "error"
    exit_status = 1

    def __init__(self, message: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.hint = hint

    def about(self: Error, what: str) -> Error:
        """The same error, with `what` it is about before its message."""
        return type(self)(f"{what}: {self.message}", expected=self.expected, hint=self.hint)

    def to_json(self) -> dict[str, str]:
        """The `error` object of the JSON contract: code, message, hint."""
        message = f"{self.message}; expected {self.expected}" if self.expected else self.message
        return {"code": self.code, "message": message, "hint": self.hint}


class UsageError(WhatsitError, ValueError):
    """An argument that cannot work, whatever the picture."""

    code = "wrong-usage"
    exit_status = 2


class InputError(WhatsitError):
    """One picture failed; the others are not affected."""

    code = "input-failed"


class ImageNotFound(InputError):
    """There is no file of this name, or no picture in this folder."""

    code = "image-not-found"


class ImageUnreadable(InputError):
    """Empty, cut short, damaged, not allowed to be read, or no picture at all."""

    code = "image-unreadable"


class ImageTooLarge(InputError):
    """More pixels or bytes than whatsit is willing to decode."""

    code = "image-too-large"


class ImageUnsupported(InputError):
    """A picture of a kind that this install cannot decode, or no picture by its type."""

    code = "image-unsupported"


class ModelError(WhatsitError):
    """Nothing can be classified with this model."""

    code = "model-failed"


class ModelNotFound(ModelError):
    """There is no model file at this path."""

    code = "model-not-found"


class ModelDamaged(ModelError):
    """Cut short, altered, failing in the runtime, or no model at all."""

    code = "model-damaged"


class ModelUnsupported(ModelError):
    """A valid model, but not an image classifier that whatsit can run."""

    code = "model-unsupported"


class ModelWithoutMetadata(ModelError):
    """A .tflite without TFLite Metadata: nobody can know its labels and preprocessing."""

    code = "model-without-metadata"


class RuntimeUnavailable(WhatsitError):
    """The inference engine is not installed."""

    code = "runtime-unavailable"


class BelowFloor(WhatsitError):
    """A model that was made is worse than it may be, and was not written."""

    code = "below-floor"


class DatasetError(WhatsitError):
    """No labelled pictures here, or labels that the model does not have."""

    code = "dataset-unusable"


class DownloadFailed(WhatsitError):
    """A download was refused or cut off, is too large, or is not the file that was asked for."""

    code = "download-failed"


class SourceUnavailable(WhatsitError):
    """A camera, stream or video that is missing, busy, forbidden, refused or gone."""

    code = "source-unavailable"


class VideoUnreadable(WhatsitError):
    """No picture in it, damaged, or of a kind that this install cannot decode."""

    code = "video-unreadable"


class AppMissing(WhatsitError):
    """The web app is not whole: `make web` has not been run in this copy of whatsit."""

    code = "app-missing"


class ExtraMissing(WhatsitError):
    """An optional part of whatsit is not installed; the hint names the command that does it."""

    code = "extra-missing"
