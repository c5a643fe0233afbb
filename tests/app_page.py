"""The web app in a real browser: a small server of its files, and pages with a fake camera."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import CHROMIUM, QUIET

from whatsit import zoo
from whatsit.serve.site import HEADERS, Site, is_built

MODELS = ("efficientnet-lite0-int8", "mobilenet-v2-int8")
LOCAL = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
HARMLESS = ("INFO:", "WARNING:", "NPU accelerator")  # what the engine writes as errors, and is none
SIZE = (640, 480)


class Server(ThreadingHTTPServer):
    """As Python's own, but for a browser that is closed amid a request: that is its right."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@dataclass
class AppServer:
    """The files of a site at an address of this machine, with the headers that they need."""

    site: Site
    asked: list[str] = field(default_factory=list)

    @cached_property
    def _server(self) -> ThreadingHTTPServer:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.asked.append(self.path)
                found = owner.site.get(self.path.split("?")[0])
                body = b"" if found is None else found.read()
                self.send_response(404 if found is None else 200)
                kind = "text/plain" if found is None else found.content_type
                for name, value in {**HEADERS, "Content-Type": kind}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing."""

        return Server(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def start(self) -> AppServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class AppPage:
    """One page of the app, what it wrote to the console, and what it asked for elsewhere."""

    page: Any
    server: AppServer
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def open(self, place: str = "") -> AppPage:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.page.goto(self.server.url + place)
        return self

    def ready(self) -> AppPage:
        """Waits until the engine has passed its self-test."""
        test = self.fact("Self-test")
        self.until(lambda: test.text_content().startswith("Passed"))
        return self

    def fact(self, name: str) -> Any:
        term = self.page.locator(f'.facts dt:text-is("{name}")')
        return term.locator("xpath=following-sibling::dd")

    @property
    def headline(self) -> str:
        return self.page.locator("#view-look .headline").text_content()

    @property
    def rows(self) -> list[str]:
        return self.page.locator("#view-look .row:not([data-empty]) .row-label").all_text_contents()

    def until(self, good: Any, seconds: float = 20) -> None:
        """Asks again until `good()`: the page's policy allows no code of the driver's own."""
        for _ in range(int(seconds / 0.05)):
            if good():
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"not within {seconds} s: {self.headline!r}, {self.complaints}")

    def _heard(self, message: Any) -> None:
        text = message.text
        if message.type in ("error", "warning") and not any(word in text for word in HARMLESS):
            self.complaints.append(text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.server.url, "blob:", "data:")):
            self.elsewhere.append(request.url)


@pytest.fixture(scope="session")
def app_server() -> Iterator[AppServer]:
    """The app with two models."""
    if not is_built():
        pytest.skip("`make web` has not been run")
    server = AppServer(Site.of([zoo.open_builtin(name) for name in MODELS])).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def camera_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake camera sees: a cat, then coffee, a second each."""
    return write_clip(tmp_path_factory.mktemp("clip") / "camera.mjpeg", ("cat.png", "coffee.png"))


def write_clip(path: Path, pictures: tuple[str, ...], frames: int = 30) -> Path:
    """Golden pictures as motion JPEG, 30 frames a second: JPEG files one behind another."""
    from PIL import Image, ImageOps

    with path.open("wb") as file:
        for name in pictures:
            with Image.open(zoo.GOLDEN / name) as opened:
                image = ImageOps.fit(opened.convert("RGB"), SIZE)
            for _ in range(frames):
                image.save(file, "JPEG", quality=85)
    return path


@contextmanager
def chromium(*more: str) -> Iterator[Any]:
    """Chromium with further switches, from which nothing but local addresses can be had."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=[*QUIET, LOCAL, *more]
        )
        yield opened
        opened.close()


def camera_switches(clip: Path) -> tuple[str, ...]:
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    )
