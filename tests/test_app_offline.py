"""The app without a network: kept whole, renewed whole, isolated on hosts that send no headers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from app_page import LOCAL, AppPage, AppServer, app_server  # noqa: F401 -- a fixture
from conftest import CHROMIUM, QUIET
from static_host import StaticHost

from whatsit.serve.export import export
from whatsit.serve.site import Site, SiteFile

FIRST_VISIT_BYTES = 8_000_000  # gzip, of everything that one engine fetches
# Opens no cache: one that the service worker has deleted meanwhile would be there again, and stay.
WORKERS = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  return {
    active: registration?.active?.state ?? "",
    installing: Boolean(registration?.installing),
    waiting: Boolean(registration?.waiting),
    versions: (await caches.keys()).map((name) => name.split(" ").at(-1)),
  };
}"""
# Only of a version that a worker is for.
FILES = """async (version) => {
  const name = (await caches.keys()).find((name) => name.endsWith(" " + version));
  const kept = await (await caches.open(name)).keys();
  return kept.map(({ url }) => new URL(url).pathname);
}"""


@contextmanager
def visit(profile: Path, host: StaticHost, place: str = "") -> Iterator[AppPage]:
    """The app in a browser that keeps its data in `profile`, once its engine is ready."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(profile),
            executable_path=CHROMIUM,
            chromium_sandbox=False,
            args=[*QUIET, LOCAL],
        )
        yield AppPage(context.pages[0], host).open(place).ready()  # type: ignore[arg-type]
        context.close()


def workers(app: AppPage) -> dict[str, Any]:
    """The state of the service worker in use, whether others come, and the versions kept."""
    return app.page.evaluate(WORKERS)


def kept_files(app: AppPage, version: str) -> list[str]:
    return app.page.evaluate(FILES, version)


def wait_until_kept(app: AppPage, version: str) -> list[str]:
    """The paths of what is kept, once it is all of `version` and nothing else."""
    settled = {"active": "activated", "installing": False, "waiting": False, "versions": [version]}
    app.until(lambda: workers(app) == settled)
    return kept_files(app, version)


def answer(app: AppPage, sample: str = "coffee") -> list[str]:
    """The rows for a sample picture of the start screen."""
    app.page.get_by_role("button", name=f"sample picture: {sample}").click()
    app.until(lambda: bool(app.rows))
    return app.rows


def changed(site: Site, **texts: str) -> dict[str, SiteFile]:
    """The files with some of them longer, and a version.json that says so."""
    files = dict(site.files)
    for path, text in texts.items():
        name = path.replace("__", "/").replace("_css", ".css").replace("_html", ".html")
        files[name] = SiteFile.of(name, site.files[name].read() + text.encode())
    about = json.loads(site.files["version.json"].read())
    facts = {p: {"sha256": f.sha256, "bytes": f.size_bytes} for p, f in files.items()}
    del facts["version.json"]
    about |= {"version": f"{len(texts)}-{site.version}", "files": facts}
    files["version.json"] = SiteFile.of("version.json", json.dumps(about).encode())
    return files


@pytest.fixture
def host(app_server: AppServer) -> Iterator[StaticHost]:  # noqa: F811
    server = StaticHost(app_server.site.files)
    yield server
    server.stop()


def test_after_one_visit_it_works_without_a_server(
    host: StaticHost,
    tmp_path: Path,
    app_server: AppServer,  # noqa: F811
) -> None:
    with visit(tmp_path, host) as app:
        files = wait_until_kept(app, app_server.site.version)
        assert host.sent_bytes <= FIRST_VISIT_BYTES
        wasm = [path for path in files if path.endswith(".wasm")]
        assert wasm == ["/rt/litert_wasm_threaded_internal.wasm"]  # what this engine can use
        assert [path for path in files if path.endswith(".tflite")] == [
            "/models/efficientnet-lite0-int8.tflite"
        ]
        devtools = app.page.context.new_cdp_session(app.page)
        assert devtools.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
        assert devtools.send("Page.getAppManifest")["errors"] == []
        online = answer(app)
        assert app.elsewhere == []
    # Nothing large came twice: not for the page, and not again to be kept.
    for path in (wasm[0].lstrip("/"), "models/efficientnet-lite0-int8.tflite"):
        assert host.sent[path] == 1
    host.stop()
    with visit(tmp_path, host, "?source=home") as app:
        assert app.page.evaluate("crossOriginIsolated")
        assert answer(app) == online
        assert app.page.locator(".badge", has_text="Offline").is_visible()
        told = "fetch('v1/models').then(() => 'answered', () => 'failed')"
        assert app.page.evaluate(told) == "failed"
        assert app.page.evaluate("fetch('app.css?x=1').then((r) => r.ok)")
        assert app.elsewhere == []


def test_an_update_is_whole_or_not_at_all_and_reloads_nothing(
    host: StaticHost,
    tmp_path: Path,
    app_server: AppServer,  # noqa: F811
) -> None:
    site = app_server.site
    with visit(tmp_path, host) as app:
        wait_until_kept(app, site.version)
        page = app.page
        # Half an update: version.json tells of a style that the host does not have yet.
        new = changed(site, app_css="/* new */")
        host.files = {**new, "app.css": site.files["app.css"]}
        host.asked.clear()
        page.reload()
        app.ready().until(lambda: "app.css" in host.asked)  # what the browser still has will not do
        app.until(lambda: not (workers(app)["installing"] or workers(app)["waiting"]))
        assert not page.get_by_text("A new version is ready").is_visible()
        needed = {"/index.html", "/app.css", "/app/main.js"}
        assert needed <= set(kept_files(app, site.version))
        # The whole of it.
        host.files = new
        host.asked.clear()
        page.reload()
        app.ready()
        page.evaluate("window.stays = true")
        notice = page.get_by_text("A new version is ready")
        app.until(notice.is_visible)
        page.wait_for_timeout(300)
        assert page.evaluate("window.stays") is True  # nothing reloads by itself
        assert "/* new */" not in page.evaluate("fetch('app.css').then((r) => r.text())")
        assert "models/efficientnet-lite0-int8.tflite" not in host.asked  # it is the same
        with page.expect_navigation():
            page.get_by_role("button", name="Reload").click()
        app.ready()
        wait_until_kept(app, json.loads(new["version.json"].read())["version"])
        assert "/* new */" in page.evaluate("fetch('app.css').then((r) => r.text())")
        assert not notice.is_visible()


@dataclass(frozen=True)
class Held:
    """A file that is not sent before `free` is set."""

    file: SiteFile
    free: threading.Event

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def gzipped(self) -> bytes | None:
        self.free.wait(30)
        return self.file.gzipped()


def test_a_version_that_waits_or_installs_outlasts_what_becomes_of_another(
    host: StaticHost,
    tmp_path: Path,
    app_server: AppServer,  # noqa: F811
) -> None:
    site = app_server.site
    other = "models/mobilenet-v2-int8.tflite"
    second = changed(site, app_css="/* second */")
    third = changed(site, app_css="/* third */", index_html="<!-- third -->")
    first_version, second_version, third_version = (
        json.loads(files["version.json"].read())["version"] for files in (site.files, second, third)
    )
    with visit(tmp_path, host) as app:
        wait_until_kept(app, first_version)
        page = app.page
        assert page.evaluate(f"fetch('{other}').then(async (r) => (await r.blob()).size)") > 1e6
        app.until(lambda: "/" + other in kept_files(app, first_version))
        notice = page.get_by_text("A new version is ready")
        host.files = second
        page.reload()
        app.ready().until(notice.is_visible)
        # A third version cannot be had whole: the second waits as before.
        host.files = {**third, "app.css": site.files["app.css"]}
        host.asked.clear()
        page.reload()
        app.ready().until(lambda: "app.css" in host.asked and not workers(app)["installing"])
        assert {first_version, second_version} <= set(workers(app)["versions"])
        # The third is on its way when a person asks for the second.
        free = threading.Event()
        host.files = {**third, "app.css": Held(third["app.css"], free)}  # type: ignore[dict-item]
        host.asked.clear()
        page.reload()
        app.ready().until(lambda: "app.css" in host.asked)
        with page.expect_navigation():
            page.get_by_role("button", name="Reload").click()
        app.ready()
        assert "/* second */" in page.evaluate("fetch('app.css').then((r) => r.text())")
        free.set()
        app.until(notice.is_visible)
        with page.expect_navigation():
            page.get_by_role("button", name="Reload").click()
        app.ready()
        assert "/" + other in wait_until_kept(app, third_version)  # what was used follows
        host.stop()
        page.reload()
        app.ready()
        assert "/* third */" in page.evaluate("fetch('app.css').then((r) => r.text())")


def test_on_a_host_without_headers_the_second_visit_is_isolated(
    tmp_path: Path,
    app_server: AppServer,  # noqa: F811
) -> None:
    out = tmp_path / "export"
    export(app_server.site, out)
    paths = [path for path in sorted(out.rglob("*")) if path.is_file()]
    names = [path.relative_to(out).as_posix() for path in paths]
    files = {n: SiteFile.of(n, p.read_bytes()) for n, p in zip(names, paths, strict=True)}
    host = StaticHost(files, folder="/pages/whatsit/", headers={})
    try:
        with visit(tmp_path / "profile", host) as app:
            assert not app.page.evaluate("crossOriginIsolated")
            assert app.fact("Threads").text_content() == "1"
            wait_until_kept(app, app_server.site.version)
            app.page.reload()
            app.ready()
            assert app.page.evaluate("crossOriginIsolated")
            assert app.fact("Threads").text_content() != "1"
            wait_until_kept(app, app_server.site.version)
            first = answer(app)
            host.stop()
            app.page.reload()
            app.ready()
            assert app.page.evaluate("crossOriginIsolated")
            assert app.fact("Threads").text_content() != "1"
            assert answer(app) == first
            assert app.elsewhere == []
    finally:
        host.stop()
