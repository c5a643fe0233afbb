"""The words above the rows of a moving picture: tests/js.py runs the app's own modules in Node."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from js import Js

STEADY, VERDICT = "app/steady.js", "app/verdict.js"
LABELS = ["cat", "dog", "cup"]


def result(scores: np.ndarray[Any, Any], labels: list[str], verdict: str = "sure") -> Any:
    best = int(scores.argmax())
    prediction = {"index": best, "label": labels[best], "score": float(scores[best])}
    common = {"path": None, "model": "m", "broader": None, "probably": None, "timings_ms": {}}
    chosen = [labels[best]] if verdict == "sure" else labels
    return {**common, "verdict": verdict, "set": chosen, "predictions": [prediction]}


def test_the_words_never_name_another_class_than_the_row_on_top(js: Js) -> None:
    chance = random.Random(3)
    for time_s in (0, 0.25, 1):
        how = {"labels": LABELS, "time_s": time_s, "threshold": 0.05, "most": 3}
        steady, now_ms, disagreed = js.new(STEADY, "Steady", how), 0.0, 0
        for _ in range(60):
            now_ms += chance.choice([10, 33, 200])
            scores = np.array([chance.random() ** 3 for _ in LABELS], np.float32)
            scores /= scores.sum()
            told = js(VERDICT, "said", result(scores, LABELS))
            step = steady.call("step", now_ms, scores, told)
            top = step["rows"][0]["label"]
            disagreed += top != told["names"][0]
            if step["said"]["kind"] == "sure":
                assert step["said"]["headline"].lower() == top
            else:
                assert step["said"]["headline"] == "Hard to say"
        assert disagreed or not time_s  # else the frames would have proved nothing


def test_a_clock_that_stands_is_no_error(js: Js) -> None:
    how = {"labels": LABELS, "time_s": 0.5, "threshold": 0.2, "most": 3}
    steady = js.new(STEADY, "Steady", how)
    scores = np.array([0.7, 0.2, 0.1], np.float32)
    told = js(VERDICT, "said", result(scores, LABELS))
    for now_ms in (100.0, 100.0, 100.0):
        assert steady.call("step", now_ms, scores, told)["rows"][0]["label"] == "cat"


def test_labels_of_any_kind_and_models_of_few_classes(js: Js) -> None:
    odd = ["", "🐈\u200d⬛ cat", "قطة", "x" * 500, "iPod"]
    for label in odd:
        scores = np.array([1.0], np.float32)
        told = js(VERDICT, "said", result(scores, [label]))
        assert told["headline"].lower() == label.lower()
        how = {"labels": [label], "time_s": 0.5, "threshold": 0.2, "most": 10}
        step = js.new(STEADY, "Steady", how).call("step", 1.0, scores, told)
        assert [row["label"] for row in step["rows"]] == [label]
        assert step["said"]["headline"] == told["headline"]


def test_an_uncalibrated_model_says_so(js: Js) -> None:
    scores = np.array([0.5, 0.5, 0], np.float32)
    close = {**result(scores, LABELS, "ambiguous"), "set": None}
    close["predictions"] = [{"index": n, "label": LABELS[n], "score": 0.5} for n in (0, 1)]
    told = js(VERDICT, "said", close)
    assert told["headline"] == "Cat or dog"
    assert "not calibrated" in told["detail"]
