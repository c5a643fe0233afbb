"""WebKitGTK as the second browser of the tests, steered by its own driver in W3C WebDriver."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the standard gives to an element
_PLACES = ("/usr/lib/*/webkit2gtk-4.1/MiniBrowser", "/usr/lib*/webkit2gtk-4.1/MiniBrowser")
_CAMERA = (
    "--enable-mock-capture-devices=true",
    "--enable-media-stream=true",
    "--media-playback-requires-user-gesture=false",
    "--features=+StorageAPI,+FileSystem",
)
_ALOUD = "--enable-write-console-messages-to-stdout=true"
_ENVIRONMENT = {
    "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # there may be no user namespaces
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "NO_AT_BRIDGE": "1",
}


class Failed(Exception):
    """What the driver says went wrong."""


@dataclass(frozen=True)
class Element:
    """One element of the page, by the driver's name for it."""

    page: Page
    id: str

    def click(self) -> None:
        self.page.ask("POST", f"/element/{self.id}/click", {})

    def type(self, text: str) -> None:
        """Types into it; into a file input, the path of a file."""
        self.page.ask("POST", f"/element/{self.id}/value", {"text": text})

    @property
    def text(self) -> str:
        return str(self.page.ask("GET", f"/element/{self.id}/text"))


class Page:
    """The one window of a WebKit session."""

    def __init__(self, driver: str, session: str) -> None:
        self._address = f"{driver}/session/{session}"

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return _ask(method, self._address + path, body)

    def go(self, address: str) -> None:
        self.ask("POST", "/url", {"url": address})

    def js(self, script: str, *arguments: Any) -> Any:
        """The value of `return …`."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def async_js(self, body: str, *arguments: Any) -> Any:
        """What the body of an async function of `args` returns; its error raises."""
        script = (
            "const done = arguments[arguments.length - 1];"
            "const args = [...arguments].slice(0, -1);"
            f"(async () => {{ {body} }})().then(value => done({{value}}),"
            " error => done({error: String(error)}));"
        )
        path = "/execute/async"
        answer = self.ask("POST", path, {"script": script, "args": list(arguments)})
        if "error" in answer:
            raise Failed(answer["error"])
        return answer.get("value")

    def until(self, script: str, *arguments: Any, seconds: float = 20.0) -> Any:
        """The first value of `return …` that is not false, empty or null."""
        end = time.monotonic() + seconds
        while not (value := self.js(script, *arguments)):
            if time.monotonic() > end:
                raise Failed(f"still {value!r} after {seconds:g} s: {script}")
            time.sleep(0.05)
        return value

    def all(self, css: str) -> list[Element]:
        found = self.ask("POST", "/elements", {"using": "css selector", "value": css})
        return [Element(self, element[_ELEMENT]) for element in found]

    def one(self, css: str) -> Element:
        found = self.all(css)
        if len(found) != 1:
            raise Failed(f"{len(found)} elements are {css!r}")
        return found[0]

    def screenshot(self) -> bytes:
        """A PNG of what is seen."""
        return base64.b64decode(self.ask("GET", "/screenshot"))

    def size(self, width: int, height: int) -> None:
        self.ask("POST", "/window/rect", {"x": 0, "y": 0, "width": width, "height": height})


def missing() -> str | None:
    """Why this engine cannot be had here; None where it can."""
    for program in ("WebKitWebDriver", "Xvfb"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    return None if _browser() else "there is no MiniBrowser of WebKitGTK"


def _browser() -> Path | None:
    found = (path for place in _PLACES for path in sorted(Path("/").glob(place[1:])))
    return next(found, None)


@contextlib.contextmanager
def opened() -> Iterator[Page]:
    """A fresh browser in a screen of its own; everything that was started is ended."""
    with _surroundings() as environment, _driver(environment) as driver, _session(driver) as page:
        yield page


@contextlib.contextmanager
def spoken(address: str) -> Iterator[Callable[[], list[str]]]:
    """What a call gives: the lines in the console so far, of the page and of its workers.

    A browser that a driver steers writes none: its session is a private one. So this one is only
    opened with an address, and left alone.
    """
    with _surroundings() as environment:
        log = Path(environment["HOME"]) / "console.log"
        with open(log, "wb") as out:
            command = [str(_browser()), _ALOUD, *_CAMERA, address]
            browser = _start(command, env=environment, stdout=out, stderr=out)

        def lines() -> list[str]:
            text = log.read_text(encoding="utf-8", errors="replace")
            return [line for line in text.splitlines() if "CONSOLE" in line]

        with _ended(browser):
            yield lines


@contextlib.contextmanager
def _surroundings() -> Iterator[dict[str, str]]:
    """An environment with a screen and a home of its own, so that nothing of another run is met."""
    # The network process may still write while it ends.
    folder = tempfile.TemporaryDirectory(prefix="webkit-", ignore_cleanup_errors=True)
    with folder as home, _screen() as display:
        own = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
        yield {**os.environ, **_ENVIRONMENT, "DISPLAY": display, **dict.fromkeys(own, home)}


@contextlib.contextmanager
def _screen() -> Iterator[str]:
    """Its name, such as ":99": the first that is free."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x1000x24", "-nolisten", "tcp"]
    with _ended(_start(command, pass_fds=[write])):
        os.close(write)
        with open(read, encoding="ascii") as pipe:
            number = pipe.readline().strip()
        if not number:
            raise Failed("Xvfb did not start")
        yield f":{number}"


@contextlib.contextmanager
def _driver(environment: Mapping[str, str]) -> Iterator[str]:
    """Its address. It is started without a wrapper: an old one must never be left to answer."""
    port = _free_port()
    command = ["WebKitWebDriver", "--host=127.0.0.1", f"--port={port}"]
    with _ended(driver := _start(command, env=environment)):
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, driver)
        yield address


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Failed(f"WebKitWebDriver ended with {process.returncode}")
        with contextlib.suppress(OSError):
            if _ask("GET", f"{address}/status", None)["ready"]:
                return
        time.sleep(0.05)
    raise Failed(f"WebKitWebDriver was not ready after {seconds:g} s")


@contextlib.contextmanager
def _session(driver: str) -> Iterator[Page]:
    options = {"binary": str(_browser()), "args": ["--automation", *_CAMERA]}
    wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
    session = _ask("POST", f"{driver}/session", {"capabilities": wanted})["sessionId"]
    page = Page(driver, session)
    page.ask("POST", "/timeouts", {"script": 60_000, "pageLoad": 60_000})
    try:
        yield page
    finally:
        with contextlib.suppress(OSError, Failed):
            page.ask("DELETE", "")


def _start(
    command: list[str],
    *,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """A process that leads a group of its own, in which all that it starts will be."""
    return subprocess.Popen(
        command,
        env=env,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,
    )


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """At the end, the process and all that it started are gone."""
    try:
        yield
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)


def _ask(method: str, address: str, body: dict[str, Any] | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    request.method = method
    try:
        with _OPENER.open(request, timeout=90) as response:
            return json.load(response)["value"]
    except urllib.error.HTTPError as error:
        with error:
            said = json.load(error)["value"]
        raise Failed(f"{said['error']}: {said['message']}") from None


# What the environment says of proxies is not meant for this machine itself.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
