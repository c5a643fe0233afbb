"""Reports in a real browser: nothing is asked for, nothing complained of, nothing cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from make_reports import write_all

KINDS = (
    *("evaluation", "comparison", "benchmark", "choice", "training", "finetuning"),
    *("explanation", "hostile explanation", "hostile"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("reports"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_opens_alone_and_fits(
    browser: Any, files: dict[str, Path], kind: str, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(files[kind].as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [files[kind].as_uri()]
    assert said == []
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if page.locator("svg").count():  # not every page has plots
        assert page.evaluate(SHOWN) == {"wide": int(width > 719), "narrow": int(width <= 719)}
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(UNLOADED) == 0
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    context.close()


# Whether drawings for one kind of screen are shown (1) or not (0), the same for all plots.
SHOWN = """() => Object.fromEntries(["wide", "narrow"].map(kind => {
  const shown = [...document.querySelectorAll("svg." + kind)].map(e => +(e.clientWidth > 0));
  return [kind, new Set(shown).size === 1 ? shown[0] : shown];
}))"""
# Words of a plot that reach beyond the screen, or are smaller than can be read.
CUT_OFF = """() => [...document.querySelectorAll("svg text")].filter(e => {
  const box = e.getBoundingClientRect();
  const size = parseFloat(getComputedStyle(e).fontSize) *
    e.ownerSVGElement.clientWidth / e.ownerSVGElement.viewBox.baseVal.width;
  return box.width && (box.left < -1 || box.right > innerWidth + 1 || size < 8.5);
}).map(e => e.textContent)"""
UNLOADED = "[...document.images].filter(e => !e.complete || !e.naturalWidth).length"


def test_print_shows_the_wide_drawings(browser: Any, files: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 600, "height": 800})
    page.goto(files["choice"].as_uri())
    page.emulate_media(media="print")
    assert page.evaluate(SHOWN) == {"wide": 1, "narrow": 0}
    page.close()


def test_everything_folded_can_be_reached_by_keyboard(browser: Any, files: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(files["evaluation"].as_uri())
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        tag = page.evaluate("document.activeElement.tagName")
        reached.add(tag)
        if tag == "SUMMARY" and not page.evaluate("document.activeElement.parentNode.open"):
            page.keyboard.press("Enter")
    assert {"SUMMARY", "DIV"} <= reached
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    page.close()
