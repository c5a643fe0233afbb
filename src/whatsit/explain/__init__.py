"""Why a picture was taken for a class: which part of it speaks for that, and which against.

    why = whatsit.explain(None, "cat.jpg")
    print(why.target.label, why.peak)
    why.overlay().save("why.png")

The class activation map of a network that ends in a global mean and one layer is exact: its mean is
the logit of the class. No gradient is taken and nothing is estimated.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .explainer import ClassKey, Explainer

if TYPE_CHECKING:
    from ..bundle import Bundle
    from ..images import ImageSource
    from ..preprocess import Preprocess, Region
    from .values import Explanation


def explain(
    model: Bundle | str | os.PathLike[str] | None,
    picture: ImageSource,
    *,
    target: ClassKey | None = None,
    versus: ClassKey | None = None,
    preprocess: Preprocess | str | None = None,
    region: Region | None = None,
    rotation: int = 0,
    runtime: str | None = None,
) -> Explanation:
    """Why a model takes a picture for `target`, and not for `versus`.

    `model` is a bundle, or what `load` takes. For several pictures, an Explainer opens the model
    once; it says what the other arguments are and what is raised.
    """
    with Explainer(model, preprocess=preprocess, runtime=runtime) as explainer:
        return explainer.explain(
            picture, target=target, versus=versus, region=region, rotation=rotation
        )
