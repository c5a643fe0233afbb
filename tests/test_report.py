"""Reports: whole, harmless pages whose tables carry the numbers of the result."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from make_evaluations import answer, evaluation
from make_reports import (
    Page,
    candidate,
    choose_among,
    measurement,
    some_addition,
    some_benchmark,
    some_choice,
    some_comparison,
    some_curve,
    some_diagnosis,
    some_evaluation,
    some_explanation,
    some_finetuning,
    some_training,
)
from PIL import Image

from whatsit import ExtraMissing, ModelError, UsageError, WhatsitError, report, wording, zoo
from whatsit.choice import LeftOut, Limits
from whatsit.compare import compare
from whatsit.evaluation import Failure
from whatsit.report import confusion, page, pictures, text

SOME: dict[str, Callable[[], str]] = {
    "evaluation": lambda: report.evaluation_page(some_evaluation()),
    "comparison": lambda: report.comparison_page(some_comparison()),
    "benchmark": lambda: report.benchmark_page(some_benchmark(warnings=["too noisy to believe"])),
    "choice": lambda: report.choice_page(some_choice()),
    "training": lambda: report.training_page(some_training(some_evaluation(), curve=some_curve())),
    "finetuning": lambda: report.training_page(some_finetuning()),
}
# Results with little or nothing in them.
FEW: dict[str, Callable[[], str]] = {
    "an explanation": lambda: report.explanation_page(*some_explanation()),
    "nothing found": lambda: report.diagnosis_page(replace(some_diagnosis(), findings=())),
    "much found": lambda: report.diagnosis_page(some_diagnosis(300)),
    "no answer": lambda: report.evaluation_page(some_evaluation(0)),
    "one answer": lambda: report.evaluation_page(some_evaluation(1)),
    "all right": lambda: report.evaluation_page(evaluation([answer("a", 0, 0)] * 3)),
    "all wrong": lambda: report.evaluation_page(evaluation([answer("a", 0, 1)] * 3)),
    "two classes": lambda: report.evaluation_page(some_evaluation(9, names=("yes", "no"))),
    "no flip": lambda: report.comparison_page(compare(some_evaluation(9), some_evaluation(9))),
    "one picture": lambda: report.comparison_page(
        compare(evaluation([answer("a", 0, 0)]), evaluation([answer("a", 0, 1)]))
    ),
    "nothing measured": lambda: report.benchmark_page(replace(some_benchmark(), measurements=())),
    "one setting": lambda: report.benchmark_page(some_benchmark(measurement("m", 0.01))),
    "few pictures": lambda: report.training_page(
        some_training(curve=some_curve(crossed=True, sure=False))
    ),
    "one class more": lambda: report.training_page(some_addition()),
    "nothing wrong": lambda: report.training_page(
        some_training(evaluation([answer("a", 0, 0)] * 3), flips=0)
    ),
    "no candidate": lambda: report.choice_page(choose_among([], Limits())),
    "one candidate": lambda: report.choice_page(choose_among([candidate("m", 3, 1, 1)], Limits())),
    "no accuracy": lambda: report.choice_page(choose_among([candidate("m", 3, 1, None)], Limits())),
    "nothing fits": lambda: report.choice_page(some_choice(Limits(0.1, 1000, 0.99))),
    "far apart": lambda: report.choice_page(some_choice(None, candidate("slow", 900, 90, 640))),
}
PAGES = SOME | FEW
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</style></title></svg>{{ 7 * 7 }}{% raw %}",
    "\u202egpj.exe\u2066",
    b"caf\xe9.jpg".decode("utf-8", "surrogateescape"),
    "long" * 75,
    "two\nlines\x00\x1b[31m",
    "שלום עולם",
    "$x^2$ \\frac 100 % #010101 url(#a)",
]


@pytest.fixture(scope="module", params=SOME)
def some(request: pytest.FixtureRequest) -> Page:
    return Page(SOME[request.param]())


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_well_formed_and_say_what_their_pictures_show(name: str) -> None:
    made = Page(PAGES[name]())
    assert made.wrong == []
    assert all(image["alt"] for image in made.all("img"))
    for drawing in made.all("svg"):
        assert drawing["role"] == "img"
        assert len(drawing["aria-label"] or "") > 20
    ids = [attributes["id"] for _, attributes in made.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in (a for _, a in made.tags if "aria-labelledby" in a):
        assert attributes["aria-labelledby"] in ids


@pytest.mark.parametrize("name", PAGES)
def test_pages_ask_nothing_of_a_network(name: str) -> None:
    html = PAGES[name]()
    made = Page(html)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert {"http-equiv": "Content-Security-Policy", "content": policy} in made.all("meta")
    assert not {"script", "iframe", "object", "base", "form"} & {tag for tag, _ in made.tags}
    assert all((image["src"] or "").startswith("data:image/jpeg;") for image in made.all("img"))
    assert [link["href"] for link in made.all("link")] == ["data:,"]
    assert re.findall(r"https?://|@import|url\((?!#)", html) == []


def test_pages_have_a_title_a_language_and_one_main_heading(some: Page) -> None:
    assert some.all("html") == [{"lang": "en"}]
    assert len(some.all("h1")) == len(some.all("title")) == 1
    assert any(meta.get("name") == "viewport" for meta in some.all("meta"))
    assert len(some.all("svg")) >= 2  # a wide and a narrow one of each plot


def test_wide_tables_scroll_by_keyboard_too(some: Page) -> None:
    boxes = [a for tag, a in some.tags if tag == "div" and a.get("class") == "scroll"]
    assert len(boxes) == len(some.tables)
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)


@pytest.mark.parametrize("name", SOME)
def test_the_same_result_gives_the_same_bytes(name: str) -> None:
    assert SOME[name]() == SOME[name]()


def test_plots_use_the_colours_of_the_page(some: Page) -> None:
    svg = some.html[some.html.index("<svg") :]
    assert set(re.findall(r"(?:fill|stroke): *([^;\"]+)", svg)) <= {
        "none",
        *(f"var(--{name})" for name in re.findall(r"--([\w-]+):", some.html)),
    }


def test_an_evaluation_carries_its_numbers() -> None:
    e = some_evaluation(60)
    made = Page(report.evaluation_page(e))
    for k in (1, 5):
        low, high = e.top(k).interval
        assert f"{100 * low:.1f} to {100 * high:.1f} %, {e.top(k).hits} of 60" in made.text
    bins = made.table("Score")
    assert [int(row[1]) for row in bins] == [b.count for b in e.calibration().bins]
    assert [row[3] for row in bins if row[1] != "0"] == [
        text.percent(b.accuracy.value).replace("\xa0", " ") for b in e.calibration().bins if b.count
    ]
    by_name = {c.name: c for c in e.per_class()}
    rows = made.table("Class", "Pictures")
    assert {row[0] for row in rows} == by_name.keys()
    for name, shown, right, *_ in rows:
        assert (int(shown), int(right)) == (by_name[name].pictures, by_name[name].correct)
    recalls = [by_name[row[0]].recall.value for row in rows]
    assert recalls == sorted(recalls)
    assert [row[:2] for row in made.table("File")] == [["gone.jpg", "no file"]]
    for stage, spread in e.speed().items():
        assert [stage, text.ms(spread.median)] in [row[:2] for row in made.table("Stage")]


def test_the_confusion_matrix_is_that_of_the_answers() -> None:
    e = some_evaluation(60)
    rows = Page(report.evaluation_page(e)).table("True class")
    names = [re.sub(r"^\d+ ", "", row[0]) for row in rows]
    assert set(names) == set(e.labels.names)
    index = {name: e.labels.names.index(name) for name in names}
    for name, row in zip(names, rows, strict=True):
        for other, cell in zip(names, row[1:-1], strict=True):
            pairs = [(a.truth, a.ranked[0][0]) for a in e.answers]
            assert cell.replace("·", "0") == str(pairs.count((index[name], index[other])))


def test_of_many_classes_the_most_confused_are_drawn_side_by_side() -> None:
    names = [f"c{i}" for i in range(100)]
    confused = [answer("p", 70, 7, classes=100)] * 5 + [answer("p", 7, 70, classes=100)] * 4
    once = [answer("p", i, i + 1, classes=100) for i in range(20, 60, 2)]
    right = [answer("p", 70, 70, classes=100)] * 3 + [answer("p", 70, 99, classes=100)] * 2
    drawn = confusion.matrix(evaluation([*once, *right, *confused], names=names))
    assert len(drawn.names) == 19  # the next pair would be one too many
    assert drawn.names[:3] == ("c7", "c70", "c99")
    assert drawn.counts[0][:2] == (0, 4)
    assert drawn.counts[1][:3] == (5, 3, 2)
    few = confusion.matrix(evaluation([*once, *right, *confused], names=names), 2)
    assert (few.names, few.others) == (("c7", "c70"), (0, 2))


def test_a_comparison_carries_its_numbers() -> None:
    c = some_comparison()
    made = Page(report.comparison_page(c))
    rows = [[int(cell) for cell in row[1:]] for row in made.table("", "second right")]
    assert rows[0][:2] == [c.both, c.only_first]
    assert rows[1][:2] == [c.only_second, c.neither]
    assert rows[2][2] == c.pictures
    low, high = c.interval
    assert f"{wording.points(low)} to {wording.points(high)}" in made.text
    assert c.verdict() in made.text
    assert wording.p_value(c.p_value) in made.text
    flipped = made.table("Class", "Only first right")
    assert [(n, int(a), int(b)) for n, a, b in flipped] == c.classes_flipped()
    assert made.text.count("cannot be shown: ") > 3  # the pictures that have gone


def test_a_benchmark_carries_its_numbers() -> None:
    b = some_benchmark(warnings=["too noisy to believe"])
    made = Page(report.benchmark_page(b))
    times = made.table("Setting", "decode")
    costs = made.table("Setting", "Pictures a second")
    for m, time, cost in zip(b.measurements, times, costs, strict=True):
        medians = [m.stages[s].median for s in ("decode", "preprocess", "inference", "total")]
        assert time[1:9:2] == list(map(text.ms, medians))
        assert time[8] == text.ms(m.stages["total"].p95)
        assert cost[1] == text.per_second(m.throughput_per_s)
    assert costs[0][3] == "112 MB"
    assert costs[1][3] == "–"
    assert costs[1][-1] == "3 of 6 differ"
    assert made.text.index("too noisy to believe") < made.text.index("Where the time goes")
    assert "no engine" in made.text


def test_a_benchmark_without_warnings_shows_none() -> None:
    assert "Do not rely" not in report.benchmark_page(some_benchmark())


def test_a_choice_carries_its_numbers() -> None:
    choice = some_choice(Limits(max_latency_ms=6, max_size_bytes=8_000_000, min_top1=0.7))
    made = Page(report.choice_page(choice))
    rows = made.table("No.", "Model")
    assert [row[1] for row in rows] == [c.name for c in choice.candidates]
    for c, row in zip(choice.candidates, rows, strict=True):
        assert c.top1 is not None
        assert row[3] == f"{100 * c.top1.value:.1f} %"
        assert row[5] == text.ms(c.latency.median)
        assert row[8] == f"{c.size_bytes / 1e6:.1f} MB"
        assert all(shortfall in row[2] for shortfall in c.shortfalls)
    assert [row[1] for row in rows if row[2] == "recommended"] == [choice.recommended]
    assert all(reason in made.text for reason in choice.reasons)
    assert "at most 6 ms" in made.text


def test_a_choice_states_its_sources_once_and_what_was_left_out() -> None:
    source = "as recorded in the bundles"
    choice = some_choice(None, candidate("mine", 5, 5, None))
    candidates = tuple(
        replace(c, runtime="litert", top1_source=source if c.top1 else "mine carries none")
        for c in choice.candidates
    )
    missing = LeftOut("broken", ModelError("cannot be read", hint="fetch it again"))
    choice = replace(
        choice, candidates=candidates, left_out=(missing,), notes=("lite0: openvino is faster",)
    )
    made = Page(report.choice_page(choice))
    assert made.text.count(source) == made.text.count("mine carries none") == 1
    rows = {row[1].split(" ")[0]: row for row in made.table("No.", "Model")}
    assert {len(row) for row in rows.values()} == {9}
    numbers = {row[3][-1] for name, row in rows.items() if "mine" not in name}
    (own,) = (row for name, row in rows.items() if "mine" in name)
    assert len(numbers | {own[3][-1]}) == 2
    assert own[2] == "of unknown accuracy"
    assert made.text.count("litert") == len(candidates)
    for said in ("broken", "cannot be read", "fetch it again", "lite0: openvino is faster"):
        assert said in made.text


def test_messages_do_not_repeat_the_folder() -> None:
    failed = Failure(
        "/data/set/cat/a.png",
        {"code": "x", "message": "no file '/data/set/cat/a.png'", "hint": ""},
    )
    e = evaluation([answer("/data/set/dog/b.png", 0, 1)], failures=[failed])
    assert "no file 'cat/a.png'" in Page(report.evaluation_page(e)).text
    assert "/data" not in report.evaluation_page(e)
    assert "/data" not in report.comparison_page(compare(e, e))


@pytest.mark.parametrize(
    ("score", "right", "verdict"),
    [
        (0.9, lambda i: i % 2, "too sure of itself."),
        (0.5, lambda i: i % 10, "better than it thinks."),
        (0.75, lambda i: i % 4, "as sure as it should be, as far as these pictures can tell."),
        (None, lambda i: i % 2, "on the whole as sure as it should be, but not at every score."),
    ],
)
def test_calibration_in_words(
    score: float | None, right: Callable[[int], int], verdict: str
) -> None:
    scores = [(0.2 + 0.2 * (i // 2 % 4) if score is None else score) for i in range(400)]
    rows = [answer(f"{i}", 0, 0 if right(i) else 1, scores[i]) for i in range(400)]
    said = " ".join(Page(report.evaluation_page(evaluation(rows))).text.split())
    assert f"{verdict} Within the groups below the two lie" in said
    assert ("no more than chance" in said) == ("can tell" in verdict)


def test_a_benchmark_that_cannot_tell_names_no_fastest() -> None:
    clear = [replace(measurement(m, ms), rounds_ms=(ms,) * 5) for m, ms in (("a", 1.0), ("b", 9.0))]
    assert "Fastest picture" in report.benchmark_page(some_benchmark(*clear))
    for rounds in ((5.0,) * 5, (1.0,)):
        same = [replace(m, rounds_ms=rounds) for m in clear]
        page = report.benchmark_page(some_benchmark(*same))
        assert "Fastest picture" not in page
        assert "these rounds do not tell" in page


def test_a_choice_without_a_winner_says_what_to_give_up() -> None:
    choice = some_choice(Limits(0.1, 1000, 0.99))
    made = Page(report.choice_page(choice))
    assert choice.relax
    assert all(way in made.text for way in choice.relax)
    assert "recommended" not in {row[2] for row in made.table("No.", "Model")}


@pytest.mark.parametrize("foreign", HOSTILE)
def test_foreign_text_does_no_harm(foreign: str) -> None:
    e = evaluation(
        [answer(f"/set/{foreign}/{i}", i % 2, 1, classes=2) for i in range(4)],
        names=(foreign, "other"),
        model=foreign,
        failures=[Failure(foreign, {"code": foreign, "message": foreign, "hint": foreign})],
    )
    e = replace(e, dataset=foreign, machine={foreign: foreign}, notes=(foreign,), runtime=foreign)
    choice = choose_among([candidate(foreign, 3, 1, 500)], Limits())
    choice = replace(choice, machine={foreign: foreign}, dataset=foreign, reasons=(foreign,))
    b = replace(some_benchmark(measurement(foreign, 3, answers=foreign)), pictures=foreign)
    for html in (
        report.evaluation_page(e),
        report.comparison_page(compare(e, replace(e, answers=tuple(e.answers[::-1])))),
        report.choice_page(choice),
        report.benchmark_page(replace(b, warnings=(foreign,), notes=(foreign,))),
    ):
        html.encode()  # no half characters
        made = Page(html)
        assert made.wrong == []
        assert not {"script", "x"} & {tag for tag, _ in made.tags}
        assert not any(name.startswith("on") for _, a in made.tags for name in a)
        assert len(made.all("title")) == 1
        assert "49" not in html[html.index("</style>") : html.index("</title>")]
        assert not any(c in html for c in "\u202e\u2066\x00\x1b")


def test_a_diagnosis_carries_every_finding_and_its_pictures() -> None:
    made = Page(report.diagnosis_page(some_diagnosis()))
    assert "animals is not ready" in " ".join(made.text.split())
    for words in ("Serious: 1 picture in more than one part", "Warning: 3 labels", "Note: 2 files"):
        assert words in made.text
    assert len(made.all("img")) == 5  # two of the leak, three suspects
    assert made.table("Class") == [["ant", "2", "1"], ["bee", "5", "0"]]
    assert made.table("File") == [["gone 0.jpg", "no file"], ["gone 1.jpg", "no file"]]


def test_the_page_of_a_diagnosis_stays_small() -> None:
    html = report.diagnosis_page(some_diagnosis(5000))
    assert len(Page(html).all("img")) <= pictures.MOST
    assert len(html) < 1_500_000
    assert "4,782 more are not on this page" in Page(html).text


@pytest.mark.parametrize("foreign", HOSTILE)
def test_foreign_text_in_a_diagnosis_does_no_harm(foreign: str) -> None:
    html = report.diagnosis_page(some_diagnosis(name=foreign))
    made = Page(html)
    assert made.wrong == []
    assert not {"script", "iframe"} & {tag for tag, _ in made.tags}
    assert all("onerror" not in attributes for _, attributes in made.tags)
    assert not set("\u202e\u2066\x00\x1b") & set(html)


def test_names_are_shown_as_they_are_otherwise() -> None:
    for name in ("naïve café.jpg", "猫.png", "a b  c", "50\xa0%", "שלום"):
        assert text.shown(name) == name


def test_a_page_stays_small_whatever_the_result(tmp_path: Path) -> None:
    """1000 classes and 50,000 pictures of noise, which compress least, some names long."""
    Image.effect_noise((400, 300), 90).save(tmp_path / "noise.png")
    names = [f"class {i} {'<&>' * 40}" for i in range(1000)]
    answers = [
        replace(answer(f"{tmp_path}/noise.png", i % 1000, (i + i % 3) % 1000), ranked=ranked)
        for i in range(50_000)
        for ranked in [(((i + i % 3) % 1000, (i % 97) / 97), (5, 0.0))]
    ]
    failures = [Failure(f"{'<' * 300}{i}", {"message": "<" * 900}) for i in range(5000)]
    e = replace(evaluation(answers, names=names, failures=failures), ks=(1, 2))
    html = report.evaluation_page(e)
    assert html.count("<img ") == pictures.MOST
    assert len(html) < 2_000_000
    assert "5,000 files, of which 200 are listed" in Page(html).text


@pytest.mark.parametrize("name", ["cat.png", "flower.jpg"])
def test_a_thumbnail_is_the_picture_made_small(name: str) -> None:
    made = pictures.thumbnail(str(zoo.GOLDEN / name))
    assert made.uri is not None
    data = base64.b64decode(made.uri.partition(",")[2])
    assert len(data) <= pictures.MOST_BYTES
    small = Image.open(io.BytesIO(data))
    assert small.size == (made.width, made.height)
    assert max(small.size) == pictures.SIDE
    with Image.open(zoo.GOLDEN / name) as whole:
        expected = whole.convert("RGB").resize(small.size, Image.Resampling.BOX)
    difference = [
        abs(a - b) for a, b in zip(small.convert("RGB").tobytes(), expected.tobytes(), strict=True)
    ]
    assert sum(difference) / len(difference) < 10


def test_a_thumbnail_of_noise_is_made_smaller_until_it_fits(tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    Image.effect_noise((1200, 40), 120).save(path)
    made = pictures.thumbnail(str(path))
    assert made.uri is not None
    assert len(base64.b64decode(made.uri.partition(",")[2])) <= pictures.MOST_BYTES


def test_a_thumbnail_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (300, 100)).save(tmp_path / "a.jpg", exif=exif)
    made = pictures.thumbnail(str(tmp_path / "a.jpg"))
    assert made.height > made.width


def test_a_thumbnail_keeps_nothing_but_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    picture = Image.effect_noise((300, 100), 9).convert("RGB")
    picture.save(tmp_path / "a.jpg", exif=exif, comment=b"by whom", icc_profile=b"profile")
    picture.save(tmp_path / "a.png", exif=exif)
    for name in ("a.jpg", "a.png"):
        made = pictures.thumbnail(str(tmp_path / name))
        assert made.uri is not None
        data = base64.b64decode(made.uri.partition(",")[2])
        assert not [w for w in (b"taken", b"whom", b"profile", b"Exif") if w in data]


def test_a_picture_that_has_gone_or_is_none_has_a_placeholder(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("gone.jpg", "text.jpg", "nul\0.jpg"):
        assert pictures.thumbnail(str(tmp_path / name)).uri is None
    html = report.evaluation_page(evaluation([answer(str(tmp_path / "gone.jpg"), 0, 1)]))
    assert "cannot be shown: gone.jpg" in Page(html).text
    assert str(tmp_path) not in html  # a report is passed on; where the pictures lay is not


def test_the_colours_can_be_read_by_everybody() -> None:
    """Text on every ground it stands on has the contrast that WCAG 2 asks for at level AA."""
    style = (Path(page.__file__).with_name("templates") / "style.css").read_text("utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    )
    assert light.keys() == dark.keys()
    for colours in (light, dark):
        grounds = [k for k in colours if k.startswith(("heat", "hit"))]
        pairs = [("ink", g) for g in (*grounds, "paper", "panel", "soft", "warn")]
        pairs += [(c, "paper") for c in ("quiet", "accent", "bad", "good")]
        pairs += [("quiet", "panel"), ("quiet", "soft"), ("bad", "soft")]
        for text_colour, ground in pairs:
            ratio = contrast(colours[text_colour], colours[ground])
            assert ratio >= 4.5, (text_colour, ground, ratio)


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_check_accepts_a_place_and_leaves_nothing_there(tmp_path: Path) -> None:
    for name in ("a.html", "A.HTML", "b.c.html"):
        report.check(tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["report", "report.htm", "report.pdf", "html", ".html"])
def test_check_wants_html(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        report.check(tmp_path / name)
    assert name in caught.value.message
    assert caught.value.expected == "a name that ends in .html"


def test_check_wants_a_folder(tmp_path: Path) -> None:
    with pytest.raises(WhatsitError) as caught:
        report.check(tmp_path / "none" / "a.html")
    assert f"{str(tmp_path / 'none' / 'a.html')!r}: there is no such folder" in caught.value.message
    (tmp_path / "b.html").mkdir()
    with pytest.raises(WhatsitError, match=r"b\.html"):
        report.check(tmp_path / "b.html")


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_check_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExtraMissing) as caught:
        report.check(tmp_path / "a.html")
    assert package in caught.value.message
    assert caught.value.hint == "pip install 'whatsit[report]'"


def test_a_report_is_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    report.save("<p>é", tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == "<p>é".encode()
    with pytest.raises(WhatsitError):
        report.save("<p>", tmp_path / "none" / "a.html")


def test_nothing_is_printed_and_no_setting_is_changed(tmp_path: Path) -> None:
    """No home to write to, no display, fonts that lack what the labels need."""
    program = (
        "import make_reports, warnings; warnings.simplefilter('error')\n"
        "import logging; logging.basicConfig()\n"
        "from whatsit import report\n"
        "report.evaluation_page(make_reports.some_evaluation(names=('猫', '犬', '$a_b$')))\n"
        "import matplotlib, sys; assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert matplotlib.rcParams['svg.fonttype'] == 'path'\n"
        "assert logging.getLogger('matplotlib').level == 0\n"
    )
    settings = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "MPLBACKEND")}
    settings |= {"HOME": "/dev/null", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=settings, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert os.listdir(tmp_path) == []


def test_a_foreign_matplotlibrc_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 40\naxes.grid: True\nlines.linewidth: 9\n")
    program = (
        "import hashlib, make_reports; from whatsit import report\n"
        "html = report.choice_page(make_reports.some_choice())\n"
        "print(hashlib.sha256(html.encode()).hexdigest())"
    )
    hashes = set()
    for folder in (tmp_path, Path(__file__).parent):
        settings = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, cwd=folder, env=settings
        )
        hashes.add(done.stdout)
    assert len(hashes) == 1
    assert hashes != {b""}


def test_templates_travel_with_the_package() -> None:
    """They lie inside it, where the wheel takes every file from."""
    folder = Path(page.__file__).with_name("templates")
    package = Path(report.__file__).parents[1]
    assert folder.is_relative_to(package)
    assert {p.suffix for p in folder.iterdir()} == {".html", ".css"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (text.megabytes(5_316_000), "5.3\xa0MB"),
        (text.megabytes(112_000_000), "112\xa0MB"),
        (text.megabytes(999), "1.0\xa0kB"),
        (text.megabytes(None), "–"),
        (text.ms(0.615), "0.61"),
        (text.ms(18.26), "18.3"),
        (text.ms(1234.5), "1,234"),
        (wording.points(-0.0031), "−0.3"),
        (wording.points(0.015), "+1.5"),
        (text.percent(0.8415), "84.2\xa0%"),
        (wording.p_value(0.00001), "< 0.0001"),
        (wording.p_value(0.4712), "0.47"),
        (wording.p_value(1.0), "1"),
        (text.per_second(3.44), "3.4"),
        (text.per_second(1274.4), "1,274"),
        (wording.counted(1, "class", "classes"), "1 class"),
        (wording.counted(1200, "picture"), "1,200 pictures"),
        (text.moment("2026-01-02T03:04:05+00:00"), "2026-01-02 03:04"),
    ],
)
def test_numbers_are_written_for_people(words: str, expected: str) -> None:
    assert words == expected
