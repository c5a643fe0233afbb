"""Downloads from a server that cuts, stalls, redirects and lies."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
import web_server
from web_server import Reply, Server

from whatsit import DownloadFailed, UsageError, storage
from whatsit.getting import download, partial, web

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
TAG = {"ETag": '"one"'}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSES_S", (0.0, 0.0, 0.0))


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server.running() as server:
        yield server


def fetch(url: str, **options: object) -> bytes:
    with download.fetched(url, **options) as found:  # type: ignore[arg-type]
        content = found.file.read()
        assert len(content) == found.size_bytes
        assert hashlib.sha256(content).hexdigest() == found.sha256
    return content


def failure(url: str, **options: object) -> DownloadFailed:
    with pytest.raises(DownloadFailed) as caught:
        fetch(url, **options)
    return caught.value


def left_behind() -> list[str]:
    folder = storage.cache_folder("downloads")
    return sorted(file.suffix for file in folder.iterdir()) if folder.exists() else []


def test_a_file_is_fetched_and_nothing_stays(server: Server) -> None:
    seen: list[tuple[int, int | None]] = []
    url = server.put("/model", CONTENT)
    assert fetch(url, progress=lambda done, total: seen.append((done, total))) == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert left_behind() == []


@pytest.mark.parametrize("sha256", [SHA256, SHA256.upper()], ids=["lower", "upper"])
def test_the_right_hash_is_taken(sha256: str, server: Server) -> None:
    assert fetch(server.put("/model", CONTENT), sha256=sha256) == CONTENT


def test_a_wrong_byte_is_refused(server: Server) -> None:
    wrong = CONTENT[:1000] + bytes([CONTENT[1000] ^ 1]) + CONTENT[1001:]
    error = failure(server.put("/model", wrong), sha256=SHA256)
    assert hashlib.sha256(wrong).hexdigest() in error.message
    assert error.expected == f"sha256 {SHA256}"
    assert "altered" in error.hint
    assert len(server.asked) == 1
    assert left_behind() == []


@pytest.mark.parametrize("headers", [TAG, {"Last-Modified": "Mon, 01 Jan 2018 00:00:00 GMT"}])
def test_a_cut_is_resumed_where_it_was(headers: dict[str, str], server: Server) -> None:
    cut = Reply(CONTENT, headers=headers, cut_after=100_000)
    # The server compares If-Range with its ETag; of a date it knows nothing, and sends all.
    assert fetch(server.put("/model", cut, Reply(CONTENT, headers=headers))) == CONTENT
    assert server.ranges() == [None, "bytes=100000-"]
    assert server.asked[1][1]["If-Range"] == next(iter(headers.values()))


def test_several_cuts_are_resumed(server: Server) -> None:
    cut = Reply(CONTENT, headers=TAG, cut_after=80_000)
    url = server.put("/model", cut, cut, cut, cut)
    assert fetch(url) == CONTENT
    assert server.ranges() == [None, "bytes=80000-", "bytes=160000-", "bytes=240000-"]


def test_too_many_cuts_fail_and_the_next_call_goes_on(server: Server) -> None:
    url = server.put("/model", Reply(CONTENT, headers=TAG, cut_after=50_000))
    error = failure(url)
    assert error.message == f"the download of {url} was cut off: 200000 of 300000 bytes came"
    assert "goes on from there" in error.hint
    assert left_behind() == [".json", ".partial"]
    server.put("/model", Reply(CONTENT, headers=TAG))
    assert fetch(url) == CONTENT
    assert server.ranges()[-1] == "bytes=200000-"
    assert left_behind() == []


def test_without_a_tag_or_a_hash_a_cut_file_begins_anew(server: Server) -> None:
    url = server.put("/model", Reply(CONTENT, cut_after=100_000), CONTENT)
    assert fetch(url) == CONTENT
    assert server.ranges() == [None, None]


def test_a_known_hash_is_enough_to_resume(server: Server) -> None:
    url = server.put("/model", Reply(CONTENT, cut_after=100_000), CONTENT)
    assert fetch(url, sha256=SHA256) == CONTENT
    assert server.ranges() == [None, "bytes=100000-"]


def test_a_file_that_changed_meanwhile_begins_anew(server: Server) -> None:
    older = Reply(CONTENT[::-1], headers={"ETag": '"zero"'}, cut_after=100_000)
    assert fetch(server.put("/model", older, Reply(CONTENT, headers=TAG))) == CONTENT
    assert server.ranges() == [None, "bytes=100000-"]


def test_parts_of_two_files_are_found_out_by_their_hash(server: Server) -> None:
    older = Reply(CONTENT[::-1], cut_after=100_000)
    url = server.put("/model", older, CONTENT)
    assert fetch(url, sha256=SHA256) == CONTENT
    assert server.ranges() == [None, "bytes=100000-", None]


def test_a_server_without_ranges_sends_all_again(server: Server) -> None:
    cut = Reply(CONTENT, headers=TAG, cut_after=100_000)
    assert fetch(server.put("/model", cut, Reply(CONTENT, headers=TAG, ranges=False))) == CONTENT


@pytest.mark.parametrize("span", ["bytes 5-299999/300000", "nonsense", ""])
def test_another_part_than_was_asked_for_is_not_taken(span: str, server: Server) -> None:
    cut = Reply(CONTENT, headers=TAG, cut_after=100_000)
    lying = Reply(CONTENT[5:], 206, {**TAG, "Content-Range": span})
    assert fetch(server.put("/model", cut, lying, Reply(CONTENT, headers=TAG))) == CONTENT
    assert server.ranges() == [None, "bytes=100000-", None]


def test_a_server_that_sends_a_part_of_the_part(server: Server) -> None:
    cut = Reply(CONTENT, headers=TAG, cut_after=100_000)
    span = {**TAG, "Content-Range": "bytes 100000-199999/300000"}
    part = Reply(CONTENT[100_000:200_000], 206, span)
    assert fetch(server.put("/model", cut, part, Reply(CONTENT, headers=TAG))) == CONTENT
    assert server.ranges() == [None, "bytes=100000-", "bytes=200000-"]


def test_a_complete_partial_is_fetched_again(server: Server) -> None:
    """As a kill leaves it after the last byte; the server then has nothing more to send."""
    longer = Reply(CONTENT, headers=TAG, length=len(CONTENT) + 1, ranges=False)
    url = server.put("/model", longer)
    failure(url)
    server.put("/model", Reply(status=416, headers=TAG), CONTENT)
    assert fetch(url) == CONTENT


def test_a_stall_is_a_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "TIMEOUT_S", 0.2)
    stall = Reply(CONTENT, headers=TAG, stall_after=100_000)
    url = server.put("/model", stall, Reply(CONTENT, headers=TAG))
    assert fetch(url) == CONTENT
    assert server.ranges() == [None, "bytes=100000-"]
    error = failure(server.put("/never", Reply(CONTENT, stall_after=0)))
    assert error.message.endswith("/never was cut off: nothing came for 0.2 s")


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_in_trouble_is_asked_again(status: int, server: Server) -> None:
    assert fetch(server.put("/model", Reply(status=status), CONTENT)) == CONTENT


@pytest.mark.parametrize(
    ("status", "asked", "message", "hint"),
    [
        (404, 1, "there is nothing at {url} (status 404)", "spelt right"),
        (410, 1, "there is nothing at {url} (status 410)", "spelt right"),
        (403, 1, "the server does not give out {url} (status 403)", "browser"),
        (401, 1, "the server does not give out {url} (status 401)", "browser"),
        (400, 1, "the server answers {url} with status 400", "later"),
        (503, 4, "the server answers {url} with status 503", "later"),
    ],
)
def test_a_refusal(status: int, asked: int, message: str, hint: str, server: Server) -> None:
    url = server.put("/model", Reply(status=status))
    error = failure(url)
    assert error.message == message.format(url=url)
    assert hint in error.hint
    assert len(server.asked) == asked
    assert left_behind() == []


def test_an_answer_in_chunks_has_no_length(server: Server) -> None:
    assert fetch(server.put("/model", Reply(CONTENT, chunked=True))) == CONTENT
    cut = Reply(CONTENT, chunked=True, headers=TAG, cut_after=200_000)
    assert fetch(server.put("/cut", cut)) == CONTENT
    assert (server.ranges()[-1] or "").startswith(
        "bytes=199"
    )  # the frame of the chunk is no content
    error = failure(server.put("/always", Reply(CONTENT, chunked=True, cut_after=200_000)))
    assert "was cut off" in error.message


def test_a_length_too_short_gives_another_file(server: Server) -> None:
    error = failure(server.put("/model", Reply(CONTENT, length=1000)), sha256=SHA256)
    assert "not the one that was asked for" in error.message


@pytest.mark.parametrize("reply", [Reply(CONTENT), Reply(CONTENT, chunked=True)])
def test_the_limit_holds_with_and_without_a_length(reply: Reply, server: Server) -> None:
    url = server.put("/model", reply)
    error = failure(url, max_bytes=200_000)
    assert error.message == f"the file at {url} is larger than 200000 bytes"
    assert "--max-size" in error.hint
    assert left_behind() == []
    assert fetch(url, max_bytes=300_000) == CONTENT


def test_the_limit_counts_what_was_there_before(server: Server) -> None:
    cut = Reply(CONTENT, headers=TAG, cut_after=100_000)
    url = server.put("/model", cut, Reply(CONTENT, headers=TAG))
    assert "larger than 250000" in failure(url, max_bytes=250_000).message


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><title>Sign in", b"\xef\xbb\xbf\n<HTML>", b"<?xml version='1.0'?>"]
)
def test_a_web_page_is_no_model(page: bytes, server: Server) -> None:
    error = failure(server.put("/model", Reply(page, headers={"Content-Type": "text/html"})))
    assert "gave a web page (text/html), not a model" in error.message
    assert "login" in error.hint
    assert left_behind() == []


# ── what a failure costs ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def half(server: Server) -> str:
    """An address of which 200 000 bytes have been fetched."""
    url = server.put("/half", Reply(CONTENT, headers=TAG, cut_after=50_000))
    failure(url)
    return url


def goes_on(server: Server, url: str) -> bool:
    server.put("/half", Reply(CONTENT, headers=TAG))
    assert fetch(url) == CONTENT
    return server.ranges()[-1] == "bytes=200000-"


@pytest.mark.parametrize(
    "reply",
    [
        *(Reply(status=status) for status in (400, 401, 403, 404, 410, 500)),
        Reply(b"<html>Sign in to this network", headers={"Content-Type": "text/html"}),
        Reply(status=302, headers={"Location": "http://example.org/"}),
        Reply(status=302, headers={"Location": "/half"}),
    ],
    ids=lambda reply: f"{reply.status}{reply.headers.get('Location', '')}",
)
def test_an_answer_that_says_nothing_of_the_file_costs_nothing(
    reply: Reply, half: str, server: Server
) -> None:
    server.put("/half", reply)
    failure(half)
    assert left_behind() == [".json", ".partial"]
    assert goes_on(server, half)


EXPIRED = ssl.SSLCertVerificationError("certificate verify failed")
EXPIRED.verify_message = "certificate has expired"  # as OpenSSL puts it

AWAY = [
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), 4, "no machine is known by the name"),
    (socket.gaierror(socket.EAI_NONAME, "Name not known"), 4, "no machine is known by the name"),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), 4, "refuses the connection"),
    (OSError(errno.ENETUNREACH, "Network is unreachable"), 4, "Network is unreachable"),
    (OSError(errno.EHOSTUNREACH, "No route to host"), 4, "No route to host"),
    (EXPIRED, 1, "cannot be trusted: certificate has expired"),
    (OSError("Tunnel connection failed: 407"), 1, "Tunnel connection failed"),
]


@pytest.mark.parametrize(("reason", "tries", "message"), AWAY, ids=lambda part: str(part)[:24])
def test_a_network_that_goes_away_costs_nothing(
    reason: OSError,
    tries: int,
    message: str,
    half: str,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def away(url: str, headers: dict[str, str]) -> None:
        asked.append(url)
        raise urllib.error.URLError(reason)

    with monkeypatch.context() as patched:
        patched.setattr(web, "_open", away)
        assert message in failure(half).message
    assert len(asked) == tries
    assert goes_on(server, half)


def test_a_network_that_comes_back_is_used(
    half: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("/half", Reply(CONTENT, headers=TAG))
    reasons = [reason for reason, tries, _ in AWAY if tries > 1][:3]
    open_ = web._open

    def away(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        if reasons:
            raise urllib.error.URLError(reasons.pop())
        return open_(url, headers)

    monkeypatch.setattr(web, "_open", away)
    assert fetch(half) == CONTENT
    assert server.ranges()[-1] == "bytes=200000-"


@pytest.mark.parametrize(
    ("reply", "options"),
    [
        (Reply(CONTENT[::-1], ranges=False), {"sha256": SHA256}),
        (Reply(CONTENT, chunked=True, ranges=False), {"max_bytes": 250_000}),
    ],
)
def test_what_is_proven_wrong_is_not_kept(
    reply: Reply, options: dict[str, object], half: str, server: Server
) -> None:
    server.put("/half", reply)
    failure(half, **options)
    assert left_behind() == []


# ── addresses ────────────────────────────────────────────────────────────────────────────────


def redirect(target: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": target})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int, server: Server) -> None:
    server.put("/there", CONTENT)
    assert fetch(server.put("/here", redirect("/there", status))) == CONTENT


def test_a_redirected_file_is_resumed_too(server: Server) -> None:
    cut = Reply(CONTENT, headers=TAG, cut_after=100_000)
    server.put("/there", cut, Reply(CONTENT, headers=TAG))
    assert fetch(server.put("/here", redirect("/there"))) == CONTENT
    assert server.ranges()[-1] == "bytes=100000-"


def test_a_circle_ends(server: Server) -> None:
    error = failure(server.put("/here", redirect("/here")))
    assert error.message.startswith("redirected more than 5 times")
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("file:///etc/passwd", "file is not a way to fetch a file"),
        ("ftp://example.org/model", "ftp is not a way to fetch a file"),
        ("http://example.org/model", "plain http, which anybody on the way can alter"),
        ("http://me:secret@127.0.0.1/model", "it holds a name or a password"),
        ("https://", "it names no server"),
    ],
)
def test_redirects_that_are_not_followed(target: str, reason: str, server: Server) -> None:
    error = failure(server.put("/here", redirect(target)))
    assert error.message.endswith(reason)
    assert "secret" not in error.message
    assert left_behind() == []


def test_https_never_leads_to_http() -> None:
    """Not even to this machine, or with a hash: who asks for https means it."""
    assert web._objection("http://127.0.0.1/model", pinned=True, secure=True) == (
        "plain http, after https"
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/model.tflite", "plain http"),
        ("ftp://example.org/model.tflite", "ftp is not a way"),
        ("file:///etc/passwd", "file is not a way"),
        ("https:///model.tflite", "it names no server"),
        ("https://me:secret@example.org/m", "a name or a password"),
        ("https://[::1/model", "Invalid IPv6"),
        ("https://example.org:port/model", "port"),
    ],
)
def test_addresses_that_are_not_asked(url: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        fetch(url)
    assert caught.value.expected == "an https address"
    assert "secret" not in caught.value.message


def test_a_hash_makes_plain_http_safe_enough() -> None:
    web.check_first("http://example.org/model", pinned=True)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_this_machine_needs_no_https(host: str) -> None:
    web.check_first(f"http://{host}:8000/model", pinned=False)


def test_a_secret_in_the_query_is_not_shown(server: Server) -> None:
    server.put("/model?token=secret", Reply(status=404))
    assert "secret" not in failure(f"{server.address}/model?token=secret").message


def test_odd_characters_are_quoted(server: Server) -> None:
    server.put("/mod%C3%A8le%20%C3%A0.tflite?a=b%20c", CONTENT)
    assert fetch(f"{server.address}/modèle à.tflite?a=b%20c") == CONTENT


# ── the network and the disk ─────────────────────────────────────────────────────────────────


def test_nobody_listens() -> None:
    with web_server.running() as server:
        url = server.address
    assert failure(f"{url}/model").message == "127.0.0.1 refuses the connection"


def test_a_name_that_nobody_has() -> None:
    error = failure("https://no-such-machine.invalid/model")
    assert left_behind() == []
    assert error.message == "no machine is known by the name 'no-such-machine.invalid'"
    assert "network" in error.hint


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    import http.server

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as secure:
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        secure.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=secure.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        error = failure(f"https://localhost:{secure.server_address[1]}/model")
        secure.shutdown()
        thread.join()
    assert error.message.startswith("the certificate of localhost cannot be trusted: self")
    assert "clock" in error.hint


@pytest.mark.parametrize(
    ("answer", "tries", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 4, "0 of 9 bytes came"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nx", 4, "ended before"),
        (b"what?\r\n\r\n", 4, "what answers there does not speak http"),
    ],
)
def test_a_server_that_speaks_nonsense(answer: bytes, tries: int, message: str) -> None:
    with raw_server(answer) as (port, asked):
        error = failure(f"http://127.0.0.1:{port}/model")
    assert message in error.message
    assert "again" in error.hint
    assert "goes on" not in error.hint
    assert len(asked) == tries
    assert left_behind() == []


def test_https_where_only_http_is_spoken() -> None:
    with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, asked):
        error = failure(f"https://127.0.0.1:{port}/model")
    assert error.message.startswith("no https with 127.0.0.1: ")
    assert "_" not in error.message
    assert "plain http" in error.hint
    assert len(asked) == 1
    assert left_behind() == []


@contextlib.contextmanager
def raw_server(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A port that gives everybody the same bytes, and what it was told."""
    asked: list[bytes] = []

    def serve() -> None:
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(20)
                asked.append(connection.recv(65536))
                if not asked[-1]:
                    return
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listening.getsockname()[1]
        try:
            yield port, asked
        finally:
            told = len(asked)
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()
            del asked[told:]


def test_what_was_compressed_on_its_way_is_refused(server: Server) -> None:
    packed = Reply(CONTENT, headers={"Content-Encoding": "gzip"})
    error = failure(server.put("/model.tflite", packed))
    assert "compressed as 'gzip', though it was asked for the file as it is" in error.message
    assert server.asked[0][1]["Accept-Encoding"] == "identity"
    assert left_behind() == []
    assert fetch(server.put("/model.tgz", packed)) == CONTENT  # as servers say of what lies there
    assert fetch(server.put("/model.tflite", packed), sha256=SHA256) == CONTENT


def test_a_full_disk_is_said(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: partial.Partial, chunk: bytes) -> None:
        with partial._disk_errors():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(partial.Partial, "append", full)
    error = failure(server.put("/model", CONTENT))
    assert "No space left on device" in error.message
    assert "WHATSIT_CACHE" in error.hint
    assert left_behind() == []


def test_a_cache_that_is_no_folder(
    server: Server, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_cache / "file").write_text("")
    monkeypatch.setenv("WHATSIT_CACHE", str(own_cache / "file"))
    assert "cannot keep the download" in failure(server.put("/model", CONTENT)).message


def test_two_at_the_same_time_do_not_mix(server: Server) -> None:
    url = server.put("/model", Reply(CONTENT, headers=TAG, stall_after=100_000))
    contents: list[bytes] = []
    threads = [threading.Thread(target=lambda: contents.append(fetch(url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert server.stalled.wait(20)
    while len(server.asked) < 3:
        time.sleep(0.01)
    server.resume.set()
    for thread in threads:
        thread.join()
    assert contents == [CONTENT] * 3
    assert left_behind() == []


def test_what_nobody_resumed_for_a_month_goes(server: Server, own_cache: Path) -> None:
    folder = own_cache / "downloads"
    folder.mkdir()
    old, young = folder / "old.partial", folder / "young.partial"
    for file in (old, young):
        file.write_bytes(b"x")
    os.utime(old, (1e9, 1e9))
    fetch(server.put("/model", CONTENT))
    assert not old.exists()
    assert young.exists()
