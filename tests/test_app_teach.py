"""Teaching in a real browser: collecting, trying, keeping, and the same file in Python."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_page import (  # the fixtures are used by their names
    AppPage,
    AppServer,
    app_server,
    camera_clip,
    camera_switches,
    chromium,
)
from PIL import Image, ImageEnhance

from whatsit import Bundle, Classifier, train, zoo

__all__ = ["app_server", "camera_clip"]

AXE = Path(__file__).parents[1] / "tools/web/node_modules/axe-core/axe.min.js"
EACH = 20
KINDS = {"cup": "coffee.png", "kitten": "cat.png", "tower": "temple.jpg"}
NAME = "Three things"
CLASSIFY = """async ({model, pictures}) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const { Engine } = await import("./engine/client.js");
  const engine = await Engine.start({});
  await engine.open({ name: "taught", bytes: bytes(model) });
  const scores = [];
  for (const picture of pictures) {
    const answer = await engine.classify(new Blob([bytes(picture)]), { all: true });
    scores.push([answer.result.verdict, ...answer.scores]);
  }
  engine.close();
  return scores;
}"""


@pytest.fixture(scope="module")
def browser(camera_clip: Path) -> Iterator[Any]:
    with chromium(*camera_switches(camera_clip)) as opened:
        yield opened


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Parts of golden pictures, turned and brightened: EACH to teach with, 10 more to try."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    found: dict[str, list[Path]] = {}
    for kind, name in KINDS.items():
        with Image.open(zoo.GOLDEN / name) as opened:
            whole = opened.convert("RGB")
        side = min(whole.size)
        for number in range(EACH + 10):
            size = int(side * rng.uniform(0.5, 0.95))
            left, top = (int(rng.integers(0, limit - size + 1)) for limit in whole.size)
            part = whole.crop((left, top, left + size, top + size)).rotate(rng.uniform(-20, 20))
            part = ImageEnhance.Brightness(part).enhance(rng.uniform(0.6, 1.3))
            path = folder / f"{kind}-{number}.png"
            part.resize((360, 300 + number)).save(path)
            found.setdefault(kind, []).append(path)
    return found


class Teaching:
    """The view, and what a person does in it."""

    def __init__(self, app: AppPage) -> None:
        self.app, self.page = app, app.page
        self.cards = self.page.locator(".teach-class")
        self.state = self.page.locator(".teach-state")
        self.teach = self.page.locator(".teach-go .button.primary")
        self.lesson = self.page.locator(".teach-lesson")
        self.trial = self.page.locator(".teach-trial")

    def button(self, words: str) -> Any:
        return self.page.get_by_role("button", name=words)

    def counts(self) -> list[str]:
        return self.page.locator(".teach-count").all_text_contents()

    def fill(self, files: dict[str, list[Path]], each: int = EACH) -> None:
        for place, (kind, paths) in enumerate(files.items()):
            if place == self.cards.count():
                self.button("Add a class").click()
            card = self.cards.nth(place)
            card.get_by_role("textbox").fill(kind)
            card.locator("input[type=file]").set_input_files(paths[:each])
        self.app.until(lambda: self.counts() == [str(each)] * len(files))

    def learn(self) -> None:
        self.teach.click()
        self.app.until(lambda: self.lesson.is_visible() and self.teach.is_enabled(), 40)

    def saved(self, button: str) -> tuple[str, bytes]:
        with self.page.expect_download() as download:
            self.button(button).click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def opened(context: Any, server: AppServer) -> Teaching:
    app = AppPage(context.new_page(), server).open("#teach")
    teaching = Teaching(app)
    app.until(lambda: teaching.page.locator(".teach-backbone").text_content() != "")
    return teaching


@pytest.fixture
def teaching(browser: Any, app_server: AppServer) -> Iterator[Teaching]:
    context = browser.new_context(viewport={"width": 412, "height": 839})
    made = opened(context, app_server)
    yield made
    assert made.app.complaints == []
    assert made.app.elsewhere == []
    context.close()


@pytest.fixture(scope="module")
def taught(browser: Any, app_server: AppServer, files: dict[str, list[Path]]) -> Iterator[Teaching]:
    """Three classes of twenty pictures, taught."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    made = opened(context, app_server)
    made.fill(files)
    made.page.get_by_label("Name of the model").fill(NAME)
    made.learn()
    yield made
    assert made.app.complaints == []
    assert made.app.elsewhere == []
    context.close()


# ── the whole way ────────────────────────────────────────────────────────────────────────────


def test_the_file_answers_in_python_as_in_the_browser(
    taught: Teaching, files: dict[str, list[Path]]
) -> None:
    name, data = taught.saved("Download the model")
    assert name == f"{NAME}.tflite"
    bundle = Bundle.from_bytes(data, NAME)
    assert bundle.labels.names == tuple(KINDS)
    assert bundle.metadata.name == NAME
    assert bundle.record["recipe"]["pictures"] == dict.fromkeys(KINDS, EACH)
    archive = zipfile.ZipFile(io.BytesIO(taught.saved("Download the pictures")[1]))
    pictures = [archive.read(name) for name in archive.namelist()]
    assert len(pictures) == EACH * len(KINDS)
    for paths in files.values():
        pictures += [path.read_bytes() for path in paths[EACH:]]
    coded = [base64.b64encode(picture).decode() for picture in pictures]
    given = taught.page.evaluate(
        CLASSIFY, {"model": base64.b64encode(data).decode(), "pictures": coded}
    )
    classifier = Classifier(bundle)
    truth = [*np.repeat(range(3), EACH), *np.repeat(range(3), 10)]
    right = 0
    for picture, (verdict, *scores), own in zip(pictures, given, truth, strict=True):
        result = classifier.classify(io.BytesIO(picture), top=3)
        expected = {each.index: each.score for each in result.predictions}
        assert int(np.argmax(scores)) == result.predictions[0].index
        assert max(abs(expected[i] - score) for i, score in enumerate(scores)) < 0.01
        assert verdict == result.to_json()["verdict"]
        right += result.predictions[0].index == own
    assert right >= 0.95 * len(pictures)


def test_it_says_unknown_and_loads_in_mediapipe(taught: Teaching, tmp_path: Path) -> None:
    mediapipe = pytest.importorskip("mediapipe")
    from test_mediapipe import categories, judge

    data = taught.saved("Download the model")[1]
    bundle = Bundle.from_bytes(data, "taught")
    result = Classifier(bundle).classify(zoo.GOLDEN / "rocket.jpg")
    assert result.to_json()["verdict"] == "unknown"
    with Image.open(zoo.GOLDEN / "cat.png") as image, judge(data) as classifier:
        best = categories(classifier, np.asarray(image.convert("RGB")))[0]
    assert best.category_name == "kitten"
    assert mediapipe.__name__


def test_train_takes_the_pictures(taught: Teaching, tmp_path: Path) -> None:
    name, data = taught.saved("Download the pictures")
    path = tmp_path / name
    path.write_bytes(data)
    report = train(path, few_shot=True)
    assert report.pictures == dict.fromkeys(KINDS, EACH)


def test_it_tells_how_well_it_does(taught: Teaching) -> None:
    words = taught.lesson.text_content()
    assert "pictures, 5" in words or "pictures, 6" in words  # 50 to 60 of 60
    assert "that had not seen them" in words
    assert "It says “unknown”" in words
    assert taught.page.get_by_text("Built on efficientnet-lite0-int8").is_visible()


def test_nothing_is_out_of_reach_for_anybody(taught: Teaching) -> None:
    if not AXE.exists():
        pytest.skip("`make web` has not been run")
    taught.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = taught.page.evaluate("async () => (await axe.run()).violations.map((one) => one.help)")
    assert found == []


def test_a_picture_is_tried(taught: Teaching, files: dict[str, list[Path]]) -> None:
    given = taught.lesson.locator("input[type=file]")
    given.set_input_files(zoo.GOLDEN / "rocket.jpg")
    taught.app.until(lambda: "Nothing it knows" in taught.trial.text_content())
    given.set_input_files(zoo.GOLDEN / "cat.png")
    first = taught.trial.locator(".row-label").first
    taught.app.until(lambda: first.text_content() == "kitten")


def test_the_camera_is_tried_and_the_model_kept(taught: Teaching) -> None:
    page, first = taught.page, taught.trial.locator(".row-label").first
    taught.button("Start camera").click()
    seen: set[str] = set()
    taught.app.until(lambda: seen.add(first.text_content()) or {"kitten", "cup"} <= seen)
    taught.button("Keep and use it").click()
    taught.app.until(lambda: page.locator("#view-look").is_visible())
    page.locator(".sample").first.click()
    rows = page.locator("#view-look .row:not([data-empty]) .row-label")
    taught.app.until(lambda: "kitten" in rows.all_text_contents())
    page.get_by_role("tab", name="Teach").click()  # its own backbone again, not what was taught
    taught.app.until(lambda: page.locator("#view-teach").is_visible())
    assert page.get_by_text("Built on efficientnet-lite0-int8").is_visible()
    taught.button("Start camera").click()
    taught.app.until(lambda: page.locator(".teach-stage video").is_visible())
    seen.clear()
    taught.app.until(lambda: seen.add(first.text_content()) or {"kitten", "cup"} <= seen)


# ── collecting ───────────────────────────────────────────────────────────────────────────────


def test_pictures_are_collected_by_hand_and_by_key(teaching: Teaching) -> None:
    page, card = teaching.page, teaching.cards.first
    teaching.button("Start camera").click()
    video = page.locator(".teach-stage video")
    teaching.app.until(lambda: video.evaluate("(video) => video.readyState") == 4)
    hold = card.locator(".teach-hold")
    hold.click()
    teaching.app.until(lambda: teaching.counts()[0] == "1")
    hold.hover()
    page.mouse.down()
    teaching.app.until(lambda: int(teaching.counts()[0]) >= 5)
    page.mouse.up()

    def stands() -> bool:
        counted = teaching.counts()
        page.wait_for_timeout(800)  # several pictures long
        return teaching.counts() == counted

    teaching.app.until(stands)  # nothing is held
    second = teaching.cards.nth(1).locator(".teach-hold")
    for key in (" ", "Enter"):
        second.focus()
        page.keyboard.down(key)
        before = int(teaching.counts()[1])
        teaching.app.until(lambda before=before: int(teaching.counts()[1]) >= before + 3)
        page.keyboard.up(key)
    page.wait_for_timeout(300)
    assert card.locator(".teach-thumbs img").count() == int(teaching.counts()[0])
    size = card.locator(".teach-thumbs img").first.evaluate(
        "(i) => [i.naturalWidth, i.naturalHeight]"
    )
    assert size == [427, 320]


def test_what_is_missing_is_said(teaching: Teaching, files: dict[str, list[Path]]) -> None:
    first, second = teaching.cards.nth(0), teaching.cards.nth(1)
    assert teaching.state.text_content() == "Add pictures to “Class 1” and “Class 2”."
    assert teaching.teach.is_disabled()
    teaching.fill({"a": files["cup"], "b": files["kitten"]}, 2)
    assert teaching.teach.is_enabled()
    assert "few pictures" in teaching.page.locator(".teach-warnings").text_content()
    second.get_by_role("textbox").fill("a")
    assert teaching.state.text_content() == "Two classes are called “a”."
    second.get_by_role("textbox").fill(" ")
    assert teaching.state.text_content() == "Give each class a name."
    second.get_by_role("textbox").fill("b")
    first.get_by_role("button", name="Delete the class").click()
    assert teaching.state.text_content().startswith("Add a second class")
    teaching.button("Undo").click()
    assert teaching.state.text_content() == "4 pictures of 2 classes"
    second.get_by_role("button", name="Delete picture 1 of").click()
    assert teaching.counts() == ["2", "1"]
    teaching.button("Undo").click()
    assert teaching.counts() == ["2", "2"]
    broken = {"name": "no.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    first.locator("input[type=file]").set_input_files(broken)
    teaching.app.until(
        lambda: "no.jpg cannot be read" in teaching.page.locator("#notes").text_content()
    )
    assert teaching.counts() == ["2", "2"]


def test_pictures_outlive_a_reload(teaching: Teaching, files: dict[str, list[Path]]) -> None:
    page = teaching.page
    teaching.fill({"a": files["cup"], "b": files["kitten"]}, 3)
    page.get_by_label("Name of the model").fill("Mine")
    page.wait_for_timeout(1200)
    page.reload()
    teaching.app.until(lambda: teaching.counts() == ["3", "3"])
    assert page.get_by_label("Name of the model").input_value() == "Mine"
    assert teaching.cards.nth(1).get_by_role("textbox").input_value() == "b"
    teaching.learn()
    assert "cannot say “unknown”" in teaching.lesson.text_content()
    teaching.button("Start over").click()
    teaching.button("Keep them").click()
    assert teaching.counts() == ["3", "3"]
    teaching.button("Start over").click()
    teaching.button("Delete all").click()
    teaching.app.until(lambda: teaching.counts() == ["0", "0"])
    page.reload()
    teaching.app.until(lambda: teaching.counts() == ["0", "0"])


def test_a_picture_that_never_changes_is_told(
    teaching: Teaching, files: dict[str, list[Path]]
) -> None:
    one, other = files["cup"][0], files["kitten"]
    teaching.cards.nth(0).locator("input[type=file]").set_input_files([one] * 12)
    teaching.cards.nth(1).locator("input[type=file]").set_input_files(other[:12])
    teaching.app.until(lambda: teaching.counts() == ["12", "12"])
    teaching.learn()
    assert "All pictures of “Class 1” look the same" in teaching.lesson.text_content()


def test_who_leaves_in_the_middle_finds_everything_again(
    teaching: Teaching, files: dict[str, list[Path]]
) -> None:
    page = teaching.page
    teaching.fill({"a": files["cup"], "b": files["kitten"]})
    teaching.teach.click()
    page.get_by_role("tab", name="Look").click()
    model = teaching.app.fact("Model")
    teaching.app.until(lambda: model.text_content().startswith(zoo.DEFAULT))
    page.get_by_role("tab", name="Teach").click()
    teaching.app.until(teaching.teach.is_enabled)
    if not teaching.lesson.is_visible():  # it had not looked at all pictures
        teaching.learn()
    assert page.locator("#cards .card").count() == 0
    assert teaching.counts() == [str(EACH)] * 2
    teaching.button("Keep and use it").click()
    teaching.app.until(lambda: model.text_content().startswith("My model,"))
