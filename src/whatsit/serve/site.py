"""The files of the web app, as one value: what a server sends, and what an export writes.

They are the app's own (the folder web/), the engine that `make web` puts into web/rt/, and the
models.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import posixpath
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .. import __version__, zoo
from ..bundle import Bundle
from ..errors import AppMissing, UsageError

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
        "worker-src 'self' blob:; connect-src 'self'; img-src 'self' blob: data:; "
        "style-src 'self' 'unsafe-inline'; font-src 'self'; manifest-src 'self'; "
        "media-src 'self' blob: mediastream:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'",
        # These two let the page use threads.
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
)

_WEB = Path(__file__).parent / "web"
_RT = _WEB / "rt"
_VERSIONS = "versions.json"  # written last by tools/web/build.mjs
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_PLAIN = "text/plain; charset=utf-8"
_PACKED = frozenset({".jpg", ".png", ".woff2"})  # gzip gains nothing on these
_WORTH = 0.95  # of the size: what gzip makes no smaller than this is sent as it is
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_PRELOAD = b"<!-- modulepreload -->"  # in the start page, where its modules are to be named
_FIRST = ("app/early.js", "app/main.js")  # the scripts of that page
_IMPORT = re.compile(r'^(?:import|export)\b[^;"]*?"(\.{1,2}/[^"]+)";', re.MULTILINE)
_DIGITS = 12  # of a sha256, in the file name of a model whose own name is no file name


@dataclass(frozen=True)
class SiteFile:
    """One file: its path below the site's address, its content, its sha256 and size."""

    path: str
    content_type: str
    sha256: str
    size_bytes: int
    _plain: bytes | None = field(repr=False)
    _stored: bytes | None = field(default=None, repr=False)  # gzipped already
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def of(cls, path: str, data: bytes) -> SiteFile:
        """The file of this content."""
        return cls(path, _content_type(path), hashlib.sha256(data).hexdigest(), len(data), data)

    def read(self) -> bytes:
        """The content."""
        if self._plain is not None:
            return self._plain
        assert self._stored is not None
        return gzip.decompress(self._stored)

    def gzipped(self) -> bytes | None:
        """The content as gzip, made on the first call; None where that is no smaller."""
        if self._stored is not None:
            return self._stored
        with self._lock:  # several requests may be the first
            return self._zipped

    @cached_property
    def _zipped(self) -> bytes | None:
        if Path(self.path).suffix in _PACKED:
            return None
        data = self.read()
        zipped = gzip.compress(data, 9, mtime=0)
        return zipped if len(zipped) < _WORTH * len(data) else None


@dataclass(frozen=True)
class Site:
    """All files by path. `version` is another one as soon as a byte of one of them is."""

    version: str
    files: Mapping[str, SiteFile] = field(repr=False)

    @classmethod
    def of(cls, models: Sequence[Bundle]) -> Site:
        """The app with these models, the first of which is the one that it opens with.

        Raises AppMissing where `make web` has not been run, UsageError for two models of a name.
        """
        if not is_built():
            raise AppMissing(
                "the web app is not whole: the engine that runs its models is not there",
                expected=f"the folder {str(_RT)!r}",
                hint="`make web` builds it; it needs Node.js. A wheel of whatsit has it inside",
            )
        if not models:
            raise UsageError("a web app without a model", expected="at least one")
        listed = [*_own_files(), *_engine_files(), *_model_files(models)]
        files = {file.path: file for file in sorted(listed, key=lambda file: file.path)}
        facts = {p: {"sha256": f.sha256, "bytes": f.size_bytes} for p, f in files.items()}
        version = hashlib.sha256(_json([__version__, facts])).hexdigest()[:16]
        about = _json({"version": version, "app": __version__, "files": facts})
        files["version.json"] = SiteFile.of("version.json", about)
        return cls(version, MappingProxyType(files))

    def get(self, path: str) -> SiteFile | None:
        """The file at this path, the start page at an empty one; None if there is none."""
        return self.files.get(path.removeprefix("/") or "index.html")


def is_built() -> bool:
    """Whether `make web` has been run, so that there is an engine for the app."""
    return (_RT / _VERSIONS).is_file()


def _own_files() -> Iterator[SiteFile]:
    for file in sorted(_WEB.rglob("*")):
        path = file.relative_to(_WEB)
        if file.is_file() and path.parts[0] != _RT.name and not file.name.startswith("."):
            data = file.read_bytes()
            if _PRELOAD in data and path.name == "index.html":
                data = data.replace(_PRELOAD, _preloads())
            yield SiteFile.of(path.as_posix(), data)


def _preloads() -> bytes:
    """Links to all modules that the app starts with.

    A browser then asks for them at once, and not for each where it finds the one that imports it.
    """
    found = [*_FIRST]
    for path in found:  # grows meanwhile
        text = (_WEB / path).read_text(encoding="utf-8")
        near = (posixpath.normpath(f"{path}/../{name}") for name in _IMPORT.findall(text))
        found += dict.fromkeys(other for other in near if other not in found)
    return "\n".join(f'<link rel="modulepreload" href="{path}">' for path in found).encode()


def _engine_files() -> Iterator[SiteFile]:
    wasm = json.loads((_RT / _VERSIONS).read_bytes())["wasm"]
    for file in sorted(_RT.iterdir()):
        path = f"{_RT.name}/{file.name}"
        if file.suffix != ".gz":
            yield SiteFile.of(path, file.read_bytes())
            continue
        facts = wasm[file.stem]
        path = path.removesuffix(".gz")
        kind = _content_type(path)
        yield SiteFile(path, kind, facts["sha256"], facts["bytes"], None, file.read_bytes())


def _model_files(models: Sequence[Bundle]) -> Iterator[SiteFile]:
    rows: list[dict[str, Any]] = []
    for bundle in models:
        if any(row["name"] == bundle.name for row in rows):
            raise UsageError(
                f"two models of the name {bundle.name!r}",
                expected="a name for each",
                hint="the name is that of the file, without .tflite",
            )
        row = _row(bundle)
        kind = _content_type(row["file"])
        yield SiteFile(row["file"], kind, bundle.sha256, len(bundle.data), bundle.data)
        rows.append(row)
    runtime = hashlib.sha256((_RT / _VERSIONS).read_bytes()).hexdigest()[:_DIGITS]
    index = {"default": models[0].name, "runtime": runtime, "models": rows}
    yield SiteFile.of("models/index.json", _json(index))


def _row(bundle: Bundle) -> dict[str, Any]:
    """The entry of one model in models/index.json."""
    name, digits = bundle.name, bundle.sha256[:_DIGITS]
    stem = name if _PLAIN_NAME.fullmatch(name) else f"model-{digits}"
    return {
        "name": name,
        "file": f"models/{stem}.tflite",
        "bytes": len(bundle.data),
        "sha256": bundle.sha256,
        "classes": bundle.output.classes,
        "input": [bundle.input.height, bundle.input.width],
        "preprocess": str(bundle.preprocess),
        "licence": bundle.metadata.license,
        "accuracy": _accuracy(bundle),
        "builtin": zoo.is_builtin(bundle),
    }


def _accuracy(bundle: Bundle) -> list[Any]:
    """What a bundle says was measured of it; what others wrote there may be anything."""
    said = bundle.record.get("accuracy")
    return [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []


def _content_type(path: str) -> str:
    return _TYPES.get(Path(path).suffix, _PLAIN)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
