"""The site of docs/: built without a warning, whole, and silent when it is opened."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
# What a browser fetches by itself; a link to click on is something else.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object|track)\b[^>]*?\b
        (?:src|srcset|data|poster)=["']([^"']*) | <link\b[^>]*?\bhref=["']([^"']*)""",
    re.VERBOSE,
)
IN_CSS = re.compile(r"""@import\s+["']([^"']+) | url\(\s*["']?([^"')]+)""", re.VERBOSE)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module, reason=f"{module} is not installed: no site can be built")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    command += ["-c", "docs", "-d", str(tmp_path_factory.mktemp("doctrees")), ".", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out


def pages_of(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_page_is_on_the_site(site: Path) -> None:
    written = {p.relative_to(ROOT).with_suffix("") for p in (ROOT / "docs").rglob("*.md")}
    built = {page.relative_to(site).with_suffix("") for page in pages_of(site)}
    assert written <= built
    assert {Path("README"), Path("CONTRIBUTING"), Path("CHANGELOG"), Path("index")} <= built


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"^- \[[^\]]+\]\(([^)]+\.md)\)", index, re.MULTILINE))
    docs = ROOT / "docs"
    written = {str(page.relative_to(docs)) for page in docs.rglob("*.md")} - {"index.md"}
    assert written - linked == set(), "add a line to docs/index.md"


def test_every_page_is_asked_for_in_the_readme() -> None:
    """Cards aside, of which each is linked on the page of models."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [page.name for page in (ROOT / "docs").glob("*.md")]
    assert [name for name in names if f"(docs/{name})" not in readme] == []


def test_the_first_page_leads_to_the_index(site: Path) -> None:
    assert 'content="0; url=docs/index.html"' in (site / "index.html").read_text("utf-8")
    assert (site / "docs" / "index.html").exists()


def test_nothing_of_another_server_is_named(site: Path) -> None:
    asked: list[str] = []
    for page in pages_of(site):
        for groups in FETCHED.findall(page.read_text(encoding="utf-8")):
            asked += [f"{page.name}: {url}" for url in groups if is_elsewhere(url)]
    for sheet in [*site.rglob("*.css"), *site.rglob("*.svg")]:
        for groups in IN_CSS.findall(sheet.read_text(encoding="utf-8")):
            asked += [f"{sheet.name}: {url}" for url in groups if is_elsewhere(url)]
    assert asked == []


def is_elsewhere(url: str) -> bool:
    return url.startswith("//") or urlsplit(url).scheme not in ("", "data")


def test_links_between_pages_lead_somewhere(site: Path) -> None:
    """Also those into the middle of a page."""
    text = {page: page.read_text(encoding="utf-8") for page in pages_of(site)}
    ids = {page: set(re.findall(r'\bid="([^"]+)"', html)) for page, html in text.items()}
    lost = []
    for page, html in text.items():
        for href in re.findall(r'<a\b[^>]*?\bhref="([^"]+)"', html):
            parts = urlsplit(href)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            found = target in ids and (not parts.fragment or parts.fragment in ids[target])
            if not found and not (target.is_file() and target.suffix != ".html"):
                lost.append(f"{page.relative_to(site)}: {href}")
    assert lost == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_pages_open_alone_and_fit(browser: Any, site: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    trouble = []
    # The first page only leads to that of docs/; the next test searches.
    for file in set(pages_of(site)) - {site / "index.html", site / "search.html"}:
        page.goto(file.as_uri())
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            trouble.append(f"{file.name} is {wide} pixels wide")
        if page.evaluate(UNLOADED):
            trouble.append(f"{file.name}: a picture is missing")
    assert trouble == []
    assert said == []
    own = site.as_uri()
    assert [url for url in asked if not url.startswith((own, "data:"))] == []
    context.close()


UNLOADED = "[...document.images].filter(e => !e.complete || !e.naturalWidth).length"


def test_the_search_works_offline(browser: Any, site: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "search.html").as_uri() + "?q=calibration")
    page.wait_for_selector("ul.search li a", timeout=30_000)
    assert page.locator("ul.search li a").count() > 2
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []
    page.close()
