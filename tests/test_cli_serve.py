"""`whatsit serve`: its options, what it says, its certificate, and how it ends."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import make_models
import pytest
from conftest import CATS, Run

from whatsit import zoo

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from api_server import BINARY

from whatsit.cli import serve as command
from whatsit.serve import addresses, certificate

Program = Callable[..., Run]


class Started:
    """`whatsit serve` in a process of its own, on a free port."""

    def __init__(self, *options: str, cache: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "whatsit", "serve", "--port", "0", "--workers", "1", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # a buffer would keep what communicate() is to give
            env={**os.environ, "WHATSIT_CACHE": str(cache)},
        )
        assert self.process.stderr is not None
        first = self.process.stderr.readline().decode()
        found = re.fullmatch(r"serving   (https?)://localhost:(\d+)|.*:(\d+)", first.strip())
        assert found is not None, first + self.process.stderr.read().decode()
        self.port = int(found[2] or found[3])
        self.first = first
        self.context: ssl.SSLContext | None = None

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection
        if self.context is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        else:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=20, context=self.context
            )
        with contextlib.closing(connection):
            connection.request(method, path, body, BINARY if body else {})
            response = connection.getresponse()
            return response.status, response.read()

    def wait_until_ready(self) -> None:
        while self.ask("GET", "/readyz")[0] != 200:
            time.sleep(0.02)

    def end(self, number: int = signal.SIGTERM) -> Run:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return Run(self.process.returncode, out.decode(), self.first + err.decode())


@pytest.fixture
def start(own_cache: Path) -> Iterator[Callable[..., Started]]:
    begun: list[Started] = []

    def started(*options: str) -> Started:
        begun.append(Started(*options, cache=own_cache))
        return begun[-1]

    yield started
    for server in begun:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def three_lines(run: Run, status: int) -> list[str]:
    """Message, expected and hint of a failed start; nothing else was printed."""
    assert (run.status, run.out) == (status, "")
    lines = run.err.splitlines()
    assert all(re.match(r"(error|expected|hint) +", line) for line in lines), run.err
    return [line.split(maxsplit=1)[1] for line in lines]


# A server and its end.


def test_it_serves_until_it_is_told_to_stop(start: Callable[..., Started], cat: Path) -> None:
    server = start("--log")
    server.wait_until_ready()
    status, body = server.ask("POST", "/v1/classify?top=1", cat.read_bytes())
    server.ask("GET", "/no%1b%5b31mthing")
    run = server.end()
    assert (status, json.loads(body)["predictions"][0]["index"] in CATS) == (200, True)
    assert (run.status, run.out) == (0, "")
    lines = run.err.splitlines()
    assert lines[0] == f"serving   http://127.0.0.1:{server.port}"
    assert lines[1] == f"models    {zoo.DEFAULT}"
    assert lines[-1] == "stopped   1 picture answered"
    asked = [line for line in lines if "  127.0.0.1  " in line]
    assert re.search(r"  POST /v1/classify  200  \d+\.\d ms$", asked[-2])
    assert r"GET /no\x1b[31mthing  404" in asked[-1]
    assert "warning" not in run.err


def test_ctrl_c_is_a_stop_too(start: Callable[..., Started]) -> None:
    server = start()
    server.wait_until_ready()
    run = server.end(signal.SIGINT)
    assert (run.status, run.err.splitlines()[-1]) == (0, "stopped   0 pictures answered")


def test_a_stop_under_load_loses_no_answer(start: Callable[..., Started], cat: Path) -> None:
    server = start()
    server.wait_until_ready()
    body, broken = cat.read_bytes(), []
    counts = {200: 0, 503: 0}

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        with contextlib.closing(connection):
            while True:
                try:
                    connection.request("POST", "/v1/classify?top=1", body, BINARY)
                    response = connection.getresponse()
                    answer = json.loads(response.read())
                except (OSError, http.client.HTTPException) as error:
                    broken.append(error)
                    return
                counts[response.status] += 1
                if response.status == 503:
                    assert answer["error"]["code"] == "stopping"
                    return
                assert answer["predictions"][0]["index"] in CATS
                if response.getheader("connection") == "close":
                    return

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    while counts[200] < 20:
        time.sleep(0.01)
    run = server.end()
    for thread in threads:
        thread.join()
    assert broken == []
    assert run.status == 0
    assert run.err.splitlines()[-1] == f"stopped   {counts[200]} pictures answered"


def test_a_second_signal_ends_at_once(start: Callable[..., Started]) -> None:
    server = start("--timeout", "60s")
    server.wait_until_ready()
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        while b"whatsit_requests_in_flight 2.0" not in server.ask("GET", "/metrics")[1]:
            time.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.7)  # sooner it would be taken for the same stroke
        assert server.process.poll() is None
        run = server.end()
    assert run.status == 128 + signal.SIGTERM


# What cannot be.


def test_a_port_in_use(whatsit: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = whatsit("serve", "--port", port)
    message, expected, hint = three_lines(run, 1)
    assert message == f"port {port} is in use"
    assert expected == "a free port"
    assert "--port" in hint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "the port 70000"),
        (["--port", "http"], "invalid value for '--port': 'http' is not a valid integer"),
        (["--host", "no-such-host.invalid"], "no address 'no-such-host.invalid'"),
        (["--host", ""], "no address ''"),
        (["--force"], "--force without --export"),
        (["--export", "site", "--https"], "--https beside --export"),
        (["--export", "site", "--port", "80"], "--port beside --export"),
        (["--host", "192.0.2.77"], "no address '192.0.2.77'"),
        (["-m", "none"], "no built-in model 'none'"),
        (["-m", zoo.DEFAULT, "-m", zoo.DEFAULT], f"two models of the name '{zoo.DEFAULT}'"),
        (["--cert", "c.pem"], "one of --cert and --key"),
        (["--cert", "no.pem", "--key", "no.pem"], "'no.pem' and 'no.pem' cannot be used"),
        (["--api-key-file", "no.txt"], "cannot read the key in 'no.txt'"),
        (["--cors", "example.com"], "'example.com' is no origin of web pages"),
        (["--max-bytes", "5"], "--max-bytes '5'"),
        (["--max-pixels", "many"], "--max-pixels 'many'"),
        (["--max-pictures", "0"], "at most 0 pictures in a request"),
        (["--max-connections", "0"], "at most 0 connections"),
        (["--queue", "0"], "at most 0 waiting pictures"),
        (["--timeout", "0"], "--timeout '0'"),
        (["--timeout", "2000min"], "a timeout of 120000 s"),
        (["--workers", "0"], "0 workers"),
        (["--threads", "0"], "0 threads"),
        (["--runtime", "fast"], "no runtime 'fast'"),
    ],
)
def test_wrong_usage(
    whatsit: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    port = [] if {"--port", "--export"} & set(arguments) else ["--port", "0"]
    lines = three_lines(whatsit("serve", *port, *arguments), 2)
    assert lines[0].startswith(message)


def test_a_model_that_is_damaged(whatsit: Program, tmp_path: Path) -> None:
    file = tmp_path / "cut.tflite"
    file.write_bytes(make_models.bundle(make_models.pixels(8, 8), 192)[:300])
    run = whatsit("serve", "--port", "0", "-m", file)
    assert run.status == 1
    assert "'cut'" in three_lines(run, 1)[0]


def test_a_certificate_that_is_none(whatsit: Program, tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("nothing")
    lines = three_lines(whatsit("serve", "--port", "0", "--cert", file, "--key", file), 2)
    assert "cannot be used" in lines[0]
    assert lines[1].startswith("a certificate and its private key")


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"x" * 5000])
def test_a_key_file_without_a_key(whatsit: Program, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key.txt"
    file.write_bytes(content)
    lines = three_lines(whatsit("serve", "--port", "0", "--api-key-file", file), 2)
    assert lines[0] == "the API key cannot be sent in a header"


def test_without_the_extra_it_says_how_to_get_it(
    whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = command.importlib.util.find_spec
    monkeypatch.setattr(
        command.importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name)
    )
    message, hint = three_lines(whatsit("serve"), 1)
    assert message == "the server needs uvicorn, which is not installed"
    assert hint == "pip install 'whatsit[serve]'"


# Keys, networks, HTTPS.


def test_the_key_comes_from_a_file_or_the_environment(
    start: Callable[..., Started], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.txt"
    file.write_text("from-file\n")
    monkeypatch.setenv("WHATSIT_API_KEY", "from-environment")
    for server, key in ((start("--api-key-file", str(file)), "from-file"),
                        (start(), "from-environment")):  # fmt: skip
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/v1/models", headers={"X-API-Key": key})
            assert connection.getresponse().status == 200
        assert server.ask("GET", "/v1/models")[0] == 401
        server.wait_until_ready()
        run = server.end()
        assert key not in run.err


def test_outside_this_machine_it_warns(start: Callable[..., Started]) -> None:
    server = start("--host", "0.0.0.0")
    server.wait_until_ready()
    run = server.end()
    warnings = [line for line in run.err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 2
    assert "--https" in warnings[0]
    assert "--api-key-file" in warnings[1]


def test_https_with_a_certificate_of_its_own(
    start: Callable[..., Started], own_cache: Path
) -> None:
    server = start("--https")
    kept = own_cache / "certificate" / "serve.pem"
    server.context = ssl.create_default_context(cafile=str(kept))  # names are checked too
    server.wait_until_ready()
    run = server.end()
    assert run.err.startswith(f"serving   https://localhost:{server.port}\n")
    lines = run.err.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("sha256    "))
    assert lines[at][10:] + lines[at + 1][10:] == certificate.fingerprint(kept)
    assert max(len(line) for line in lines[at : at + 2]) <= 80
    assert "warns once" in run.err
    assert "█" not in run.err  # the code is for terminals
    if os.name == "posix":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_certificate_is_kept_while_it_fits(own_cache: Path) -> None:
    first = certificate.own_certificate(["192.0.2.5"])
    again = certificate.own_certificate(["192.0.2.5"])
    fewer = certificate.own_certificate([])
    assert first.is_new
    assert (again.is_new, fewer.is_new) == (False, False)
    other = certificate.own_certificate(["192.0.2.6", "2001:db8::7"])
    assert other.is_new
    assert other.fingerprint != first.fingerprint
    other.path.write_bytes(other.path.read_bytes()[:100])
    mended = certificate.own_certificate(["192.0.2.6"])
    assert mended.is_new
    assert list(mended.path.parent.iterdir()) == [mended.path]


def test_a_certificate_that_ends_soon_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "_DAYS", 5)
    certificate.own_certificate([])
    assert certificate.own_certificate([]).is_new


def test_the_fingerprint_is_that_of_the_certificate(tmp_path: Path) -> None:
    made = certificate.own_certificate([])
    der = ssl.PEM_cert_to_DER_cert(made.path.read_text().partition("-----BEGIN PRIVATE")[0])
    digest = hashlib.sha256(der).hexdigest().upper()
    assert made.fingerprint.replace(":", "") == digest
    assert made.fingerprint.count(":") == 31


def test_the_code_fits_a_terminal() -> None:
    code = addresses.qr_code(
        addresses.url("https", "2001:db8:1234:5678:9abc:def0:1234:5678", 65535)
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", code)
    assert max(map(len, plain.splitlines())) <= 80
    assert len(plain.splitlines()) <= 24


@pytest.mark.parametrize(
    ("host", "local", "everywhere"),
    [
        ("127.0.0.1", True, False),
        ("127.8.9.1", True, False),
        ("::1", True, False),
        ("localhost", True, False),
        ("0.0.0.0", False, True),
        ("::", False, True),
        ("192.0.2.1", False, False),
        ("box.example", False, False),
    ],
)
def test_who_can_reach_an_address(host: str, local: bool, everywhere: bool) -> None:
    assert addresses.is_local(host) == local
    assert addresses.is_everywhere(host) == everywhere


def test_addresses_in_urls() -> None:
    assert addresses.url("http", "::1", 80) == "http://[::1]:80"
    assert addresses.url("https", "192.0.2.1", 8000) == "https://192.0.2.1:8000"
    assert all(not address.startswith("127.") for address in addresses.local_addresses())


def test_only_addresses_that_reach_the_server_are_named() -> None:
    with socket.socket() as listener:
        assert addresses.families(listener) == [socket.AF_INET]
    assert all("." in address for address in addresses.local_addresses([socket.AF_INET]))
    assert all(":" in address for address in addresses.local_addresses([socket.AF_INET6]))


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_a_socket_of_ipv6_may_take_both() -> None:
    with socket.socket(socket.AF_INET6) as listener:
        for alone, expected in ((1, [socket.AF_INET6]), (0, [socket.AF_INET, socket.AF_INET6])):
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, alone)
            assert addresses.families(listener) == expected


def test_bad_forms_leave_no_line_in_the_log(start: Callable[..., Started]) -> None:
    server = start()
    server.wait_until_ready()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    with contextlib.closing(connection):
        headers = {"Content-Type": "multipart/form-data; boundary=edge"}
        connection.request("POST", "/v1/classify", b"no form at all", headers)
        assert connection.getresponse().status == 400
    run = server.end()
    assert [line.split()[0] for line in run.err.splitlines()] == ["serving", "models", "stopped"]
