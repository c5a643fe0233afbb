"""The browsers that benchmarks/app.py measures in, and what they send and receive."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # which has WebKitGTK's driver

_QUIET = (
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_INPUT = """
  document.querySelector("#benchmark")?.remove();
  const input = Object.assign(document.createElement("input"), {type: "file", multiple: true});
  input.id = "benchmark";
  document.body.append(input);
"""


class Browser(Protocol):
    """A page in which scripts run, the bodies of async functions of `args`."""

    def go(self, address: str) -> None: ...

    def ask(self, body: str, *arguments: Any) -> Any: ...

    def give(self, files: Sequence[Path]) -> None:
        """Chooses files in the page's input #benchmark, as a person would."""


class Chromium:
    """A page of a browser that keeps its data in `profile`."""

    def __init__(self, page: Any, profile: Path) -> None:
        self.page = page
        self.profile = profile
        self.devtools = page.context.new_cdp_session(page)

    def go(self, address: str) -> None:
        self.page.goto(address)

    def ask(self, body: str, *arguments: Any) -> Any:
        return self.page.evaluate(f"async (args) => {{ {body} }}", list(arguments))

    def give(self, files: Sequence[Path]) -> None:
        self.ask(_INPUT)
        self.page.locator("#benchmark").set_input_files([str(file) for file in files])


class WebKit:
    """The window of a WebKitGTK that is steered by its own driver."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def go(self, address: str) -> None:
        self._page.go(address)

    def ask(self, body: str, *arguments: Any) -> Any:
        return self._page.async_js(body, *arguments)

    def give(self, files: Sequence[Path]) -> None:
        self.ask(_INPUT)
        self._page.one("#benchmark").type("\n".join(str(file) for file in files))


@contextlib.contextmanager
def chromium(
    profile: Path, *switches: str, before: str = "", device: str | None = None
) -> Iterator[Chromium]:
    """With a script that runs ahead of those of each page; a `device` is one of Playwright's.

    At the end, what was asked of other hosts on behalf of a page is an error.
    """
    from playwright.sync_api import sync_playwright

    log = profile / "requests.json"
    with sync_playwright() as driver:
        options = dict(driver.devices[device]) if device else {}
        options.pop("default_browser_type", None)
        context = driver.chromium.launch_persistent_context(
            str(profile),
            executable_path=shutil.which("chromium"),
            chromium_sandbox=False,
            args=[*_QUIET, f"--log-net-log={log}", *switches],
            **options,
        )
        if before:
            context.add_init_script(before)
        yield Chromium(context.pages[0], profile)
        context.close()
    if elsewhere := _elsewhere(log):
        sys.exit(f"asked of other hosts: {', '.join(elsewhere)}")


@contextlib.contextmanager
def webkit() -> Iterator[WebKit]:
    """Ends the program where it is not installed."""
    import webkit as driver

    if reason := driver.missing():
        sys.exit(reason)
    with driver.opened() as page:
        page.size(420, 920)
        yield WebKit(page)


def _elsewhere(log: Path) -> list[str]:
    """The addresses on other hosts that pages and their workers asked for, by Chromium's own log.

    The browser's own requests are in it as well, but have no initiator.
    """
    asked = set()
    for event in json.loads(log.read_text(encoding="utf-8"))["events"]:
        params = event.get("params", {})
        url, initiator = params.get("url", ""), params.get("initiator", "not an origin")
        if initiator.startswith("http") and not url.startswith((initiator, "blob:", "data:")):
            asked.add(url)
    return sorted(asked)


class Wire:
    """A port that passes everything on to a server, and counts the bytes that come back."""

    def __init__(self, port: int) -> None:
        self.received_bytes = 0
        self._to = port
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                browser, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                for way in ((browser, server, False), (server, browser, True)):
                    threading.Thread(target=self._pass, args=way, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    with self._lock:
                        self.received_bytes += len(data)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                end.close()


@contextlib.contextmanager
def fresh_profile() -> Iterator[Path]:
    """A folder for a browser's data, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="profile-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def facts() -> dict[str, str]:
    """What runs the app here."""
    found = shutil.which("chromium")
    if found is None:
        sys.exit("there is no chromium")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    return {"browser": said.stdout.strip()}
