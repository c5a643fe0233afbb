"""The app in WebKitGTK, the nearest relative of Safari here, which takes the build `compat`."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import app_page
import pytest
import webkit
from app_page import AppServer

import whatsit
from whatsit import zoo
from whatsit.serve.site import Site, is_built

FACT = """[...document.querySelectorAll(".facts dt")]
  .find(e => e.textContent === arguments[0]).nextElementSibling.textContent"""
ROWS = """return [...document.querySelectorAll(".row:not([data-empty])")]
  .map(e => [...e.querySelectorAll(".row-label, .row-share")].map(s => s.textContent))"""
ESPRESSO = 'return document.querySelector(".headline").textContent.toLowerCase() === "espresso"'
READY = """return [...document.querySelectorAll(".facts dd")]
  .some(e => e.textContent.startsWith("Passed on "))"""
SETTINGS = 'localStorage.setItem("whatsit.settings", JSON.stringify({top: 5, threshold: 0}))'
# WebKitGTK knows no manifests, nor the directive about them.
HARMLESS = (*app_page.HARMLESS, "directive 'manifest-src'")


@pytest.fixture(scope="module")
def site() -> Site:
    if not is_built():
        pytest.skip("the app has no engine yet: `make web`")
    return Site.of([zoo.open_builtin(zoo.DEFAULT)])


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[AppServer]:
    """With one model."""
    started = AppServer(site).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[webkit.Page]:
    if reason := webkit.missing():
        pytest.skip(reason)
    with webkit.opened() as page:
        page.size(420, 920)
        yield page


@pytest.fixture(scope="module")
def page(browser: webkit.Page, server: AppServer) -> webkit.Page:
    """The app, set to show five rows whatever their scores; its model has been checked."""
    browser.go(f"{server.url}version.json")  # a place of the same origin, to leave settings at
    browser.js(SETTINGS)
    browser.go(server.url)
    browser.until(READY)
    return browser


def fact(page: webkit.Page, name: str) -> str:
    """A value of the details."""
    return str(page.js(f"return {FACT}", name))


def test_the_app_passes_its_self_test_on_the_compatible_build(page: webkit.Page) -> None:
    assert fact(page, "Backend").startswith("WebAssembly, compatible")
    assert "relaxed SIMD" in fact(page, "Backend")  # why not another one
    assert fact(page, "Threads") == "1"
    assert fact(page, "Self-test").startswith("Passed on ")
    assert page.js("return crossOriginIsolated")


def test_a_picture_has_the_rows_of_python(page: webkit.Page, coffee: Path) -> None:
    page.all('.stage-wrap input[type="file"]')[0].type(str(coffee))
    rows = page.until(ROWS)
    with whatsit.load() as model:
        predictions = model.classify(coffee).predictions
    assert [label for label, _ in rows] == [p.label for p in predictions]
    for (_, share), prediction in zip(rows, predictions, strict=True):
        assert float(share.rstrip(" %\u202f\u00a0")) == pytest.approx(
            100 * prediction.score, abs=0.06
        )
    assert page.js(ESPRESSO)


@pytest.mark.parametrize("name", ["camera.png", "rocket.jpg", "temple.jpg"])
def test_scores_are_those_of_python(page: webkit.Page, name: str) -> None:
    """All of the raw ones, to the last digit that float32 leaves."""
    picture = base64.b64encode((zoo.GOLDEN / name).read_bytes()).decode()
    scores = page.async_js(CLASSIFY, picture, f"models/{zoo.DEFAULT}.tflite")
    with whatsit.load(raw=True) as model:
        wanted = model.classify(zoo.GOLDEN / name, top=1000).predictions
    furthest = max(abs(scores[p.index] - p.score) for p in wanted)
    assert max(range(1000), key=scores.__getitem__) == wanted[0].index
    assert furthest < 1e-5


# In the page, but with an engine of the test's own.
CLASSIFY = """
  const { Engine } = await import(new URL("engine/client.js", document.baseURI));
  const [base64, url] = args;
  window.testEngine ??= await Engine.start();
  if (!window.testEngine.model) await window.testEngine.open({ name: "m", url });
  const picture = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]);
  const answer = await window.testEngine.classify(picture, { raw: true, all: true });
  return [...answer.scores];
"""


def test_the_camera_gives_rows(page: webkit.Page) -> None:
    """Of the engine's own made camera, which has other sizes too."""
    page.all(".stage-top button")[0].click()  # back to the start
    page.one("#start-camera").click()
    page.until(f"return Number({FACT}) > 1", "Answers a second")
    assert page.until(ROWS)
    assert fact(page, "Frame") == "640 × 480"
    assert page.js(
        "const v = document.querySelector('video'); return [v.muted, v.playsInline]"
    ) == [
        True,
        True,
    ]


def test_another_camera(page: webkit.Page) -> None:
    """The engine makes two: one to each side of the phone."""
    facing = "return document.querySelector('video').srcObject?.getTracks()[0]"
    facing += ".getSettings().facingMode"
    assert page.js(facing) == "environment"
    page.one(".stage-bar [title='Switch camera']").click()
    page.until(f"{facing} === 'user'")
    assert page.js("return document.querySelector('.stage').hasAttribute('data-mirrored')")


def test_a_longer_time_between_answers(page: webkit.Page) -> None:
    """Fewer answers a second, and then none while it stands."""
    page.async_js(
        'const { state } = await import(new URL("app/state.js", document.baseURI));'
        'state.set("interval", 1000);'
    )
    page.until(f"return Number({FACT}) < 2", "Answers a second")
    page.one(".stage-bar .main").click()
    page.until("return document.querySelector('video').paused")


@pytest.mark.parametrize("view", ["teach", "measure"])
def test_a_view_opens(page: webkit.Page, view: str) -> None:
    page.one(f"#tab-{view}").click()
    page.until(f"return document.querySelector('#view-{view}').textContent.length > 40")
    assert (
        page.js("return document.querySelectorAll('.view:not([hidden]) .card.error').length") == 0
    )
    page.one("#tab-look").click()


def test_it_works_when_the_server_is_gone(browser: webkit.Page, site: Site, coffee: Path) -> None:
    server = AppServer(site).start()
    browser.go(server.url)
    browser.until(READY)
    browser.until("return navigator.serviceWorker.controller !== null")
    server.stop()
    browser.go(f"{server.url}?from=home")
    browser.until(READY)
    browser.all('.stage-wrap input[type="file"]')[0].type(str(coffee))
    browser.until(ESPRESSO)


def test_the_console_has_no_error(server: AppServer) -> None:
    """Of the page and of its worker, whose engine writes its notes there as well."""
    if reason := webkit.missing():
        pytest.skip(reason)
    server.asked.clear()
    with webkit.spoken(server.url) as lines:
        end = time.monotonic() + 20
        while not any("sw.js" in path for path in server.asked):  # the self-test has passed
            assert time.monotonic() < end, lines()
            time.sleep(0.1)
        time.sleep(0.5)
        said = lines()
    assert [line for line in said if not any(known in line for known in HARMLESS)] == []
