"""Labels that do not overlap, and SVG that belongs to its page."""

from __future__ import annotations

import itertools
import random
import re
from xml.etree import ElementTree

import pytest
from make_reports import candidate, choose_among, some_choice

from whatsit.choice import Limits
from whatsit.report import scatter, spots, svg
from whatsit.report.spots import Box, Point, find

FRAME = Box(0, 0, 800, 400)


@pytest.mark.parametrize("seed", range(20))
def test_labels_keep_off_each_other_and_off_the_points(seed: int) -> None:
    chance = random.Random(seed)
    points = [
        Point(
            chance.uniform(60, 740),
            chance.uniform(40, 360),
            chance.uniform(3, 20),
            width=110,
            height=16,
        )
        for _ in range(10)
    ]
    found = find(points, FRAME, [])
    assert not any(spot.crowded for spot in found)
    for one, other in itertools.combinations(found, 2):
        assert one.box.overlap(other.box) < 1
    for spot, point in itertools.product(found, points):
        assert spot.box.overlap(point.box) < 1
    for spot in found:
        assert spot.box.area - spot.box.overlap(FRAME) < 1


def test_a_label_that_finds_no_place_says_so() -> None:
    crowd = [Point(400, 200, 30, width=700, height=100) for _ in range(6)]
    assert any(spot.crowded for spot in find(crowd, FRAME, []))


def test_a_label_near_another_point_has_a_line_to_its_own() -> None:
    points = [Point(400, 200, 10, width=150, height=16), Point(425, 200, 10, width=150, height=16)]
    first, second = find(points, FRAME, [])
    assert (first.box.left + first.box.right) / 2 < 400 or first.far
    assert (second.box.left + second.box.right) / 2 > 425 or second.far


def test_labels_keep_off_the_words_of_a_limit() -> None:
    words = Box(405, 180, 600, 230)
    (spot,) = find([Point(400, 200, 10, width=100, height=16)], FRAME, [], [words])
    assert spot.box.overlap(words) == 0


def test_many_models_close_together_have_numbers() -> None:
    chance = random.Random(3)
    close = [
        candidate(f"efficientnet-{i}-float16", 4 + 1.5 * chance.random(), 9, 530 + 2 * i)
        for i in range(10)
    ]
    drawn = str(scatter.plot(choose_among(close, Limits(max_latency_ms=5, min_top1=0.82))))
    words = re.findall(r"<text[^>]*>([^<]*)</text>", drawn.split("<desc", 1)[-1])
    assert not any("efficientnet" in text for text in words)
    assert {str(number) for number in range(1, 11)} <= {text.strip() for text in words}


def test_labels_avoid_lines_where_they_can() -> None:
    line = Box(400, 199, 800, 201)
    (spot,) = find([Point(400, 200, 10, width=100, height=16)], FRAME, [line])
    assert spot.box.overlap(line) == 0


def parts(html: str) -> list[ElementTree.Element]:
    """The drawings of a plot, read as XML."""
    return [ElementTree.fromstring(part) for part in re.findall(r"<svg.*?</svg>", html)]


def words(drawing: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in drawing.iter("text")]


def test_text_stays_text_and_needs_no_font() -> None:
    def paint(figure: object, narrow: bool) -> None:
        axes = svg.place(figure, 10, 10, 10, 10)  # type: ignore[arg-type]
        axes.set_axis_off()
        axes.text(0.5, 0.5, 'a $b$ <i> #010101 id="x" & 猫', color=svg.BAD)

    html = str(svg.plot("name", 'says "this" & <that>', paint, heights=(100, 80)))
    wide, narrow = parts(html)
    assert 'a $b$ <i> #010101 id="x" & 猫' in words(wide)
    assert wide.get("aria-label") == narrow.get("aria-label") == 'says "this" & <that>'
    assert "font-family" not in html
    assert "var(--bad)" in html


def test_the_ids_of_a_plot_are_its_own_and_used() -> None:
    html = str(scatter.plot(some_choice()))
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r'(?:href="|url\()#([\w-]+)', html)) <= set(ids)
    assert all(name.startswith(("front-wide-", "front-narrow-")) for name in ids)


def test_the_scatter_names_every_model_once() -> None:
    choice = some_choice()
    wide, _ = parts(str(scatter.plot(choice)))
    for c in choice.candidates:
        assert words(wide).count(c.name) == 1
    assert "at most 6 ms" in words(wide)
    alt = wide.get("aria-label") or ""
    assert "mobilenet-v2-int8: 79.7\xa0%, 3.90 ms, 4.1\xa0MB." in alt
    assert f"Recommended: {choice.recommended}." in alt


def test_where_names_do_not_fit_the_numbers_of_the_table_stand() -> None:
    crowd = [candidate(f"model-{'x' * 20}-{i}", 3 + i / 100, 5, 500 + i) for i in range(12)]
    choice = choose_among(crowd, Limits())
    _, narrow = parts(str(scatter.plot(choice)))
    assert set("123456789") <= set(words(narrow))
    assert not any(word.startswith("model-") for word in words(narrow))


@pytest.mark.parametrize(
    ("limits", "seen"),
    [
        (Limits(max_latency_ms=6), {"at most 6 ms"}),
        (Limits(min_top1=0.8), {"at least 80 %"}),
        (Limits(max_latency_ms=1000, min_top1=0.01), set()),  # far off what was measured
        (Limits(), set()),
    ],
)
def test_limits_are_drawn_where_they_are_near(limits: Limits, seen: set[str]) -> None:
    for drawing in parts(str(scatter.plot(some_choice(limits)))):
        assert {word for word in words(drawing) if word.startswith("at ")} == seen


def test_the_largest_circle_has_the_area_of_the_largest_file() -> None:
    """Of two files, one four times as large: a radius twice as long."""
    two = choose_among([candidate("a", 3, 2, 400), candidate("b", 5, 8, 500)], Limits())
    wide, _ = parts(str(scatter.plot(two)))
    tops = [
        float((path.get("d") or "").split()[2])
        for definition in wide.iter("defs")
        for path in definition.iter("path")
    ]
    large = sorted({top for top in tops if top > 3})
    assert large[1] / large[0] == pytest.approx(2, rel=0.01)


def test_the_words_of_a_limit_stand_where_no_circle_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def watched(
        points: list[Point], bounds: Box, bars: list[Box], blocked: list[Box]
    ) -> list[spots.Spot]:
        asked.append((points, blocked))
        return find(points, bounds, bars, blocked)

    monkeypatch.setattr(spots, "find", watched)
    scatter.plot(some_choice(Limits(max_latency_ms=6, min_top1=0.84)))
    assert asked
    for points, blocked in asked:
        (words,) = blocked
        assert not any(words.overlap(point.box) for point in points)
