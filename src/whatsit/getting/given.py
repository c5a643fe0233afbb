"""What a person says about a model that is to be imported."""

from __future__ import annotations

import hashlib
import math
import os
import re
from dataclasses import dataclass
from typing import Any

from .. import zoo
from ..errors import UsageError
from ..preprocess import Preprocess
from ..wording import utf8
from ..zoo import imported
from ..zoo.published import Hosted

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of `get` that say what the model is to be; None where nothing was said."""

    name: str | None = None
    member: str | None = None
    labels: str | os.PathLike[str] | None = None
    mean: float | None = None
    std: float | None = None
    preprocess: str | None = None
    license: str = ""
    sha256: str | None = None

    def check(self, row: Hosted | None) -> None:
        """Raises UsageError for all that can be found wrong before anything is fetched."""
        mean, std = self.mean, self.std
        if (mean is None) != (std is None):
            raise UsageError("only one of mean and std", expected="both, or neither")
        if (
            mean is not None
            and std is not None
            and not (math.isfinite(mean) and 0 < std < math.inf)
        ):
            raise UsageError(f"a mean of {mean:g} and a std of {std:g}", expected="the std above 0")
        if self.preprocess is not None:
            Preprocess.parse(self.preprocess)
        if not self.license.isprintable():  # so that the bytes of a shell are text, too
            raise UsageError(
                f"{self.license!r} is no name of a license", expected="one line of text"
            )
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise UsageError(f"{self.sha256!r} is no sha256", expected="64 hexadecimal digits")
        if row is not None and row.kind == "float" and row.mean is None and mean is None:
            raise UsageError(
                f"nobody has published which mean and std the model {row.name!r} takes",
                expected="--mean and --std, of pixels from 0 to 255",
                hint="its authors' page may say it; known pictures will show whether it works",
            )

    def for_receipt(self, labels: bytes | None) -> dict[str, Any]:
        """What shapes the model, by which the same command is known; `labels` is their content."""
        said = {
            "member": self.member and utf8(self.member),
            "labels": self.labels if labels is None else hashlib.sha256(labels).hexdigest(),
            "mean": self.mean,
            "std": self.std,
            "preprocess": self.preprocess and str(Preprocess.parse(self.preprocess)),
            "license": self.license,
        }
        return {key: value for key, value in said.items() if value not in (None, "")}


def check_name(name: str) -> None:
    """Raises UsageError for a name that an imported model cannot have."""
    imported.check_name(name)
    imported.check_case(name)
    if name.casefold() in zoo.catalogue():
        raise UsageError(
            f"{name!r} is the name of a built-in model",
            expected="a name that is free",
            hint="--name gives the imported one another name",
        )
