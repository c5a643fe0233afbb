"""A page with nothing but the engine of the web app, in a real browser."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_page import LOCAL
from conftest import CHROMIUM, QUIET
from PIL import Image
from site_server import served

from whatsit import zoo
from whatsit.serve.site import Site

WEB = Path(__file__).parent / "web"
DEFAULT = zoo.DEFAULT


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def rgb(picture: str) -> np.ndarray:
    with Image.open(zoo.GOLDEN / picture) as image:
        return np.asarray(image.convert("RGB"))


class Asker:
    """A page with an engine."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def __call__(self, name: str, *values: Any) -> Any:
        return self.page.evaluate("values => window.ask(...values)", [name, *values])

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)

    def classify(self, picture: np.ndarray, **options: Any) -> Any:
        height, width, _ = picture.shape
        return self("classify", base64_of(picture.tobytes()), width, height, options)

    def in_worker(self, script: str) -> Any:
        """What `script` gives in the engine's own worker, not in those of its threads."""
        workers = [w for w in self.page.workers if "engine/worker.js" in w.url]
        return workers[-1].evaluate(script)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    quiet = [flag for flag in QUIET if "host-resolver" not in flag]
    with api.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=[*quiet, LOCAL]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site() -> Site:
    return Site.of([zoo.open_builtin(name) for name in zoo.catalogue()])


Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def opened(chromium: Any, site: Site) -> Opened:
    """`with opened(changed={…}, isolated=False) as ask:` is a page of the site, so changed."""
    own = {name: (WEB / name).read_bytes() for name in ("engine.html", "engine_page.mjs")}
    own["engine_page.js"] = own.pop("engine_page.mjs")  # hosts know the type of this ending
    own["engine.html"] = own["engine.html"].replace(b"engine_page.mjs", b"engine_page.js")

    @contextmanager
    def opened(**options: Any) -> Iterator[Asker]:
        changed = {**own, **options.pop("changed", {})}
        with served(site, changed, **options) as url:
            page = chromium.new_page()
            page.goto(url + "engine.html")
            while not page.evaluate("window.ready === true"):
                page.wait_for_timeout(20)
            yield Asker(page)
            page.close()

    return opened


@pytest.fixture(scope="module")
def plain(opened: Opened) -> Iterator[Asker]:
    """A page of the site as it is."""
    with opened() as ask:
        yield ask


@pytest.fixture
def running(plain: Asker) -> Asker:
    """An engine of one thread, with the default model; started anew only where it must be."""
    if plain.evaluate("window.engine?.facts.build") != "relaxed":
        plain("start", {"build": "relaxed"})
    if plain.evaluate("window.engine.model?.name") != DEFAULT:
        plain("open", DEFAULT)
    assert plain.evaluate("[engine.facts.build, engine.model.name]") == ["relaxed", DEFAULT]
    return plain


def still_works(ask: Asker) -> None:
    assert ask.evaluate("engine.model.name") == DEFAULT
    found = ask.classify(rgb("camera.png"))
    assert found["result"]["model"] == DEFAULT
    assert found["result"]["predictions"][0]["label"] == "tripod"
