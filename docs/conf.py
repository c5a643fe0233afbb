"""How Sphinx makes a site of the Markdown: `make docs`, or sphinx-build -c docs . site.

The source folder is the whole project, so that a link means the same here and where the code is
hosted. What stands in the navigation is what docs/index.md links to, heading by heading.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
INDEX = "docs/index"
_LINK = re.compile(r"^- \[[^\]]+\]\(([^)]+)\.md\)", re.MULTILINE)

project = "whatsit"
html_title = "whatsit"
extensions = ["myst_parser"]
root_doc = INDEX
source_suffix = {".md": "markdown"}
include_patterns = [
    "docs/**.md",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "CREDITS.md",
    "benchmarks/README.md",
    "tools/zoo/README.md",
]
# The folders that would take long to walk through.
exclude_patterns = [".*", "site", "dist", "src", "tests", "LICENSES"]
nitpicky = True
highlight_language = "text"
myst_enable_extensions = ["html_image"]  # pictures with a width
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = False  # the licence says it
html_show_sourcelink = False
html_copy_source = False
html_show_search_summary = False  # would fetch each page, which a browser forbids for files
html_use_index = False
html_theme_options = {"top_of_page_buttons": []}


def _path(link: str) -> str:
    """The document that a link in docs/index.md names, as seen from the project."""
    return f"/{link[3:]}" if link.startswith("../") else f"/docs/{link}"


def _toctrees(index: str) -> str:
    """A hidden table of contents for each section of the index."""
    trees = []
    for section in index.split("\n## ")[1:]:
        caption = section.split("\n", 1)[0]
        pages = "\n".join(map(_path, _LINK.findall(section)))
        trees.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n")
    return "\n".join(trees)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    if name == INDEX:
        source[0] += f"\n\n{_toctrees(source[0])}"


def _forward(app: Sphinx, trouble: Exception | None) -> None:
    """The folder's own index.html leads to that of docs/, which is the first page."""
    if trouble is None and app.builder.format == "html":
        page = '<!doctype html><meta charset="utf-8"><title>whatsit</title>'
        page += f'<meta http-equiv="refresh" content="0; url={INDEX}.html">'
        page += f'<a href="{INDEX}.html">whatsit</a>\n'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.connect("source-read", _read)
    app.connect("build-finished", _forward)
