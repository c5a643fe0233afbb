"""The HTTP API: the answers of `classify`, and every refusal in one shape."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import pack
from typing import Any

import make_models
import pytest
from conftest import CATS, ESPRESSO

import whatsit
from whatsit import zoo

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from api_server import BINARY, Api, form, running

from whatsit.serve import guard
from whatsit.serve.settings import Limits, Settings
from whatsit.serve.site import HEADERS

OTHER = "mobilenet-v2-int8"
GOLDEN = sorted(zoo.GOLDEN.glob("*.png")) + sorted(zoo.GOLDEN.glob("*.jpg"))


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    limits = Limits(body_bytes=3_000_000, pixels=1_000_000, pictures=4, timeout_s=20)
    with running(Settings((zoo.DEFAULT, OTHER), workers=2, limits=limits)) as found:
        yield found


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("timings_ms", "path")}


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """A grey picture of one colour, small in bytes whatever its size; cut short after `rows`."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + width)
    packed = b"".join(packer.compress(row) for _ in range(rows or height)) + packer.flush()
    header = chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


# Answers.


@pytest.mark.parametrize("photo", GOLDEN, ids=lambda photo: photo.name)
def test_a_picture_is_answered_as_by_classify(api: Api, photo: Path) -> None:
    reply = api.classify(photo.read_bytes())
    with whatsit.load() as model:
        expected = model.classify(photo).to_json()
    assert reply.status == 200
    assert without_times(reply.json) == without_times(expected)
    assert list(reply.json) == list(expected)
    assert reply.json["path"] is None
    assert list(reply.json["timings_ms"]) == ["decode", "preprocess", "inference"]


@pytest.mark.parametrize(
    ("query", "load", "classify"),
    [
        (f"?model={OTHER}", {"model": OTHER}, {}),
        ("?top=2", {}, {"top": 2}),
        ("?threshold=0.2", {}, {"threshold": 0.2}),
        ("?allow=n02084071&allow=tabby", {}, {"allow": ["n02084071", "tabby"]}),
        ("?deny=tiger+cat", {}, {"deny": ["tiger cat"]}),
        ("?region=0.25,0,1,0.5", {}, {"region": (0.25, 0.0, 1.0, 0.5)}),
        ("?rotation=90", {}, {"rotation": 90}),
        ("?raw=true", {"raw": True}, {}),
        ("?coverage=0.99&acceptance=0.5", {"coverage": 0.99, "acceptance": 0.5}, {}),
        ("?preprocess=pad(bilinear)", {"preprocess": "pad(bilinear)"}, {}),
        ("?preprocess=stretch&raw=false", {"preprocess": "stretch"}, {}),
    ],
)
def test_each_parameter_means_what_it_does_elsewhere(
    api: Api, cat: Path, query: str, load: dict[str, Any], classify: dict[str, Any]
) -> None:
    with whatsit.load(**load) as model:
        expected = model.classify(cat, **classify).to_json()
    reply = api.classify(cat.read_bytes(), query)
    assert without_times(reply.json) == without_times(expected)


def test_one_question_does_not_change_the_next(api: Api, cat: Path) -> None:
    plain = [without_times(api.classify(cat.read_bytes(), q).json) for q in ("", "?raw=true", "")]
    assert plain[0] == plain[2] != plain[1]


def test_a_form_is_answered_in_its_order(api: Api, cat: Path, coffee: Path) -> None:
    body, headers = form(
        ("cat.png", cat.read_bytes()), ("broken.png", b"nothing"), ("c.png", coffee.read_bytes())
    )
    reply = api("POST", "/v1/classify?top=1", body, headers)
    first, broken, last = reply.json["results"]
    assert reply.status == 200
    assert (first["path"], last["path"]) == ("cat.png", "c.png")
    assert first["predictions"][0]["index"] in CATS
    assert last["predictions"][0]["index"] == ESPRESSO
    assert list(broken) == ["path", "error"]
    assert broken["path"] == "broken.png"
    assert broken["error"]["code"] == "image-unreadable"
    assert broken["error"]["message"] == "'broken.png' is not a picture of a known kind"


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "IMAGE/x; a=b", None])
def test_the_bytes_tell_the_kind_not_the_header(api: Api, cat: Path, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    reply = api("POST", "/v1/classify?top=1", cat.read_bytes(), headers)
    assert reply.json["predictions"][0]["index"] in CATS


def test_a_body_in_chunks(api: Api, cat: Path) -> None:
    data = cat.read_bytes()
    pieces = (data[at : at + 5000] for at in range(0, len(data), 5000))
    reply = api("POST", "/v1/classify?top=1", pieces, BINARY)
    assert reply.json["predictions"][0]["index"] in CATS


def test_many_at_once_and_none_is_lost_or_mixed_up(api: Api) -> None:
    with whatsit.load() as model:
        expected = [without_times(model.classify(photo).to_json()) for photo in GOLDEN]
    wrong: list[object] = []

    def ask(first: int) -> None:
        for number in range(first, first + 12):
            at = number % len(GOLDEN)
            reply = api.classify(GOLDEN[at].read_bytes())
            if reply.status != 200 or without_times(reply.json) != expected[at]:
                wrong.append(reply)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_foreign_model_is_served_from_its_own_process(tmp_path: Path) -> None:
    file = tmp_path / "foreign.tflite"
    file.write_bytes(make_models.bundle(make_models.pixels(8, 8), 192))
    data = png(8, 8)
    with whatsit.load(file) as model:
        expected = model.classify(data).to_json()
    with running(Settings((str(file),), workers=1)) as api:
        reply = api.classify(data)
        [row] = api("GET", "/v1/models").json["models"]
    assert without_times(reply.json) == without_times(expected)
    assert (row["name"], row["runtime"], row["calibrated"]) == ("foreign", "isolated", False)


# Questions that make no sense.


@pytest.mark.parametrize(
    ("query", "message", "expected"),
    [
        ("topp=3", "no parameter 'topp'", "one of model, top"),
        ("top=0", "the top 0 classes", "at least 1"),
        ("top=many", "top 'many'", "a whole number"),
        ("top=", "top ''", "a whole number"),
        ("top=1&top=2", "top is there 2 times", "once"),
        ("top=100001", "the top 100001 classes", "at most 100000"),
        ("top=" + "9" * 100, "top '" + "9" * 100 + "'", "a whole number"),
        ("threshold=2", "a threshold of 2.0", "a probability from 0 to 1"),
        ("threshold=nan", "threshold 'nan'", "a number"),
        ("allow=tabbby", "no class 'tabbby'", "an index, a display name"),
        ("allow=" + "x" * 300, "allow has 300 letters", "at most 200"),
        ("allow=1&deny=2", "both an allow list and a deny list", "one of them"),
        ("region=1,2,3", "'1,2,3' is not a region", "left,top,right,bottom"),
        ("region=0.5,0,0.1,1", "(0.5, 0.0, 0.1, 1.0) is not a region", "left, top, right"),
        ("rotation=45", "cannot rotate by 45 degrees", "a multiple of 90"),
        ("rotation=999999", "cannot rotate by 999999 degrees", "90, 180 or 270"),
        ("raw=yes", "raw 'yes'", "true or false"),
        ("coverage=1", "a coverage of 1.0", "a share between 0 and 1"),
        ("acceptance=0", "an acceptance of 0.0", "a share between 0 and 1"),
        ("preprocess=fold", "'fold' is not a preprocessing rule", "crop, crop(0.875)"),
        ("model=none", "no model 'none'", f"one of {zoo.DEFAULT}, {OTHER}"),
        ("model=%ff%00", "no model '\ufffd\\x00'", "one of "),
        ("&".join(["allow=1"] * 300), "the query has too many parameters", "at most 200"),
    ],
)
def test_a_parameter_that_makes_no_sense(
    api: Api, cat: Path, query: str, message: str, expected: str
) -> None:
    reply = api.classify(cat.read_bytes(), f"?{query}")
    assert (reply.status, reply.error["code"]) == (422, "wrong-usage")
    assert reply.error["message"] == message
    assert reply.error["expected"].startswith(expected)


def test_hints_say_what_was_meant(api: Api) -> None:
    assert api.classify(b"", "?topp=3").error["hint"] == "did you mean 'top'?"
    assert "'tabby'" in api.classify(b"", "?deny=tabbi").error["hint"]


# Bodies that are none.


@pytest.mark.parametrize(
    ("data", "status", "code", "message"),
    [
        (b"", 422, "image-unreadable", "'<0 bytes>' is empty"),
        (b"Hello", 422, "image-unreadable", "'<5 bytes>' is not a picture of a known kind"),
        (b"\x89PNG\r\n\x1a\n", 422, "image-unreadable", "'<8 bytes>' is no valid PNG file"),
        (png(1001, 1000), 422, "image-too-large", "has 1,001 × 1,000 pixels"),
        (png(30_000, 30_000, 1), 422, "image-too-large", "900000000|900,000,000|30,000"),
    ],
    ids=["empty", "text", "cut short", "too large", "bomb"],
)
def test_what_is_no_picture(api: Api, data: bytes, status: int, code: str, message: str) -> None:
    reply = api.classify(data)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert any(part in reply.error["message"] for part in message.split("|"))


def test_pixels_of_32_bits_are_unsupported(api: Api) -> None:
    import io

    import numpy as np
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.float32)).save(file, "TIFF")
    reply = api.classify(file.getvalue())
    assert (reply.status, reply.error["code"]) == (415, "image-unsupported")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "image/"},
        {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip"},
    ],
)
def test_bodies_of_other_types(api: Api, cat: Path, headers: dict[str, str]) -> None:
    reply = api("POST", "/v1/classify", cat.read_bytes(), headers)
    assert (reply.status, reply.error["code"]) == (415, "unsupported-media-type")
    assert reply.error["hint"]


def test_too_many_bytes_by_their_header_before_they_are_sent(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_LINGER_S", 0.1)
    head = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 3000001\r\n\r\n"
    found = api.raw(head)
    assert found.startswith(b"HTTP/1.1 413 ")
    assert b'"body-too-large"' in found
    assert b"connection: close" in found


def test_too_many_bytes_in_chunks(api: Api) -> None:
    reply = api("POST", "/v1/classify", (bytes(100_000) for _ in range(31)), BINARY)
    assert (reply.status, reply.error["code"]) == (413, "body-too-large")
    assert reply.error["expected"] == "at most 3,000,000 bytes"
    assert api.service.budget.held == 0


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (form(("a.png", b"x"))[0][:-4], None, 400, "form-damaged"),
        (b"", None, 400, "form-damaged"),
        (b"no form at all", None, 400, "form-damaged"),
        (form(("a.png", b"x"))[0], "multipart/form-data", 400, "form-damaged"),
        (form(("a.png", b"x"))[0], f"multipart/form-data; boundary={'b' * 300}", 400, None),
        (b"--edge--\r\n", None, 422, "wrong-usage"),
        (form((None, b"3"))[0], None, 422, "wrong-usage"),
        (form(*[("a.png", b"x")] * 5)[0], None, 413, "too-many-pictures"),
        (form(*[("a.png", b"x")] * 10_000)[0], None, 413, "too-many-pictures"),
        (form(("a" * 9000, b"x"))[0], None, 400, "form-damaged"),
    ],
)
def test_forms_that_are_refused(
    api: Api, body: bytes, kind: str | None, status: int, code: str | None
) -> None:
    headers = {"Content-Type": kind or "multipart/form-data; boundary=edge"}
    reply = api("POST", "/v1/classify", body, headers)
    assert reply.status == status
    assert reply.error["code"] == (code or "form-damaged")
    assert api.service.budget.held == 0


def test_a_name_in_a_form_is_repeated_and_never_opened(api: Api) -> None:
    body, headers = form(("../../etc/passwd", b"x"))
    [row] = api("POST", "/v1/classify", body, headers).json["results"]
    assert row["path"] == "../../etc/passwd"
    assert row["error"]["message"].startswith("'passwd' is not a picture")


# Other addresses.


def test_the_models_and_their_facts(api: Api) -> None:
    first, second = api("GET", "/v1/models").json["models"]
    entry = zoo.catalogue()[zoo.DEFAULT]
    assert (first["name"], first["default"]) == (zoo.DEFAULT, True)
    assert (second["name"], second["default"]) == (OTHER, False)
    assert first["sha256"] == entry.sha256
    assert first["size_bytes"] == entry.size_bytes
    assert (first["classes"], first["input"]) == (1000, [224, 224])
    assert first["calibrated"] is True
    assert first["accuracy"][0]["top1"] > 50


def test_health_and_readiness(api: Api) -> None:
    assert api("GET", "/healthz").json == {"status": "ok"}
    assert api("GET", "/readyz").json == {"status": "ready"}
    head = api("HEAD", "/readyz")
    assert (head.status, head.body) == (200, b"")


def test_what_is_counted(api: Api, cat: Path) -> None:
    def value(name: str) -> float:
        lines = api("GET", "/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    names = [
        'whatsit_requests_total{path="/v1/classify",status="200"}',
        f'whatsit_pictures_total{{model="{zoo.DEFAULT}",outcome="classified"}}',
        'whatsit_stage_seconds_count{stage="inference"}',
        "whatsit_classify_seconds_count",
        'whatsit_errors_total{code="wrong-usage"}',
    ]
    before = [value(name) for name in names]
    api.classify(cat.read_bytes())
    api.classify(cat.read_bytes(), "?top=0")
    after = [value(name) for name in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1, 2, 1]
    assert value("whatsit_pictures_waiting") == value("whatsit_pictures_in_flight") == 0
    assert value("whatsit_requests_in_flight") == 1  # the one that asks


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/classify", "POST"),
        ("PUT", "/v1/classify", "POST"),
        ("OPTIONS", "/v1/classify", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/healthz", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
    ],
)
def test_methods_that_are_not_for_an_address(
    api: Api, method: str, path: str, allowed: str
) -> None:
    reply = api(method, path)
    assert (reply.status, reply.headers["allow"]) == (405, allowed)
    assert reply.error["code"] == "method-not-allowed"


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1", "/v1/classify/", "/../app.py", "/%2e%2e/app.py", "/..%2f..%2fapp.py",
     "/core/../../site.py", "//etc/passwd", "/C:/x", "/%00"],
)  # fmt: skip
def test_addresses_that_do_not_exist(api: Api, path: str) -> None:
    reply = api("GET", path)
    assert (reply.status, reply.error["code"]) == (404, "not-found")


def test_the_asterisk_is_no_address(api: Api) -> None:
    found = api.raw(b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 404 ")
    assert b'"not-found"' in found


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/docs"), ("GET", "/nothing"), ("PUT", "/v1/classify"),
     ("GET", "/v1/models"), ("GET", "/metrics"), ("POST", "/v1/classify")],
)  # fmt: skip
def test_every_answer_has_the_headers_of_the_site(api: Api, method: str, path: str) -> None:
    reply = api(method, path)
    assert {name: reply.headers.get(name.lower()) for name in HEADERS} == dict(HEADERS)
    assert "access-control-allow-origin" not in reply.headers
    assert "server" not in reply.headers


def test_the_description_is_a_page_too(api: Api) -> None:
    described = api("GET", "/openapi.json").json
    page = api("GET", "/docs").body.decode()
    for path in described["paths"]:
        assert path in page
    for parameter in described["paths"]["/v1/classify"]["post"]["parameters"]:
        assert f"<code>{parameter['name']}</code>" in page
    assert "<script" not in page
    assert "http://127.0.0.1:8000/v1/classify" in page
    assert "//" not in page.replace("http://127.0.0.1:8000", "")  # nothing from elsewhere
