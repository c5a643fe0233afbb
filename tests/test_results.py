from __future__ import annotations

import json

import numpy as np
import pytest

from whatsit import Ancestor, ImageNotFound, Prediction, Result, Verdict
from whatsit.results import SURE_MARGIN, top_k, verdict


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("values", "k", "expected"),
    [
        ((0.1, 0.7, 0.2), 1, [1]),
        ((0.1, 0.7, 0.2), 2, [1, 2]),
        ((0.1, 0.7, 0.2), 3, [1, 2, 0]),
        ((0.1, 0.7, 0.2), 9, [1, 2, 0]),
        ((0.2, 0.3, 0.2, 0.2), 2, [1, 0]),  # ties by rising index
        ((0.2, 0.3, 0.2, 0.2), 3, [1, 0, 2]),
        ((0.5,), 1, [0]),
    ],
)
def test_top_k(values: tuple[float, ...], k: int, expected: list[int]) -> None:
    assert top_k(scores(*values), k) == expected


def test_top_k_agrees_with_a_full_sort() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        values = generator.integers(0, 20, 200).astype(np.float32)  # many ties
        k = int(generator.integers(1, 200))
        expected = sorted(range(200), key=lambda i: (-values[i], i))[:k]
        assert top_k(values, k) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.6, 0.4 - 1e-3), Verdict.SURE),
        ((0.5, 0.5), Verdict.AMBIGUOUS),
        ((0.4, 0.3, 0.3), Verdict.AMBIGUOUS),
        ((1.0,), Verdict.SURE),
        ((SURE_MARGIN / 2,), Verdict.AMBIGUOUS),
    ],
)
def test_verdict(values: tuple[float, ...], expected: Verdict) -> None:
    assert verdict(scores(*values)) is expected


def test_json_of_an_answer_has_the_keys_of_the_contract_in_order() -> None:
    result = Result(
        "cat.jpg",
        "some-model",
        Verdict.SURE,
        (Prediction(281, "tabby", 0.83456789, "n02123045"),),
        {"decode": 3.14159, "preprocess": 0.6, "inference": 2.0},
    )
    assert json.dumps(result.to_json()) == (
        '{"path": "cat.jpg", "model": "some-model", "verdict": "sure", '
        '"set": null, "broader": null, "probably": null, '
        '"predictions": [{"index": 281, "label": "tabby", "score": 0.834568}], '
        '"timings_ms": {"decode": 3.14, "preprocess": 0.6, "inference": 2.0}}'
    )


def test_json_of_an_ambiguous_answer() -> None:
    cat = Ancestor("n02121808", "domestic cat", 0.98765432)
    result = Result("cat.jpg", "m", Verdict.AMBIGUOUS, label_set=("tabby", "lynx"), broader=cat)
    found = result.to_json()
    assert found["set"] == ["tabby", "lynx"]
    assert found["broader"] == {"id": "n02121808", "label": "domestic cat", "score": 0.987654}
    assert found["probably"] is None


def test_json_of_a_failure() -> None:
    error = ImageNotFound("no file 'a'", expected="one", hint="look again")
    assert json.dumps(Result("a", "some-model", error=error).to_json()) == (
        '{"path": "a", "error": {"code": "image-not-found", '
        '"message": "no file \'a\'; expected one", "hint": "look again"}}'
    )


def test_timings_do_not_make_answers_different() -> None:
    assert Result("a", "m", timings_ms={"decode": 1.0}) == Result("a", "m")


def test_results_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Result("a", "m").model = "other"  # type: ignore[misc]
