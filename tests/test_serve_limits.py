"""Keys, origins, the files of the app, slow and hostile clients, full queues, and the stop."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest
from conftest import CATS

from whatsit import UsageError

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from api_server import Api, Reply, form, running

from whatsit.serve import app as application
from whatsit.serve import protocol, service
from whatsit.serve.refusals import Refusal
from whatsit.serve.settings import Limits, Settings
from whatsit.serve.site import HEADERS, Site, SiteFile
from whatsit.serve.workers import Workers

KEY = "s3cret-key"
HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def small_site() -> Site:
    """A site of three files, so that no test needs the app to be built."""
    page, script = b"<!doctype html><title>x</title>" * 50, bytes(range(256)) * 2000
    files = {
        file.path: file
        for file in (
            SiteFile.of("index.html", page),
            SiteFile.of("rt/engine.js", script),
            SiteFile.of("icons/a.png", b"\x89PNG"),
        )
    }
    return Site("1", MappingProxyType(files))


@pytest.fixture(scope="module")
def guarded(small_site: Site) -> Iterator[Api]:
    """A server with a key, an origin, a small site and little patience."""
    limits = Limits(timeout_s=1, connections=20)
    settings = Settings(workers=1, api_key=KEY, cors=("https://a.example",), limits=limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(application, "is_built", lambda: True)
        patch.setattr(application.Site, "of", lambda models: small_site)
        with running(settings) as api:
            yield api


# The key.


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": KEY + "x"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"X-API-Key": "wrong", "Authorization": f"Bearer {KEY}"},
        {"X-API-Key": KEY, "Authorization": "Bearer wrong"},
        {"X-API-Key": KEY, "Authorization": "Basic of-a-proxy"},
        {"X-API-Key": "ü".encode().decode("latin-1")},
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/classify", "/v1/nothing"])
def test_without_the_key(guarded: Api, path: str, headers: dict[str, str]) -> None:
    reply = guarded("GET", path, headers=headers)
    assert (reply.status, reply.error["code"]) == (401, "unauthorized")
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
    ],
)
def test_with_the_key(guarded: Api, headers: dict[str, str]) -> None:
    assert guarded("GET", "/v1/models", headers=headers).status == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/docs", "/openapi.json"])
def test_what_needs_no_key(guarded: Api, path: str) -> None:
    assert guarded("GET", path).status == 200


def test_the_key_is_shown_nowhere(guarded: Api) -> None:
    assert KEY not in repr(guarded.service.settings)
    assert KEY not in guarded("GET", "/openapi.json").body.decode()


@pytest.mark.parametrize("key", ["", "two words", "schlüssel", "x" * 1025, "line\n"])
def test_keys_that_no_header_carries(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(api_key=key)
    assert caught.value.message == "the API key cannot be sent in a header"
    assert caught.value.hint


# Origins.


def test_pages_of_an_origin_may_use_the_api(guarded: Api, cat: Path) -> None:
    headers = {"Origin": "https://a.example"}
    asked = guarded("OPTIONS", "/v1/classify", headers=headers)
    assert asked.status == 204
    assert asked.headers["access-control-allow-origin"] == "https://a.example"
    assert "X-API-Key" in asked.headers["access-control-allow-headers"]
    reply = guarded("GET", "/v1/models", headers=headers)  # errors too are for them to read
    assert reply.status == 401
    assert reply.headers["access-control-allow-origin"] == "https://a.example"
    assert reply.headers["access-control-expose-headers"] == "Retry-After"


def test_pages_of_other_origins_may_not(guarded: Api) -> None:
    reply = guarded("GET", "/healthz", headers={"Origin": "https://b.example"})
    assert "access-control-allow-origin" not in reply.headers
    assert "origin" in reply.headers["vary"]


@pytest.mark.parametrize(
    "origin",
    ["", "null", "a.example", "https://", "https://a.example/", "ftp://a", "https://a b",
     "https://A.example", "http://[::1", "https://a.example:65536", "https://a@b", "https://a:x"],
)  # fmt: skip
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(cors=(origin,))
    assert caught.value.message == f"{origin!r} is no origin of web pages"


# The files of the app.


def test_the_start_page(guarded: Api, small_site: Site) -> None:
    for path in ("/", "/index.html"):
        reply = guarded("GET", path)
        assert reply.body == small_site.files["index.html"].read()
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert reply.headers["cache-control"] == "no-cache"
        assert "content-encoding" not in reply.headers


def test_gzip_for_who_takes_it(guarded: Api, small_site: Site) -> None:
    file = small_site.files["rt/engine.js"]
    packed = guarded("GET", "/rt/engine.js", headers={"Accept-Encoding": "br;q=1.0, gzip;q=0.8"})
    plain = guarded("GET", "/rt/engine.js", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"]
    assert hashlib.sha256(gzip.decompress(packed.body)).hexdigest() == file.sha256
    assert plain.body == file.read()
    assert plain.headers["etag"] != packed.headers["etag"]
    picture = guarded("GET", "/icons/a.png", headers={"Accept-Encoding": "gzip"})
    assert picture.body == b"\x89PNG"


def test_what_is_known_is_not_sent_again(guarded: Api) -> None:
    first = guarded("GET", "/rt/engine.js")
    for known in (first.headers["etag"], f'W/{first.headers["etag"]}, "x"', "*"):
        again = guarded("GET", "/rt/engine.js", headers={"If-None-Match": known})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert guarded("GET", "/rt/engine.js", headers={"If-None-Match": '"x"'}).status == 200


def test_head_tells_the_length_and_sends_nothing(guarded: Api, small_site: Site) -> None:
    reply = guarded("HEAD", "/rt/engine.js")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) == small_site.files["rt/engine.js"].size_bytes


def test_without_the_app_a_page_says_how_to_build_it() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(application, "is_built", lambda: False)
        with running(Settings(workers=1)) as api:
            page, other = api("GET", "/"), api("GET", "/app.css")
            assert api("GET", "/v1/models").status == 200
    assert page.status == 200
    assert b"make web" in page.body
    assert other.error["code"] == "not-found"


# Slow and hostile clients.


def parsed(found: bytes) -> Reply:
    """The one answer in what came over a socket, and nothing behind it."""
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return Reply(int(first.split()[1]), headers, body)


def test_a_body_that_does_not_come_in_time(guarded: Api) -> None:
    key = f"X-API-Key: {KEY}\r\n".encode()
    reply = parsed(guarded.raw(HEAD + key + b"Content-Length: 1000\r\n\r\nabc"))
    assert (reply.status, reply.error["code"]) == (408, "request-too-slow")
    assert reply.error["expected"] == "all of it within 1 s"


@pytest.mark.parametrize("data", [b"", b"GET / HT", HEAD, b"\r\n"])
def test_a_head_that_does_not_come_in_time(
    guarded: Api, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.3)
    reply = parsed(guarded.raw(data))
    assert (reply.status, reply.error["code"]) == (408, "request-too-slow")
    assert {name: reply.headers.get(name.lower()) for name in HEADERS} == {
        name: value.lower() for name, value in HEADERS.items()
    }


@pytest.mark.parametrize(
    "data",
    [b"nonsense\r\n\r\n", b"GET /\x80 HTTP/1.1\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
     HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
     HEAD + b"Content-Length: -1\r\n\r\n",
     HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_what_is_no_http(guarded: Api, data: bytes) -> None:
    found = guarded.raw(data)
    reply = parsed(found[found.index(b"HTTP/1.1 4") :])
    assert reply.status in (400, 401)
    assert reply.error["code"] in ("bad-request", "unauthorized")


def test_headers_without_an_end(guarded: Api) -> None:
    reply = parsed(guarded.raw(b"GET / HTTP/1.1\r\nX: " + b"a" * 500_000))
    assert (reply.status, reply.error["code"]) == (431, "headers-too-large")


def test_trailers_without_an_end(guarded: Api) -> None:
    key = f"X-API-Key: {KEY}\r\n".encode()
    head = HEAD + key + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    found = guarded.raw(head + b"X: a\r\n" * 100_000)
    assert found.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


def test_a_client_that_does_not_read_is_cut_off(
    guarded: Api,
    small_site: Site,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(protocol, "READER_TIMEOUT_S", 0.2)
    with socket.socket() as deaf:
        deaf.settimeout(20)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", guarded.port))
        with contextlib.suppress(ConnectionError):  # it may be cut off while it still asks
            deaf.sendall(b"GET /rt/engine.js HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
        while guarded.service.open_requests == 0:
            time.sleep(0.01)
        while guarded.service.open_requests:  # nothing is read, and it ends all the same
            time.sleep(0.01)
        got = 0
        with contextlib.suppress(ConnectionError):
            while piece := deaf.recv(1 << 16):
                got += len(piece)
    assert got < 40 * small_site.files["rt/engine.js"].size_bytes
    assert guarded.service.open_requests == 0
    assert caplog.records == []
    assert guarded("GET", "/healthz").status == 200


@pytest.mark.parametrize(("ahead", "answered"), [(99, True), (20_000, False)])
def test_requests_ahead_of_their_answers(guarded: Api, ahead: int, answered: bool) -> None:
    last = b"GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n"
    found = guarded.raw(b"GET /healthz HTTP/1.1\r\n\r\n" * ahead + last)
    assert (found.count(b"HTTP/1.1 200 ") == ahead + 1) == answered
    assert answered or found.count(b"HTTP/1.1 200 ") < 1000
    assert guarded.service.open_requests == 0


def test_an_upgrade_is_not_taken(guarded: Api) -> None:
    found = guarded.raw(
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
        b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    )
    assert found.startswith(b"HTTP/1.1 200 ")


def test_one_connection_too_many(guarded: Api) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(socket.create_connection(("127.0.0.1", guarded.port)))
        reply = guarded("GET", "/healthz")
    assert (reply.status, reply.error["code"]) == (503, "too-many-connections")
    assert reply.headers["retry-after"] == "1"
    while guarded("GET", "/healthz").status != 200:
        time.sleep(0.05)


# Full queues.


def test_a_full_queue_refuses_and_answers_the_rest(cat: Path) -> None:
    replies: list[Reply] = []
    body, headers = form(*[("cat.png", cat.read_bytes())] * 8)
    with running(Settings(workers=1, limits=Limits(queue=2))) as api:
        threads = [
            threading.Thread(
                target=lambda: replies.append(api("POST", "/v1/classify?top=1", body, headers))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = api.classify(cat.read_bytes())
    assert {reply.status for reply in replies} == {200, 429}
    for reply in replies:
        if reply.status == 429:
            assert reply.error["code"] == "too-busy"
            assert reply.headers["retry-after"] == "1"
        else:
            rows = reply.json["results"]
            assert len(rows) == 8
            assert {row["predictions"][0]["index"] for row in rows} <= CATS
    assert after.status == 200
    assert api.service.budget.held == 0


def test_workers_refuse_what_is_too_much_or_takes_too_long() -> None:
    gate, started = threading.Event(), threading.Event()

    def work() -> str:
        started.set()
        gate.wait(20)
        return "done"

    async def course() -> list[object]:
        waited: list[float] = []
        workers = Workers(1, 1, 0.2, waited.append)
        workers.start()
        first = workers.submit(work)
        await asyncio.to_thread(started.wait)
        workers.check()
        second = workers.submit(lambda: "never done")
        assert (workers.running, workers.depth) == (1, 1)
        with pytest.raises(Refusal, match="1 pictures are waiting already"):
            workers.check()
        found = await asyncio.gather(first, second, return_exceptions=True)
        gate.set()
        workers._timeout_s = 20
        third = await workers.submit(lambda: 3)
        failed = await asyncio.gather(workers.submit(lambda: 1 / 0), return_exceptions=True)
        workers.stop()
        assert (workers.running, workers.depth, len(waited)) == (0, 0, 4)
        return [*found, third, *failed]

    first, second, third, failed = asyncio.run(course())
    for late in (first, second):
        assert isinstance(late, Refusal)
        assert (late.status, late.code) == (503, "timed-out")
        assert "0.2 s" in late.error["message"]
    assert third == 3
    assert isinstance(failed, ZeroDivisionError)


def test_what_is_large() -> None:
    assert service._needed_bytes("JPEG", 42_000_000) <= service._LARGE_BYTES
    assert service._needed_bytes("PNG", 12_000_000) <= service._LARGE_BYTES
    assert service._needed_bytes("PNG", 13_000_000) > service._LARGE_BYTES


def test_large_pictures_take_turns_and_small_ones_pass(
    cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    from PIL import Image

    photo, file = Image.open(cat), io.BytesIO()
    photo.resize((photo.width // 2, photo.height // 2)).save(file, "PNG")
    monkeypatch.setattr(service, "_LARGE_BYTES", 20 * photo.width * photo.height - 1)
    with running(Settings(workers=2)) as api:
        before = api.service.large
        submitted: list[object] = []
        submit = before.submit
        before.submit = lambda work: submitted.append(work) or submit(work)  # type: ignore
        reply = api.classify(cat.read_bytes(), "?top=1")
        small = api.classify(file.getvalue(), "?top=1")
    assert reply.json["predictions"][0]["index"] in CATS
    assert small.status == 200
    assert len(submitted) == 1


# Starting and stopping.


def test_before_its_models_are_warm_it_says_so(cat: Path) -> None:
    with running(Settings(workers=1)) as api:
        api.service._warm = False
        ready, answer = api("GET", "/readyz"), api.classify(cat.read_bytes())
        assert api("GET", "/healthz").status == 200
    for reply in (ready, answer):
        assert (reply.status, reply.error["code"]) == (503, "starting")
        assert reply.headers["retry-after"] == "1"


def test_a_stop_answers_what_was_accepted_and_refuses_what_is_new(cat: Path) -> None:
    body = cat.read_bytes()
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    with (
        running(Settings(workers=1)) as api,
        socket.create_connection(("127.0.0.1", api.port), timeout=20) as half,
    ):
        half.sendall(head + body[:1000])
        while api.service.open_requests == 0:
            time.sleep(0.01)
        stop = threading.Thread(target=api.stop)
        stop.start()
        while not api.service.stopping:
            time.sleep(0.01)
        refused, ready = api("GET", "/v1/models"), api("GET", "/readyz")
        half.sendall(body[1000:])
        found = b""
        while piece := half.recv(1 << 16):
            found += piece
        stop.join()
        with pytest.raises(ConnectionRefusedError):
            api("GET", "/healthz")
    assert found.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in found
    assert json.loads(found.partition(b"\r\n\r\n")[2])["predictions"][0]["index"] in CATS
    for reply in (refused, ready):
        assert (reply.status, reply.error["code"]) == (503, "stopping")
        assert reply.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"body_bytes": 0}, "at most 0 bytes of a body"),
        ({"pixels": -1}, "at most -1 pixels"),
        ({"pictures": 0}, "at most 0 pictures in a request"),
        ({"queue": 0}, "at most 0 waiting pictures"),
        ({"connections": 0}, "at most 0 connections"),
        ({"timeout_s": 0.0}, "a timeout of 0 s"),
        ({"timeout_s": 4000.0}, "a timeout of 4000 s"),
    ],
)
def test_limits_that_make_no_sense(limits: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Limits(**limits)  # type: ignore[arg-type]
    assert caught.value.message == message


@pytest.mark.parametrize("workers", [0, 1025])
def test_workers_that_make_no_sense(workers: int) -> None:
    with pytest.raises(UsageError, match=f"{workers} workers"):
        Settings(workers=workers)
