"""The server under load: its rate beside `classify_many`, its answers, overload, hostile uploads.

    python benchmarks/serve.py --photos FOLDER

Each setting runs `whatsit serve` in a process of its own, and clients in another. Contenders take
turns; only what was measured in one run is compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Report, Row, compared, load_warnings, neighbour_warnings, print_table

import whatsit
from whatsit import machine, zoo
from whatsit.images import is_picture_name

_CONNECTIONS = 4
_OVERLOAD = 96
_CLIENT_S = 60.0


@dataclass(frozen=True)
class Setup:
    """What is measured: these photos, so many a round, so many rounds, so many requests."""

    photos: Sequence[Path]
    model: str
    rounds: int
    pictures: int
    requests: int


@dataclass
class Load:
    """What one run of the client saw. `answers` holds (photo, status, body) if they are kept."""

    seconds: float = 0.0
    client_s: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    times_s: list[float] = field(default_factory=list)
    accepted_s: list[float] = field(default_factory=list)
    answers: list[tuple[int, int, bytes]] = field(default_factory=list)
    broken: int = 0


class Server:
    """`whatsit serve` in a process of its own."""

    def __init__(self, *options: str, model: str = zoo.DEFAULT) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "whatsit", "serve", "--port", "0", "-m", model, *options],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        found = re.search(r":(\d+)$", line.strip())
        if found is None:
            sys.exit(line + self._process.stderr.read())
        self.port = int(found[1])
        self.pid = self._process.pid
        while _ask(self.port, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")[0] != 200:
            time.sleep(0.02)

    def cpu_s(self) -> float:
        """Seconds that all of its threads have worked. Linux."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self, what: str) -> int:
        """VmRSS or VmHWM. Linux."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+)", text)[1]) * 1024  # type: ignore[index]

    def reset_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        return self._process.wait(60)

    def alive(self) -> bool:
        return self._process.poll() is None and (
            _ask(self.port, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200
        )

    def stop(self) -> int:
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
        status = self.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
        return status


@contextlib.contextmanager
def served(*options: str, model: str) -> Iterator[Server]:
    server = Server(*options, model=model)
    try:
        yield server
    finally:
        server.stop()


def request_of(photo: Path, query: str = "") -> bytes:
    """The bytes of a request, made once: the client is to cost little."""
    data = photo.read_bytes()
    head = (
        f"POST /v1/classify{query} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class _Caller:
    """One kept connection, which sends the next request once the last is answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.number = -1
        self.sent_s = 0.0
        self.buffer = b""
        self.left = memoryview(b"")
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def send(self, number: int, request: bytes) -> None:
        self.number, self.sent_s, self.buffer = number, time.perf_counter(), b""
        self.left = memoryview(request)
        self.go_on()

    def go_on(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.left:
                self.left = self.left[self.socket.send(self.left) :]

    def whole(self) -> tuple[int, bytes, bool] | None:
        """Status, body and whether the server closes, once all of it is there."""
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        low = head.lower()
        at = low.find(b"content-length:")
        length = int(low[at + 15 : (low + b"\r\n").find(b"\r\n", at)])
        if len(body) < length:
            return None
        return int(head[9:12]), body, b"connection: close" in low


def drive(
    port: int,
    requests: Sequence[bytes],
    count: int,
    connections: int,
    *,
    keep: bool = False,
    pause_s: float = 0.0,
    until_stopped: bool = False,
) -> Load:
    """Sends `count` requests in turn over so many kept connections.

    Who is refused waits for `pause_s`; or gives up, with `until_stopped`.
    """
    load, began_cpu = Load(), time.process_time()
    chosen = selectors.DefaultSelector()
    callers = [_Caller(port) for _ in range(connections)]
    next_number, open_count = 0, 0
    start = time.perf_counter()
    for caller in callers[: min(connections, count)]:
        caller.send(next_number, requests[next_number % len(requests)])
        chosen.register(caller.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, caller)
        next_number, open_count = next_number + 1, open_count + 1
    resting: deque[tuple[float, _Caller]] = deque()
    while (open_count or resting) and time.perf_counter() - start < _CLIENT_S * 10:
        while resting and resting[0][0] <= time.perf_counter():
            _, caller = resting.popleft()
            if next_number < count:
                caller.send(next_number, requests[next_number % len(requests)])
                chosen.register(caller.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, caller)
                next_number, open_count = next_number + 1, open_count + 1
        for key, events in chosen.select(0.01 if resting else 1.0):
            caller = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    caller.go_on()
                    if not caller.left:
                        chosen.modify(caller.socket, selectors.EVENT_READ, caller)
                if not events & selectors.EVENT_READ:
                    continue
                data = caller.socket.recv(1 << 16)
            except OSError:
                data = b""
            caller.buffer += data
            answer = caller.whole() if data else None
            if answer is None and data:
                continue
            closes = True
            if answer is None:
                load.broken += 1
            else:
                status, body, closes = answer
                _note(load, caller, status, body, keep)
            chosen.unregister(caller.socket)
            open_count -= 1
            refused = answer is not None and answer[0] != 200
            if next_number >= count or (until_stopped and (refused or answer is None)):
                continue
            if closes:
                caller.socket.close()
                try:
                    caller.connect()
                except OSError:
                    continue
            if pause_s and refused:
                resting.append((time.perf_counter() + pause_s, caller))
                continue
            caller.send(next_number, requests[next_number % len(requests)])
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if caller.left else 0)
            chosen.register(caller.socket, events, caller)
            next_number, open_count = next_number + 1, open_count + 1
    load.seconds = time.perf_counter() - start
    load.client_s = time.process_time() - began_cpu
    for caller in callers:
        caller.socket.close()
    return load


def _note(load: Load, caller: _Caller, status: int, body: bytes, keep: bool) -> None:
    took_s = time.perf_counter() - caller.sent_s
    load.statuses[status] += 1
    load.times_s.append(took_s)
    if status == 200:
        load.accepted_s.append(took_s)
    if keep:
        load.answers.append((caller.number, status, body))


def _driven(pipe: Any, *arguments: Any, **options: Any) -> None:
    pipe.send(drive(*arguments, **options))


def driven(*arguments: Any, **options: Any) -> Load:
    """`drive` in a process of its own."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=_driven, args=(theirs, *arguments), kwargs=options
    )
    child.start()
    load: Load = ours.recv()
    child.join()
    return load


def _ask(port: int, data: bytes, *, timeout_s: float = 40.0) -> tuple[int, bytes]:
    """Status and body of one request; 0 where the server closes without an answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        caller = _Caller.__new__(_Caller)
        caller.buffer = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        while (answer := caller.whole()) is None:
            try:
                piece = connection.recv(1 << 16)
            except ConnectionError:
                piece = b""
            if not piece:
                return 0, b""
            caller.buffer += piece
        return answer[0], answer[1]


def rate(setup: Setup, report: Report) -> None:
    """Requests a second over kept connections, beside pictures a second of classify_many."""
    photos = [setup.photos[i % len(setup.photos)] for i in range(setup.pictures)]
    data = [photo.read_bytes() for photo in photos]
    requests = [request_of(photo) for photo in photos]
    taken: dict[str, list[float]] = {"classify_many": [], "server": [], "client": []}
    work: list[float] = []
    with whatsit.load(setup.model) as model, served(model=setup.model) as server:
        for number in range(-1, setup.rounds):
            runs: list[Callable[[], None]] = [
                lambda: _time_many(model, data, taken),
                lambda: _time_server(server, requests, taken, work),
            ]
            for run in runs if number % 2 else runs[::-1]:
                run()
            if number < 0:
                for series in (*taken.values(), work):
                    series.clear()
    series = {name: np.array(values)[:, None] for name, values in taken.items()}
    report.times("rate", {k: v for k, v in series.items() if k != "client"}, setup.pictures)
    cores = machine.cpu_count()
    pair = (series["classify_many"], series["server"])
    report.rows.append(
        compared("rate", "server / classify_many", pair, percent=100, limit=85, at_most=False)
    )
    share = 100 * float(np.median(series["client"] / (cores * series["server"])))
    report.rows.append(Row("rate", "of the machine's time, the client's share", share, "%"))
    own = 1e3 * float(np.median(work)) / setup.pictures
    report.rows.append(Row("rate", "processor time of the server, a picture", own, "ms"))


def _time_many(model: Any, data: Sequence[bytes], taken: dict[str, list[float]]) -> None:
    start = time.perf_counter()
    for result in model.classify_many(data):
        assert result.error is None
    taken["classify_many"].append(time.perf_counter() - start)


def _time_server(
    server: Server, requests: Sequence[bytes], taken: dict[str, list[float]], work: list[float]
) -> None:
    before_s = server.cpu_s()
    load = driven(server.port, requests, len(requests), _CONNECTIONS)
    assert load.statuses[200] == len(requests), load.statuses
    taken["server"].append(load.seconds)
    taken["client"].append(load.client_s)
    work.append(server.cpu_s() - before_s)


def answers(setup: Setup, report: Report) -> None:
    """Every answer of many requests beside that of `classify`."""
    requests = [request_of(photo) for photo in setup.photos]
    with whatsit.load(setup.model) as model:
        expected = [_known(model.classify(photo.read_bytes()).to_json()) for photo in setup.photos]
    with served(model=setup.model) as server:
        load = driven(server.port, requests, setup.requests, 8, keep=True)
    wrong = sum(
        status != 200 or _known(json.loads(body)) != expected[number % len(requests)]
        for number, status, body in load.answers
    )
    seen = len({number for number, _, _ in load.answers})
    report.rows += [
        Row("answers", f"wrong, of {setup.requests:,} requests", wrong, "", 0),
        Row("answers", "lost", setup.requests - seen + load.broken, "", 0),
    ]


def _known(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("timings_ms", "path")}


def overload(setup: Setup, report: Report) -> None:
    """Many more clients than the queue takes: those that get an answer get it soon."""
    requests = [request_of(photo) for photo in setup.photos]
    with served("--queue", "32", model=setup.model) as server:
        usual = driven(server.port, requests, setup.pictures, _CONNECTIONS)
        load = driven(server.port, requests, 4 * setup.pictures, _OVERLOAD, pause_s=0.1)
    each_s = usual.seconds / setup.pictures
    bound = (32 + 2 * _CONNECTIONS) * each_s
    p99 = float(np.quantile(load.accepted_s, 0.99)) if load.accepted_s else float("nan")
    others = sum(count for status, count in load.statuses.items() if status not in (200, 429, 503))
    unanswered = 4 * setup.pictures - sum(load.statuses.values())
    report.rows += [
        Row("overload", f"accepted, of {4 * setup.pictures} from {_OVERLOAD}",
            load.statuses[200], ""),
        Row("overload", "refused with 429 or 503", load.statuses[429] + load.statuses[503], ""),
        Row("overload", "other answers, or none", others + unanswered, "", 0),
        Row("overload", "p99 of those accepted / a full queue's time", p99 / bound, "×", 3),
        Row("overload", "longest of all", 1e3 * max(load.times_s), "ms"),
    ]  # fmt: skip


def stopping(setup: Setup, report: Report) -> None:
    """SIGTERM under load: what was accepted is answered, the rest is told so."""
    requests = [request_of(photo) for photo in setup.photos]
    cut, refused, statuses = 0, 0, []
    for _ in range(max(3, setup.rounds)):
        server = Server(model=setup.model)
        timer = threading.Timer(0.7, server.signal, [signal.SIGTERM])
        timer.start()
        load = driven(server.port, requests, 100_000, 16, until_stopped=True)
        timer.join()
        statuses.append(server.stop())
        cut += load.broken
        refused += load.statuses[503]
    report.rows += [
        Row("stopping", "requests without an answer", cut, "", 0),
        Row("stopping", "told that the server stops", refused, ""),
        Row("stopping", "servers that did not end with 0", sum(s != 0 for s in statuses), "", 0),
    ]


def hostile(setup: Setup, report: Report) -> None:
    """Bombs, endless and slow bodies, floods of parts: memory stays bounded, the server alive."""
    with served("--timeout", "3s", model=setup.model) as server:
        for _ in range(3):
            driven(server.port, [request_of(p) for p in setup.photos], 200, _CONNECTIONS)
        before = server.memory_bytes("VmRSS")
        server.reset_peak()
        statuses: Counter[str] = Counter()
        threads = [
            threading.Thread(target=_attacked, args=(server.port, name, attack, statuses))
            for name, attack in _attacks().items()
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        alive = server.alive()
        peak, after = server.memory_bytes("VmHWM"), server.memory_bytes("VmRSS")
    # What service.py lets be decoded at the same time, and what was there before.
    most = before + 256e6 * machine.cpu_count() + 20 * 25e6
    report.rows += [
        Row("hostile", "server dead", float(not alive), "", 0),
        Row("hostile", "memory before", before / 1e6, "MB"),
        Row("hostile", "most memory meanwhile", peak / 1e6, "MB", most / 1e6),
        Row("hostile", "memory after", after / 1e6, "MB"),
    ]
    report.rows += [Row("hostile", what, count, "") for what, count in sorted(statuses.items())]


def _attacks() -> dict[str, Callable[[int], int]]:
    return {
        "bomb": lambda port: _ask(port, _posted(_bomb(20_000, 20_000)))[0],
        "large": lambda port: _ask(port, _posted(_bomb(5_000, 5_000)))[0],
        "endless": _endless,
        "slow": _slow,
        "silent": _silent,
        "parts": lambda port: _ask(port, _many_parts(10_000))[0],
        "headers": lambda port: _ask(port, b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 10**7)[0],
        "lie": lambda port: _ask(
            port, b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        )[0],
    }


def _attacked(port: int, name: str, attack: Callable[[int], int], statuses: Counter[str]) -> None:
    try:
        status = attack(port)
    except OSError as error:
        status = f"{type(error).__name__}"  # type: ignore[assignment]
    statuses[f"{name}: {status}"] += 1


def _posted(data: bytes, kind: str = "application/octet-stream") -> bytes:
    head = (
        f"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def _bomb(width: int, height: int) -> bytes:
    """A PNG of one colour: a few hundred kB that become gigabytes."""
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    packer = zlib.compressobj(9)
    row = bytes(1 + 4 * width)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def _many_parts(count: int) -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="p"; filename="a.png"\r\n\r\n\x89PNG\r\n'
    return _posted(part * count + b"--b--\r\n", "multipart/form-data; boundary=b")


def _endless(port: int) -> int:
    """Chunks without an end, as long as the server takes them; the status that it sends."""
    head = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=40) as connection:
        connection.sendall(head)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                connection.sendall(chunk)
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    if data := connection.recv(1 << 16):
                        return int(data[9:12])
                connection.settimeout(40)
        connection.settimeout(40)
        data = connection.recv(1 << 16)
        return int(data[9:12]) if data else 0


def _slow(port: int) -> int:
    """One byte at a time."""
    head = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=0.2) as connection:
        connection.sendall(head)
        for _ in range(200):
            with contextlib.suppress(TimeoutError):
                data = connection.recv(1 << 16)
                return int(data[9:12]) if data else 0
            connection.sendall(b"x")
        return -1


def _silent(port: int) -> int:
    """Says nothing at all."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        data = connection.recv(1 << 16)
        return int(data[9:12]) if data else 0


def batching(setup: Setup, report: Report) -> None:
    """Would several pictures in one run of the engine be faster? One thread, the engine alone."""
    from ai_edge_litert.interpreter import Interpreter

    bundle = whatsit.Bundle.read(zoo.catalogue()[setup.model].path)
    taken: dict[int, list[float]] = {1: [], 4: [], 8: []}
    engines = {}
    for size in taken:
        engine = Interpreter(model_content=bundle.data, num_threads=1)
        details = engine.get_input_details()[0]
        engine.resize_tensor_input(details["index"], [size, *details["shape"][1:]])
        engine.allocate_tensors()
        batch = np.zeros((size, *details["shape"][1:]), details["dtype"])
        engines[size] = (engine, details["index"], batch)
    for number in range(-1, setup.rounds):
        for size, (engine, index, batch) in engines.items():
            start = time.perf_counter()
            for _ in range(64 // size):
                engine.set_tensor(index, batch)
                engine.invoke()
            if number >= 0:
                taken[size].append(time.perf_counter() - start)
    series = {f"batch of {size}": np.array(found)[:, None] for size, found in taken.items()}
    report.times("batching", series, 64)
    report.rows += [
        compared(
            "batching",
            f"rate of batches of {size} / one by one",
            (series["batch of 1"], series[f"batch of {size}"]),
            percent=100,
        )
        for size in (4, 8)
    ]


SETTINGS: dict[str, Callable[[Setup, Report], None]] = {
    "rate": rate,
    "answers": answers,
    "overload": overload,
    "stopping": stopping,
    "hostile": hostile,
    "batching": batching,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, default=zoo.GOLDEN, help="a folder with pictures")
    parser.add_argument("--model", default=zoo.DEFAULT, help=f"default: {zoo.DEFAULT}")
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--pictures", type=int, default=600, help="a round; default: 600")
    parser.add_argument("--requests", type=int, default=20_000, help="default: 20000")
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    return parser.parse_args()


def main() -> None:
    """Runs the settings asked for. Exit status 0 whatever they show: noise is no failure."""
    arguments = _arguments()
    photos = sorted(p for p in arguments.photos.rglob("*") if is_picture_name(p))
    if not photos:
        sys.exit(f"no pictures below {os.fspath(arguments.photos)!r}")
    report = Report(warnings=load_warnings())
    setup = Setup(photos, arguments.model, arguments.rounds, arguments.pictures, arguments.requests)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["WHATSIT_CACHE"] = cache
        for name in arguments.only:
            neighbours = machine.Neighbours()
            SETTINGS[name](setup, report)
            if name == "batching":  # the servers and clients of the others are not ours to count
                report.warnings += neighbour_warnings(neighbours)
    print(f"{setup.model}, {len(photos)} photos, {setup.rounds} rounds\n")
    print_table(report)
    figures = [{**vars(row), "met": row.met} for row in report.rows]
    rest = {"times_ms": report.times_ms, "warnings": report.warnings}
    print(json.dumps({"figures": figures, **rest, "machine": machine.facts()}))


if __name__ == "__main__":
    main()
