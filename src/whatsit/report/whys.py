"""Why pictures were mistaken: the map of the given class against the true one, for a few."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from PIL import Image

    from ..evaluation import Answer, Evaluation
    from ..explain.explainer import Explainer

_MOST = 8
_SIDE = 480  # pixels of the longer side
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture as a data URI."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Why:
    """A mistake under its map."""

    path: str
    truth: str
    answer: str
    picture: Figure


def whys(evaluation: Evaluation, explainer: Explainer | None) -> list[Why]:
    """The surest mistakes whose files can still be read; none without an explainer."""
    if explainer is None:
        return []
    found = (_why(evaluation, answer, explainer) for answer in evaluation.mistakes()[:_MOST])
    return [why for why in found if why is not None]


def figure(image: Image.Image) -> Figure:
    """The image as it stands in a page."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, subsampling=0, comment="")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return Figure(f"data:image/jpeg;base64,{data}", image.width, image.height)


def _why(evaluation: Evaluation, answer: Answer, explainer: Explainer) -> Why | None:
    names, given = evaluation.labels.names, answer.ranked[0][0]
    path = os.path.join(evaluation.root, answer.path)
    try:
        explanation = explainer.explain(path, target=given, versus=answer.truth)
    except InputError:  # the gallery shows that it is gone
        return None
    image = explanation.overlay("difference")
    image.thumbnail((_SIDE, 2 * _SIDE))
    return Why(answer.path, names[answer.truth], names[given], figure(image))
