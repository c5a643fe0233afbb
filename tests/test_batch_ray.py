"""The engine of many hosts: two on this machine, one of which is killed in the middle."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from whatsit import zoo
from whatsit.batch import batch, cluster
from whatsit.batch import job as jobs
from whatsit.batch.cluster import session, watching
from whatsit.batch.cluster.hosts import Needs
from whatsit.batch.job import Job
from whatsit.errors import ExtraMissing, ModelDamaged, UsageError, WhatsitError

MODEL = "mobilenet-v2-int8"
CORE = {"num_cpus": 1, "object_store_memory": 80 << 20}
# A host is missed after some seconds instead of half a minute.
IMPATIENT = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
# In a process of its own: four pictures a block, so that few make many blocks.
PROGRAM = """
import sys
from whatsit.batch import job
job.BLOCK = 4
from whatsit.cli import main
sys.argv = ["whatsit", *sys.argv[1:]]
main()
"""
ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "whatsit":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""
HAS_RAY = importlib.util.find_spec("ray") is not None


def needs_ray(test: Callable[..., None]) -> Callable[..., None]:
    """Some versions of Ray leave files open, of which pytest hears in whatever test runs then."""
    test = pytest.mark.filterwarnings("ignore::ResourceWarning")(test)
    test = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")(test)
    return pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")(test)


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster of two hosts with a core each, both of them on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")  # and none that is kept in the person's folder
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("WHATSIT_CACHE", str(tmp_path_factory.mktemp("hosts")))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from ray.cluster_utils import Cluster

            started = Cluster(
                initialize_head=True, head_node_args={**CORE, "_system_config": IMPATIENT}
            )
            started.add_node(**CORE)
        yield started
        started.shutdown()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with 160 files in `photos`, some of which are no pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "BLOCK", 4)
    monkeypatch.setattr(watching, "_EVERY_S", 0.1)
    golden = [p for p in sorted(zoo.GOLDEN.iterdir()) if p.suffix in (".png", ".jpg")]
    Path("photos").mkdir()
    for i in range(160):
        content = golden[i % len(golden)].read_bytes()
        Path(f"photos/{i:03d}.jpg").write_bytes(content if i % 20 else content[:100])
    return tmp_path


def run(out: str, **options: Any) -> Any:
    return batch(["photos"], out, model=MODEL, cache=False, **options)


@needs_ray
def test_a_host_killed_in_the_middle_costs_no_row_and_doubles_none(
    two_hosts: Any, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import ray

    notes: list[str] = []
    seen: list[tuple[int, int | None, int]] = []
    killed = threading.Event()

    def kill_when_all_work(done: int, total: int | None, failed: int) -> None:
        seen.append((done, total, failed))
        both_work = ray.is_initialized() and not ray.available_resources().get("CPU", 0)
        if total and done >= 12 and both_work and not killed.is_set():
            killed.set()
            (_, other) = two_hosts.list_all_nodes()
            two_hosts.remove_node(other, allow_graceful=False)

    local = run("local.jsonl")
    report = run(
        "ray.jsonl",
        engine="ray",
        address=two_hosts.address,
        progress=kill_when_all_work,
        note=notes.append,
    )
    two_hosts.add_node(**CORE)
    assert killed.is_set()
    assert any("has gone" in note for note in notes)
    assert Path("ray.jsonl").read_bytes() == Path("local.jsonl").read_bytes()
    assert Path("ray.errors.jsonl").read_bytes() == Path("local.errors.jsonl").read_bytes()
    assert (report.pictures, report.failed) == (local.pictures, local.failed) == (160, 8)
    assert seen[-1] == (160, 160, 8)
    done = [so_far for so_far, total, _ in seen if total]
    assert done == sorted(done)
    assert not Path("ray.jsonl.job").exists()
    assert capfd.readouterr() == ("", "")  # Ray had much to say of this


@needs_ray
def test_a_run_that_was_stopped_goes_on_with_ray_and_is_quiet(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int | None, failed: int) -> None:
        if total and done >= 100:
            raise KeyboardInterrupt

    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    run("whole.parquet", embeddings=True)
    with pytest.raises(KeyboardInterrupt):
        run("out.parquet", embeddings=True, progress=stop)
    kept = len(list(Path("out.parquet.job").glob("part-*")))
    assert 20 <= kept < 40
    command = f"batch photos -o out.parquet -m {MODEL} --embeddings --no-cache --engine ray --json"
    found = subprocess.run(
        [sys.executable, "-W", "default", "-c", PROGRAM, *command.split()],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert found.returncode == 1, found.stderr  # for the pictures that are none
    notes = found.stderr.splitlines()
    assert {note.split()[0] for note in notes} == {"note"}, found.stderr
    assert any("starting Ray" in note for note in notes)
    (summary,) = map(json.loads, found.stdout.splitlines())
    assert summary["resumed"] == 4 * kept
    assert Path("out.parquet").read_bytes() == Path("whole.parquet").read_bytes()


@needs_ray
def test_a_model_that_fails_on_the_hosts_ends_the_run_with_our_error(
    two_hosts: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = cluster.run

    def with_damaged_model(job: Job, task: Any, **options: Any) -> Any:
        return usual(job, replace(task, model=b"no model"), **options)

    monkeypatch.setattr(cluster, "run", with_damaged_model)
    with pytest.raises(ModelDamaged, match=MODEL) as caught:
        run("out.jsonl", engine="ray", address=two_hosts.address)
    assert type(caught.value) is ModelDamaged
    assert list(Path("out.jsonl.job").glob("part-*")) == []


@needs_ray
def test_a_host_without_the_package_is_named(two_hosts: Any, folder: Path) -> None:
    Path("sitecustomize.py").write_text(ABSENT)
    bare = two_hosts.add_node(**CORE, env_vars={"PYTHONPATH": str(folder)})
    try:
        with pytest.raises(WhatsitError, match="lacks the Python package 'whatsit'") as caught:
            run("out.jsonl", engine="ray", address=two_hosts.address)
        assert "pip install" in caught.value.hint
    finally:
        two_hosts.remove_node(bare)


def needed(monkeypatch: pytest.MonkeyPatch) -> tuple[Job, Needs]:
    """The job that a run leaves when it is stopped at once, and what it needs."""
    jobs_seen: list[Job] = []

    def stop(job: Job, task: Any, **options: Any) -> int:
        jobs_seen.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "check_installed", lambda: None)
    monkeypatch.setattr(cluster, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        run("out.jsonl", engine="ray")
    (job,) = jobs_seen
    task = SimpleNamespace(runtime="litert")
    return job, Needs.of(job, task, job.pending())  # type: ignore[arg-type]


def test_the_host_that_began_the_job_can_do_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, needs = needed(monkeypatch)
    before = sorted(os.listdir("out.jsonl.job"))
    assert [item.path[-7:-4] for item in needs.samples] == ["000", "003", "156", "159"]
    needs.check_here()
    assert sorted(os.listdir("out.jsonl.job")) == before


def test_a_host_with_another_version_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, needs = needed(monkeypatch)
    other = replace(needs, versions={**needs.versions, "numpy": "1.0"}, host="first")
    with pytest.raises(WhatsitError, match=r"its numpy is \S+, that of first 1\.0"):
        other.check_here()
    more = replace(needs, versions={**needs.versions, "other": "2"}, host="first")
    with pytest.raises(WhatsitError, match="its other is missing, that of first 2"):
        more.check_here()


def test_a_host_that_does_not_see_the_job_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, needs = needed(monkeypatch)
    Path("out.jsonl.job/job.json").write_text("{}")
    with pytest.raises(WhatsitError, match=r"does not see 'out\.jsonl\.job'") as caught:
        needs.check_here()
    assert "share" in caught.value.hint
    shutil.rmtree("out.jsonl.job")
    with pytest.raises(WhatsitError, match=r"does not see 'out\.jsonl\.job'"):
        needs.check_job()


def test_a_host_that_does_not_see_the_pictures_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, needs = needed(monkeypatch)
    Path("photos").rename("elsewhere")
    with pytest.raises(WhatsitError, match=r"cannot read a picture that .* can: .*photos"):
        needs.check_here()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "no Ray cluster at '127.0.0.1:1'"),
        ("127.0.0.1:99999", "the address"),
        ("cluster", "the address 'cluster'"),
        ("ray://127.0.0.1:10001", "the address 'ray://"),
    ],
)
def test_an_address_without_a_cluster_is_refused_at_once(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        session.check_answers(address)
    assert "HOST:PORT" in caught.value.expected


def test_what_answers_but_is_no_cluster_is_refused_at_once() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(UsageError, match="what answers there is no cluster"):
            session.check_answers(f"127.0.0.1:{server.server_port}")


def test_a_missing_ray_is_said_before_anything_is_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name == "ray" else found(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(ExtraMissing, match="needs Ray") as caught:
        cluster.check()
    assert caught.value.hint == "pip install 'whatsit[ray]'"


def test_an_error_of_the_progress_ends_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _ = needed(monkeypatch)
    calls = []

    def progress(done: int, total: int | None, failed: int) -> None:
        calls.append(done)
        if len(calls) > 1:
            raise ValueError("enough")

    with (
        pytest.raises(ValueError, match="enough"),
        watching.watched(job, job.pending(), progress, None),
    ):
        threading.Event().wait(60)
    assert calls == [0, 0]


def test_our_error_is_found_behind_those_of_ray() -> None:
    try:
        try:
            raise ModelDamaged("it fails")
        except ModelDamaged as error:
            raise RuntimeError("Traceback: much of it") from error
    except RuntimeError as error:
        own = cluster._own(error)
        assert own is not None
        assert own.message == "it fails"
    assert cluster._own(ValueError("none")) is None


def test_our_error_is_freed_of_what_ray_makes_of_it() -> None:
    class Both(RuntimeError, ModelDamaged):
        """As Ray has it: one of our kind, whose text is a traceback."""

        cause = ModelDamaged("it fails", hint="fetch it again")

    with pytest.raises(ModelDamaged) as caught, cluster._translated():
        raise Both("Traceback: much of it")
    assert caught.value is Both.cause
    with pytest.raises(ModelDamaged, match="our own") as caught, cluster._translated():
        raise ModelDamaged("our own")
    with pytest.raises(WhatsitError, match="Ray gave up: the last line"), cluster._translated():
        raise RuntimeError("much\nthe last line\n")


def test_only_what_ray_prints_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    stream: Any = session._WithoutRay(sys.stdout)
    thread = threading.Thread(
        target=print, args=("noise",), kwargs={"file": stream}, name="ray_listen_error_messages"
    )
    thread.start()
    thread.join()
    print("mine", file=stream, flush=True)
    assert capsys.readouterr().out == "mine\n"
