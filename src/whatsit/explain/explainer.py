"""The explainer: a model, opened, that says which part of a picture speaks for a class."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .. import images, inputs
from .. import preprocess as preprocessing
from .._taps import tapped
from ..bundle import Bundle
from ..classifier import default_runtime, default_threads, open_bundle
from ..errors import UsageError
from ..graph import find_feature_map
from ..preprocess import Preprocess, Region
from ..results import top_k
from ..runtimes import AUTO, Graph, open_runtime
from ..runtimes.base import Runtime
from ..runtimes.pool import Pool
from ..trust import tempered, trust_of
from .values import ClassMap, Explanation, Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from ..engines import Pick
    from ..images import ImageSource
    from .faithfulness import Faithfulness

ClassKey: TypeAlias = "int | str"

LONGEST_SIDE = 1280  # of the picture that an explanation keeps: enough for a screen


class Explainer:
    """Says why a picture is taken for a class. Safe to use from several threads; a context manager.

    `model` is a bundle, or what `load` takes. The other arguments are those of Classifier; `pick`
    says why `auto` chose its engine. Raises ModelUnsupported for a model whose last layer does not
    read the mean of a feature map: of no other can the maps be exact.
    """

    def __init__(
        self,
        model: Bundle | str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
        preprocess: Preprocess | str | None = None,
        runtime: str | None = None,
    ) -> None:
        self.bundle = model if isinstance(model, Bundle) else open_bundle(model)
        if isinstance(preprocess, str):
            preprocess = Preprocess.parse(preprocess)
        self.preprocess = preprocess or self.bundle.preprocess
        self._threads = default_threads() if threads is None else threads
        trust = trust_of(self.bundle)
        self._temperature = 1.0 if trust is None else trust.temperature
        self._map = find_feature_map(self.bundle)
        data = tapped(self.bundle.data, self._map.tensor)
        self._program = Graph(self.bundle.name, data, self.bundle.output, self._map.spec)
        self.pick = self._picked() if runtime == AUTO else None
        if self.pick is not None:
            runtime = self.pick.runtime
        self.runtime = runtime or default_runtime(self.bundle)
        self._engines: Pool[Runtime] = Pool(self._opened)
        with self._engines.lent(self._threads):  # refused here, before the first picture
            pass

    def explain(
        self,
        source: ImageSource,
        *,
        target: ClassKey | None = None,
        versus: ClassKey | None = None,
        region: Region | None = None,
        rotation: int = 0,
    ) -> Explanation:
        """Why the picture is taken for `target` (default: the likeliest class), and not `versus`.

        `versus` is by default the likeliest of the other classes. Both are an index, a display name
        or a WordNet id. `source`, `region` and `rotation` are those of Classifier.classify. Raises
        an InputError for a bad picture, UsageError for a bad argument.
        """
        preprocessing.check_region(region)
        preprocessing.check_rotation(rotation)
        wanted, other = self._class(target), self._class(versus)
        if wanted is not None and wanted == other:
            raise UsageError(
                f"the class {self.bundle.labels.names[wanted]!r} against itself",
                expected="two classes",
            )
        looked = _look(source, self.bundle, self.preprocess, region, rotation)
        with self._engines.lent(self._threads) as engine:
            own, maps = engine.both(looked.batch)
        scores = tempered(own[0], self._temperature)  # (1, C) → (C,)
        cells = self._cells(maps)
        first, second = _pair(scores, wanted, other)
        height_width = (self.bundle.input.height, self.bundle.input.width)
        return Explanation(
            os.fspath(source) if isinstance(source, (str, os.PathLike)) else None,
            self.bundle.name,
            self._class_map(first, scores, cells),
            None if second is None else self._class_map(second, scores, cells),
            preprocessing.place(
                self.preprocess, looked.size, height_width, region=region, rotation=rotation
            ),
            self._temperature,
            looked.picture,
            looked.pixels,
        )

    def faithfulness(
        self, explanation: Explanation, *, orders: int = 20, seed: int = 0
    ) -> Faithfulness:
        """How much sooner the score falls, and rises, by the map than in `orders` random orders.

        faithfulness.measured says how. The explanation must be one of this explainer.
        """
        from .faithfulness import measured

        def score(batch: NDArray[np.uint8]) -> float:
            with self._engines.lent(self._threads) as engine:
                own = engine.run(inputs.tensor(self.bundle.input, batch))[0]  # (1, C) → (C,)
            return float(tempered(own, self._temperature)[explanation.target.index])

        return measured(explanation, score, orders=orders, seed=seed)

    def close(self) -> None:
        """Releases the inference engines. The explainer cannot be used after it."""
        self._engines.close()

    def __enter__(self) -> Explainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _picked(self) -> Pick:
        from .. import engines  # here, since only `auto` needs it

        return engines.pick(self.bundle, threads=self._threads)

    def _opened(self, threads: int) -> Runtime:
        return open_runtime(self._program, self.runtime, threads=threads)

    def _cells(self, maps: Floats) -> Floats:
        """The feature map (h, w, D) of what an engine gives, (1, h·w·D)."""
        return maps.reshape(self._map.height, self._map.width, self._map.depth)

    def _class(self, key: ClassKey | None) -> int | None:
        """The one class that `key` names."""
        if key is None:
            return None
        found = self.bundle.labels.find(key)
        if len(found) > 1:
            names = ", ".join(self.bundle.labels.names[index] for index in found[:3])
            raise UsageError(
                f"{key!r} names {len(found)} classes: {names} …",
                expected="one class",
                hint="an index, or a display name",
            )
        return found[0]

    def _class_map(self, index: int, scores: Floats, cells: Floats) -> ClassMap:
        layer = self._map.layer
        values: Floats = cells @ layer.weights[index]  # (h, w, D) · (D,) → (h, w)
        bias = float(layer.bias[index])
        return ClassMap(
            index,
            self.bundle.labels.names[index],
            float(scores[index]),
            float(values.mean(dtype=np.float64)) + bias,
            bias,
            values,
        )


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the model is given of a picture, the picture for people, and the size (h, w) it has."""

    batch: NDArray[np.generic]
    pixels: NDArray[np.uint8]
    picture: Image.Image
    size: tuple[int, int]


def _look(
    source: ImageSource, bundle: Bundle, rule: Preprocess, region: Region | None, rotation: int
) -> _Looked:
    """Decodes as the classifier does, and once more where that leaves too little for people."""
    source = images.kept(source)
    seen: list[Image.Image] = []
    taken = inputs.read(source, bundle, rule, region=region, rotation=rotation, show=seen.append)
    image = seen[0]
    if not images.is_whole(image):
        image = images.open_image(source, shrink=_shrink)
    left, top, right, bottom = images.covered(image)
    size = (round(bottom - top), round(right - left))
    picture = image.convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return _Looked(taken.batch, taken.pixels, picture, size)


def _shrink(height: int, width: int) -> float:
    return max(height, width) / LONGEST_SIDE


def _pair(scores: Floats, target: int | None, versus: int | None) -> tuple[int, int | None]:
    """The class to explain and the one to compare it with: the likeliest, where not said."""
    best = top_k(scores, 3)  # one of them may be taken by each side
    first = target if target is not None else next(index for index in best if index != versus)
    second = versus if versus is not None else next((i for i in best if i != first), None)
    return first, second
