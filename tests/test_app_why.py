"""“Why?” in the app: the map over the picture, its words, and what has none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import make_models
import numpy as np
import pytest
from app_page import AppPage, AppServer, app_server, camera_clip, camera_switches, chromium
from PIL import Image
from test_app_look import AXE, PHONE, RULES

import whatsit
from whatsit import Bundle, zoo
from whatsit.serve.site import Site

__all__ = ["app_server", "camera_clip"]  # fixtures

# The middle of what is yellow, and of what is blue, as fractions of the canvas.
MIDDLE = """(colour) => {
  const map = document.querySelector(".why-map");
  const { width, height } = map;
  const copy = Object.assign(document.createElement("canvas"), { width, height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(map, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  let [x, y, weight, unseen] = [0, 0, 0, 0];
  for (let i = 0; i < width * height; i++) {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    if (red + green + blue === 0 && alpha > 100) unseen += 1;
    const is = { yellow: green > 130 && blue < 120, blue: blue > red + 60 }[colour];
    if (!is || alpha < 90) continue;
    x += i % width; y += Math.floor(i / width); weight += 1;
  }
  return [x / weight / width, y / weight / height, weight, unseen / (width * height)];
}"""


@pytest.fixture(scope="module")
def browser(camera_clip: Path) -> Iterator[Any]:
    with chromium(*camera_switches(camera_clip)) as opened:
        yield opened


@pytest.fixture(scope="module")
def look(browser: Any, app_server: AppServer) -> Iterator[AppPage]:
    context = browser.new_context(viewport=PHONE)
    context.add_init_script(
        "localStorage.setItem('whatsit.settings', JSON.stringify({threshold: 0.02}))"
    )
    yield AppPage(context.new_page(), app_server).open().ready()
    context.close()


def opened(app: AppPage, picture: Path) -> None:
    app.page.locator("input[type=file][multiple]").set_input_files(str(picture))
    app.until(lambda: bool(app.rows))


def asked(app: AppPage, label: str) -> str:
    """What is told once the button of a row was pressed."""
    app.page.get_by_role("button", name=f"Why? {label}", exact=True).click()
    words = app.page.locator(".why-words")
    app.until(lambda: words.count() == 1 and words.text_content() != "")
    return str(words.text_content())


def parts(words: str) -> list[str]:
    """The parts of the picture that are named."""
    return re.findall(r"the ([a-z ]+) \(\d+", words)


def ranked(evidence: Any) -> list[str]:
    return sorted(evidence.regions, key=lambda part: -evidence.regions[part])


def test_why_in_colours_and_in_words(look: AppPage, coffee: Path) -> None:
    opened(look, coffee)
    words = asked(look, "espresso")
    why = whatsit.explain(None, coffee, target="espresso")
    assert words.startswith("For espresso: most from the ")
    assert parts(words) == ranked(why.evidence)[: len(parts(words))]
    left, top, right, bottom = why.placement.box
    seen = (right - left) * (bottom - top)
    assert f"The model saw {100 * seen:.0f}" in words
    x, y, size, unseen = look.page.evaluate(MIDDLE, "yellow")
    assert why.peak is not None
    assert np.hypot(x - why.peak[0], y - why.peak[1]) < 0.15
    assert size > 100
    assert unseen == pytest.approx(1 - seen, abs=0.02)
    assert look.page.locator(".why-ends").inner_text().split("\n") == [
        "says nothing",
        "speaks for espresso",
    ]
    look.page.get_by_role("button", name=re.compile("Why espresso and not ")).click()
    words = look.page.locator(".why-words").text_content()
    assert why.versus is not None
    assert why.difference is not None
    assert words.startswith(f"For espresso rather than {why.versus.label}: most from the ")
    assert parts(words)[0] == ranked(why.difference)[0]
    assert look.page.evaluate(MIDDLE, "blue")[2] > 100
    heard = look.page.locator("[aria-live=polite]").first
    look.until(lambda: heard.text_content() == words)
    look.page.get_by_role("button", name="Hide the map").click()
    assert look.page.locator(".why-map").is_hidden()
    assert look.page.evaluate("document.activeElement.ariaLabel") == "Why? espresso"
    assert look.complaints == []
    assert look.elsewhere == []


def test_another_picture_or_model_takes_the_map_away(look: AppPage, coffee: Path) -> None:
    opened(look, coffee)
    asked(look, "espresso")
    opened(look, zoo.GOLDEN / "camera.png")
    assert look.page.locator(".why-map").is_hidden()
    assert look.page.locator(".why").is_hidden()


def test_a_paused_camera_says_why_and_a_live_one_has_no_button(look: AppPage) -> None:
    look.page.locator(".stage-top [title='Back to the start']").click()
    look.page.get_by_role("button", name="Start camera").click()
    buttons = look.page.locator(".row-why:visible")
    look.until(lambda: bool(look.rows))
    assert buttons.count() == 0
    look.page.get_by_role("button", name="Pause", exact=True).click()
    look.until(lambda: buttons.count() > 0)
    buttons.first.press("Enter")
    look.until(lambda: look.page.locator(".why-map").is_visible())
    assert look.page.locator(".why-words").text_content()
    look.page.locator(".frame").click()  # it goes on
    look.until(lambda: look.page.locator(".why-map").is_hidden())
    assert buttons.count() == 0
    assert look.complaints == []


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there: make web")
def test_it_is_accessible(look: AppPage, coffee: Path) -> None:
    look.page.locator(".stage-top [title='Back to the start']").click()
    opened(look, coffee)
    asked(look, "espresso")
    look.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = look.page.evaluate("(tags) => axe.run({runOnly: tags})", RULES)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []


def test_a_model_without_a_map_says_why_it_has_none(browser: Any, tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (8, 8), (255, 0, 0)).save(picture)
    data = make_models.bundle(make_models.pixels(8, 8, 1 / 255), 192)
    server = AppServer(Site.of([Bundle.from_bytes(data, "pixels")])).start()
    page = browser.new_page()
    try:
        app = AppPage(page, server).open()
        app.until(lambda: app.headline == "Nothing in view yet")
        opened(app, picture)
        page.locator(".row-why:visible").first.click()
        card = page.locator(".why .card.error")
        app.until(card.is_visible)
        assert "cannot say why" in card.text_content()
        card.get_by_role("button", name="Close").click()
        assert page.locator(".why").is_hidden()
    finally:
        page.close()
        server.stop()
