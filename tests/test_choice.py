"""The decision among measured candidates: pure, so numbers made up here try every rule."""

from __future__ import annotations

import itertools

import pytest

from whatsit import Labels, UsageError
from whatsit.choice import Candidate, Choice, Limits, decide
from whatsit.evaluation import Answer, Evaluation
from whatsit.measures import Rate, Spread

TIMES = {"decode": 1.0, "preprocess": 1.0, "inference": 1.0}


def latency(median: float, p95: float | None = None) -> Spread:
    return Spread(median, median * 0.95, median * 1.05, p95 or median * 1.2, 100)


def candidate(
    name: str,
    ms: float,
    megabytes: float,
    hits: int | None,
    of: int = 1000,
    p95: float | None = None,
) -> Candidate:
    top1 = None if hits is None else Rate(hits, of)
    return Candidate(name, round(megabytes * 1e6), latency(ms, p95), top1, "made up")


def evaluated(name: str, ms: float, right: set[int], of: int) -> Candidate:
    """A candidate that has the pictures of these numbers right."""
    answers = tuple(
        Answer(f"{i}.jpg", 0, (((0 if i in right else 1), 0.9), (2, 0.1)), TIMES) for i in range(of)
    )
    evaluation = Evaluation(
        model=name,
        model_sha256=name,
        model_bytes=1,
        runtime="fake",
        preprocess="stretch",
        dataset="made up",
        fingerprint="",
        labels=Labels(("a", "b", "c")),
        answers=answers,
        failures=(),
        notes=(),
        machine={},
        wall_s=None,
        workers=1,
        threads=1,
    )
    return Candidate(name, 1_000_000, latency(ms), Rate(len(right), of), "here", evaluation)


def choice(*candidates: Candidate, **limits: float) -> Choice:
    return decide(candidates, Limits(**limits), dataset=None, pictures=0, timing="", machine={})


def test_the_most_accurate_is_recommended() -> None:
    made = choice(candidate("quick", 2, 4, 700), candidate("good", 5, 5, 800))
    assert made.recommended == "good"
    assert [c.name for c in made.candidates] == ["quick", "good"]  # by latency
    assert made.reasons[0] == "good: Top-1 80.0 % (77.4 % to 82.4 %), 5.00 ms a picture, 5.0 MB"


def test_a_point_of_accuracy_is_not_worth_a_slower_model() -> None:
    made = choice(candidate("quick", 2, 4, 795), candidate("good", 5, 5, 800))
    assert made.recommended == "quick"
    assert made.tied == ("good",)
    assert "good is right 0.5 points more often, but takes 2.5 × the time" in made.reasons[1]


def test_more_than_a_point_is() -> None:
    assert choice(candidate("quick", 2, 4, 789), candidate("good", 5, 5, 800)).recommended == "good"


def test_a_tie_is_said_in_words() -> None:
    made = choice(candidate("quick", 2, 4, 780), candidate("good", 5, 5, 800))
    assert made.tied == ("quick",)
    assert made.reasons[1] == (
        "good and quick cannot be told apart: "
        "their recorded intervals overlap: only --data can tell"
    )


def test_pairs_of_answers_tell_apart_what_intervals_cannot() -> None:
    # 80 and 70 of 200: the intervals overlap, but what the one has right the other has too.
    good, bad = evaluated("good", 5, set(range(80)), 200), evaluated("bad", 2, set(range(70)), 200)
    made = choice(good, bad)
    assert (made.recommended, made.tied) == ("good", ())


def test_pairs_of_answers_that_differ_by_chance_are_tied() -> None:
    good = evaluated("good", 5, set(range(12)), 30)
    bad = evaluated("bad", 2, set(range(4, 12)), 30)
    made = choice(good, bad)
    assert (made.recommended, made.tied) == ("good", ("bad",))
    assert made.reasons[1] == (
        "good and bad cannot be told apart: "
        "of 30 pictures only the one has 4 right, only the other 0 (p = 0.12)"
    )


def test_what_is_as_fast_but_for_noise_goes_by_accuracy() -> None:
    made = choice(candidate("a", 5.0, 5, 795), candidate("b", 5.4, 5, 800))
    assert made.recommended == "b"


def test_the_front_holds_what_no_other_beats() -> None:
    made = choice(
        candidate("small", 6, 3, 700),
        candidate("quick", 2, 5, 700),
        candidate("good", 8, 8, 900),
        candidate("beaten", 7, 6, 690),
        candidate("beaten-by-one", 8, 8, 890),
    )
    assert {c.name for c in made.candidates if c.on_front} == {"small", "quick", "good"}


def test_equals_are_both_on_the_front() -> None:
    made = choice(candidate("a", 2, 3, 700), candidate("b", 2, 3, 700))
    assert all(c.on_front for c in made.candidates)
    assert made.recommended == "a"


def test_the_recommended_one_is_always_on_the_front_and_fits() -> None:
    numbers = itertools.product((2, 3, 5), (3, 4, 6), (700, 705, 800))
    everyone = [candidate(f"m{i}", *row) for i, row in enumerate(numbers)]
    for size in (3, 4, 6):
        for three in itertools.combinations(everyone[::size], 3):
            made = choice(*three, max_latency_ms=4, max_size_bytes=5_000_000)
            if made.recommended:
                (chosen,) = (c for c in made.candidates if c.name == made.recommended)
                assert chosen.on_front
                assert chosen.shortfalls == ()
            else:
                assert all(c.shortfalls for c in made.candidates)


def test_the_order_of_the_candidates_does_not_matter() -> None:
    models = [candidate("a", 2, 4, 795), candidate("b", 5, 5, 800), candidate("c", 5.2, 4.9, 801)]
    assert len({choice(*order).recommended for order in itertools.permutations(models)}) == 1


def test_limits_are_kept() -> None:
    models = candidate("quick", 2, 4, 700), candidate("good", 5, 5, 800)
    made = choice(*models, max_latency_ms=4)
    assert made.recommended == "quick"
    assert made.reasons[1] == (
        "good is right 10.0 points more often, but does not fit: 5.00 ms a picture, over 4.00 ms"
    )
    assert choice(*models, max_size_bytes=4_500_000).recommended == "quick"
    assert choice(*models, min_top1=0.75).recommended == "good"


def test_where_nothing_fits_the_limit_to_relax_is_named() -> None:
    models = candidate("quick", 2, 4, 700), candidate("good", 5, 5, 800)
    made = choice(*models, max_latency_ms=4, min_top1=0.75)
    assert made.recommended is None
    assert made.reasons == ("no model keeps the limits",)
    assert made.relax == (
        "--max-latency 5ms would let in good",
        "--min-top1 70 would let in quick",
    )


def test_where_one_limit_is_not_enough_all_are_named() -> None:
    made = choice(candidate("good", 5.03, 5, 800), max_latency_ms=4, max_size_bytes=1_000_000)
    assert made.relax == (
        "no single limit: good has 5.03 ms a picture, over 4.00 ms; 5.0 MB, over 1.0 MB",
    )


def test_the_limit_named_lets_the_model_in() -> None:
    models = [candidate("good", 5.03, 5.04, 803, 999)]
    for limit, value in (("max_latency_ms", 1.0), ("max_size_bytes", 100.0), ("min_top1", 0.9)):
        (said,) = choice(*models, **{limit: value}).relax
        number = float(said.split()[1].rstrip("msMB"))
        scale = {"max_latency_ms": 1, "max_size_bytes": 1e6, "min_top1": 0.01}[limit]
        assert choice(*models, **{limit: number * scale}).recommended == "good"


def test_a_model_of_unknown_accuracy_is_not_recommended() -> None:
    made = choice(candidate("foreign", 1, 1, None), candidate("known", 5, 5, 800))
    assert made.recommended == "known"
    alone = choice(candidate("foreign", 1, 1, None))
    assert alone.recommended is None
    assert alone.reasons == ("of foreign no Top-1 is known: measure it with --data",)
    assert not alone.candidates[0].on_front


def test_a_model_of_unknown_accuracy_takes_no_other_off_the_front() -> None:
    made = choice(candidate("foreign", 1, 1, None), candidate("known", 5, 5, 0))
    assert [c.on_front for c in made.candidates] == [False, True]


def test_doubts_are_said() -> None:
    made = choice(candidate("a", 4, 5, 80, of=100, p95=9.0), max_latency_ms=5, min_top1=0.75)
    assert made.recommended == "a"
    assert made.reasons[1:] == (
        "one picture in twenty takes longer than 9.00 ms",
        "its true Top-1 may be as low as 71.1 %: more pictures would tell",
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"max_latency_ms": 0.0},
        {"max_latency_ms": float("nan")},
        {"max_size_bytes": -1},
        {"min_top1": 70.0},
        {"min_top1": -0.1},
    ],
)
def test_limits_that_cannot_be_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"^a (limit|Top-1) of"):
        Limits(**limits)


def test_json_has_all_that_is_printed() -> None:
    made = choice(candidate("quick", 2, 4, 700), candidate("good", 5, 5, 800), max_latency_ms=4)
    value = made.to_json()
    assert value["recommended"] == "quick"
    assert value["limits"] == {"max_latency_ms": 4, "max_size_bytes": None, "min_top1": None}
    assert [row["model"] for row in value["candidates"]] == ["quick", "good"]
    assert value["candidates"][1]["shortfalls"] == ["5.00 ms a picture, over 4.00 ms"]
