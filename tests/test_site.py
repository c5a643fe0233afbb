"""The files of the web app, as one value."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from js import Js
from make_models import bundle, pixels
from PIL import Image

import whatsit
from whatsit import AppMissing, Bundle, UsageError, zoo
from whatsit.serve import site as site_module
from whatsit.serve.site import HEADERS, Site, SiteFile, is_built

FIRST_VISIT_BYTES = 8_000_000  # gzipped: what a phone fetches before its first answer

SAMPLES = Path(site_module.__file__).parent / "web/samples"
SAME = 2e-5  # the answers are kept with five digits, and floats differ in the last bits

needs_app = pytest.mark.skipif(not is_built(), reason="the web app is not built: make web")


@pytest.fixture(scope="module")
def site() -> Site:
    return Site.of([zoo.open_builtin(name) for name in zoo.catalogue()])


def own_model() -> Bundle:
    return Bundle.from_bytes(bundle(pixels(), 768), "own")


def read_json(site: Site, path: str) -> dict[str, object]:
    file = site.get(path)
    assert file is not None
    value: dict[str, object] = json.loads(file.read())
    return value


@needs_app
def test_every_file_is_what_version_json_says(site: Site) -> None:
    about = read_json(site, "version.json")
    assert about["version"] == site.version
    assert site.files.keys() == {*about["files"], "version.json"}
    for path, facts in about["files"].items():
        data = site.files[path].read()
        assert facts == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}, path


@needs_app
def test_gzip_gives_the_same_bytes_and_only_where_it_helps(site: Site) -> None:
    for path, file in site.files.items():
        zipped = file.gzipped()
        assert file.gzipped() is zipped, "made once"
        if zipped is None:
            assert path.endswith((".png", ".jpg", ".md", ".json", ".svg", "LICENSE")), path
        else:
            assert len(zipped) < file.size_bytes
            assert gzip.decompress(zipped) == file.read()


@needs_app
def test_a_first_visit_is_small(site: Site) -> None:
    def fetched(path: str) -> bool:
        if path.startswith("rt/"):
            return path.startswith(("rt/litert.js", "rt/litert_wasm_threaded"))  # the largest
        if path.startswith("models/"):
            return path in ("models/index.json", f"models/{zoo.DEFAULT}.tflite")
        return True

    files = [file for path, file in site.files.items() if fetched(path)]
    total = sum(len(file.gzipped() or file.read()) for file in files)
    assert total < FIRST_VISIT_BYTES


@needs_app
def test_one_byte_more_is_another_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, site: Site
) -> None:
    models = [zoo.open_builtin(name) for name in zoo.catalogue()]
    assert Site.of(models).version == site.version
    web = tmp_path / "web"
    web.mkdir()
    (web / "index.html").write_text("<!doctype html>", encoding="utf-8")
    (web / ".hidden").write_text("not for the site", encoding="utf-8")
    monkeypatch.setattr(site_module, "_WEB", web)
    before = Site.of(models)
    assert before.get("").read() == b"<!doctype html>"
    assert before.get(".hidden") is None
    (web / "index.html").write_text("<!doctype html> ", encoding="utf-8")
    assert Site.of(models).version != before.version


@needs_app
def test_the_index_lists_the_models(site: Site) -> None:
    index = read_json(site, "models/index.json")
    assert index["default"] == zoo.DEFAULT
    rows = index["models"]
    assert [row["name"] for row in rows] == list(zoo.catalogue())
    for row in rows:
        entry = zoo.catalogue()[row["name"]]
        assert row["sha256"] == entry.sha256 == site.files[row["file"]].sha256
        assert row["bytes"] == entry.size_bytes
        assert tuple(row["input"]) == entry.input
        assert row["preprocess"] == entry.preprocess
        assert row["licence"] == entry.licence
        assert row["classes"] == 1000
        assert row["builtin"]
        assert [r["top1"] for r in row["accuracy"]] == [r["top1"] for r in entry.accuracy]


@needs_app
@pytest.mark.parametrize("name", zoo.catalogue())
def test_the_self_test_expects_what_python_answers(site: Site, name: str) -> None:
    expected = read_json(site, "samples/expected.json")
    assert list(expected) == [entry.sha256 for entry in zoo.catalogue().values()]
    answers = expected[zoo.catalogue()[name].sha256]
    with whatsit.load(name, raw=True) as model:
        for picture, best in answers.items():
            found = model.classify(SAMPLES / picture, top=len(best)).predictions
            assert [p.index for p in found] == [index for index, _ in best]
            assert [p.score for p in found] == pytest.approx([s for _, s in best], abs=SAME)


def test_the_self_test_is_of_samples_that_are_there(js: Js) -> None:
    pictures = js("engine/selftest.js", "PICTURES.slice")
    expected = json.loads((SAMPLES / "expected.json").read_bytes())
    assert all(list(answers) == pictures for answers in expected.values())
    assert all((SAMPLES / picture).is_file() for picture in pictures)


def test_samples_are_the_golden_pictures_made_smaller() -> None:
    for golden in (path for path in zoo.GOLDEN.iterdir() if path.suffix != ".json"):
        with Image.open(golden) as large, Image.open(SAMPLES / f"{golden.stem}.jpg") as small:
            assert max(small.size) <= 480
            assert "icc_profile" not in small.info
            close = large.convert("RGB").resize(small.size, Image.Resampling.LANCZOS)
            levels = np.abs(np.asarray(close, float) - np.asarray(small.convert("RGB"), float))
        assert levels.mean() < 4, golden.name


@needs_app
def test_a_model_of_ones_own_comes_under_a_plain_file_name() -> None:
    own = replace(own_model(), name="Ärger & <Spaß>/../x")
    small = Site.of([own])
    (row,) = read_json(small, "models/index.json")["models"]
    assert row["name"] == own.name
    assert re.fullmatch(r"models/model-[0-9a-f]{12}\.tflite", row["file"])
    assert not row["builtin"]
    assert small.files[row["file"]].read() == own.data


@needs_app
@pytest.mark.parametrize("said", [None, "84 %", [3, {"data_set": "mine", "top1": 90.0}]])
def test_accuracy_that_others_wrote_may_be_anything(said: object) -> None:
    own = own_model()
    own = replace(own, record={**own.record, "accuracy": said})
    (row,) = read_json(Site.of([own]), "models/index.json")["models"]
    assert row["accuracy"] == ([said[1]] if isinstance(said, list) else [])


@needs_app
def test_two_models_of_one_name_are_refused() -> None:
    own = own_model()
    with pytest.raises(UsageError, match=r"^two models of the name 'own'$") as caught:
        Site.of([own, replace(own)])
    assert caught.value.expected == "a name for each"


@needs_app
def test_no_model_is_refused() -> None:
    with pytest.raises(UsageError, match="without a model"):
        Site.of([])


def test_without_the_engine_there_is_no_app(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(site_module, "_RT", tmp_path)
    assert not is_built()
    with pytest.raises(AppMissing, match="the engine that runs its models is not there") as caught:
        Site.of([own_model()])
    assert caught.value.code == "app-missing"
    assert caught.value.expected == f"the folder {str(tmp_path)!r}"
    assert "make web" in caught.value.hint


@needs_app
def test_what_others_made_is_named_with_its_licence(site: Site) -> None:
    assert b"Apache License" in site.files["rt/LICENSE"].read()
    notices = site.files["rt/THIRD_PARTY.md"].read().decode()
    for package in read_json(site, "rt/versions.json")["packages"]:
        assert f"{package['name']} {package['version']}" in notices
    assert "What was changed" in notices


@needs_app
def test_files_have_types_that_a_strict_browser_takes(site: Site) -> None:
    kinds = {Path(path).suffix: file.content_type for path, file in site.files.items()}
    assert kinds[".wasm"] == "application/wasm"
    assert kinds[".js"].startswith("text/javascript")
    assert kinds[".webmanifest"] == "application/manifest+json"
    assert not any(path.endswith(".gz") for path in site.files)


def test_headers_let_the_page_use_threads_and_nothing_of_others() -> None:
    assert HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"
    assert HEADERS["Cross-Origin-Embedder-Policy"] == "require-corp"
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy


def test_many_requests_at_once_compress_a_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    file = SiteFile.of("models/x.tflite", b"abc" * 10_000)
    calls = []
    compress = gzip.compress

    def counted(*arguments: object, **options: object) -> bytes:
        calls.append(1)
        return compress(*arguments, **options)

    monkeypatch.setattr(site_module.gzip, "compress", counted)
    threads = [threading.Thread(target=file.gzipped) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_what_gzip_cannot_shrink_is_sent_as_it_is() -> None:
    noise = hashlib.sha256(b"noise").digest()
    assert SiteFile.of("models/x.tflite", noise).gzipped() is None


def test_bundles_are_not_copied() -> None:
    data = own_model().data
    assert SiteFile.of("models/own.tflite", data).read() is data


@needs_app
def test_the_start_page_names_all_modules_that_the_app_starts_with(site: Site) -> None:
    page = site.get("").read().decode()
    named = re.findall(r'<link rel="modulepreload" href="([^"]+)">', page)
    assert len(named) == len(set(named))
    assert {"app/early.js", "app/main.js", "engine/client.js", "core/errors.js"} <= set(named)
    assert set(named) <= set(site.files)
    for path in named:  # each import of one stands alone at the end of a line
        for line in site.files[path].read().decode().splitlines():
            if line.endswith('.js";') and ("} from" in line or line.startswith("import")):
                near = (Path(path).parent / line.split('"')[1]).as_posix()
                assert os.path.normpath(near) in named, (path, line)
    assert "app/teach/view.js" not in named  # which comes when it is opened
