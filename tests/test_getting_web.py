"""Addresses and names of the hosted table become models, or nothing stays behind."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import web_server
from test_getting import (
    NAMES,
    QUANTISED,
    SMALL,
    files_in_cache,
    foreign,
    needs_shared,
    refused,
    tarred,
    zipped,
)
from web_server import Reply, Server

import whatsit
from whatsit import Bundle, DownloadFailed, ModelDamaged, UsageError, getting, zoo
from whatsit.getting import download
from whatsit.zoo import imported, published

TAG = {"ETag": '"one"'}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "_PAUSES_S", (0.0, 0.0, 0.0))
    with web_server.running() as server:
        yield server


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_model_at_an_address(server: Server) -> None:
    url = server.put("/pub/colours.tflite?token=secret", foreign())
    got = getting.get(url)
    assert (got.name, got.new) == ("colours", True)
    assert got.path.read_bytes() == foreign()
    receipt = imported.receipt("colours")
    assert receipt is not None
    assert receipt.source == f"{server.address}/pub/colours.tflite"
    kept = sorted(Path(name).name for name in files_in_cache())
    assert kept == ["colours.json", "colours.tflite"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_at_an_address(pack: object, server: Server) -> None:
    content = pack({"m.tflite": SMALL, "labels.txt": NAMES.encode()})  # type: ignore[operator]
    got = getting.get(server.put("/colours.tgz", content), preprocess="stretch")
    bundle = Bundle.read(got.path)
    assert bundle.labels.names == ("red", "green", "blue")
    assert bundle.record["origin"] == {
        "source": f"{server.address}/colours.tgz",
        "sha256": sha256(content),
        "member": "m.tflite",
    }


@needs_shared
@pytest.mark.parametrize("file", QUANTISED, ids=lambda file: file.stem)
def test_quantised_mobilenets_over_http(file: Path, server: Server, coffee: Path) -> None:
    data = file.read_bytes()
    cut = Reply(data, headers=TAG, cut_after=len(data) // 2)
    got = getting.get(server.put("/net.tflite", cut, Reply(data, headers=TAG)))
    assert got.path.read_bytes() == data
    assert server.ranges() == [None, f"bytes={len(data) // 2}-"]
    with whatsit.load("net") as classifier:
        assert classifier.classify(coffee).predictions[0].label == "espresso"


def test_once_there_it_is_not_asked_for_again(server: Server) -> None:
    url = server.put("/colours.tflite", foreign())
    getting.get(url)
    again = getting.get(url, offline=True)
    assert (again.new, len(server.asked)) == (False, 1)
    assert getting.get(url, force=True).new is False  # the same bytes
    assert len(server.asked) == 2
    with refused(UsageError, "already an imported model 'colours'"):
        getting.get(server.put("/other/colours.tflite", foreign()))
    with refused(UsageError, "already an imported model 'colours'"):
        getting.get(url, sha256="0" * 64)


def test_what_is_asked_for_is_not_passed_over(server: Server) -> None:
    url = server.put("/colours.tflite", foreign())
    getting.get(url)
    with refused(UsageError, "already an imported model 'colours'", "--force"):
        getting.get(url, preprocess="pad")
    bundle = Bundle.read(getting.get(url, preprocess="pad", force=True).path)
    assert str(bundle.preprocess) == "pad(bicubic)"
    with refused(UsageError, "already an imported model 'colours'", "--force"):
        getting.get(url)


def test_other_options_that_give_the_same_bytes(server: Server) -> None:
    """After --force, the command that was given last is the one that is known."""
    url = server.put("/colours.zip", zipped({"a.tflite": foreign()}))
    getting.get(url)
    with refused(UsageError, "already an imported model 'colours'"):
        getting.get(url, member="a.tflite")
    for force in (True, False):
        assert getting.get(url, member="a.tflite", force=force).new is False


def test_the_same_options_are_the_same_command(server: Server, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("x\ny\nz\n")
    archive = server.put("/two.zip", zipped({"a.tflite": foreign(), "b.tflite": SMALL}))
    options: dict[str, Any] = {
        "member": "b.tflite",
        "labels": names,
        "mean": 0,
        "std": 255,
        "preprocess": "pad",
        "license": "MIT",
    }
    first = getting.get(archive, **options)
    again = getting.get(archive, **options)
    assert again == dataclasses.replace(first, new=False)
    assert getting.get(archive, **options | {"preprocess": "pad(bicubic)"}).new is False
    assert len(server.asked) == 1
    others = [{"member": "a.tflite"}, {"labels": "imagenet"}, {"std": 255.5}, {"license": ""}]
    for other in others:
        with refused(UsageError, "already an imported model 'two'"):
            getting.get(archive, **options | other)
    names.write_text("x\ny\nzz\n")
    with refused(UsageError, "already an imported model 'two'"):
        getting.get(archive, **options)


def test_an_altered_model_is_not_passed_off_as_there(server: Server) -> None:
    url = server.put("/colours.tflite", foreign())
    path = getting.get(url).path
    path.write_bytes(foreign(labels="x\ny\nz\n"))
    with refused(ModelDamaged, "not the file that was imported", "--force"):
        getting.get(url)
    assert getting.get(url, force=True).new
    assert path.read_bytes() == foreign()


def test_an_address_that_leads_to_no_address(server: Server) -> None:
    away = Reply(status=302, headers={"Location": "http://[::bad/m.tflite"})
    with refused(DownloadFailed, "not redirected to http://[::bad/m.tflite: Invalid IPv6 URL"):
        getting.get(server.put("/colours.tflite", away))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://[::bad/m.tflite", "Invalid IPv6 URL"),
        ("http://", "it names no server"),
        ("https://example.org/m.tflite\r\nX: y", "a line break"),
        ("https://example.org/m.tflite\0", "a control character"),
        ("https://example.org/m\udcff.tflite", "bytes that are no UTF-8"),
        (" https://example.org/m.tflite", "a blank at an end"),
        ("https://exam ple.org/m.tflite", "it names no server"),
    ],
)
def test_what_is_no_address(url: str, reason: str) -> None:
    with refused(UsageError, "cannot fetch", reason, "an https address"):
        getting.get(url)


def test_a_cut_that_nothing_can_resume_leaves_nothing(server: Server) -> None:
    cut = Reply(foreign(), cut_after=100)
    with refused(DownloadFailed, "was cut off", "begins anew; with --sha256 HEX"):
        getting.get(server.put("/colours.tflite", cut))


def test_offline_asks_nobody(server: Server) -> None:
    url = server.put("/colours.tflite", foreign())
    with refused(DownloadFailed, f"{url} would have to be downloaded", "--offline forbids it"):
        getting.get(url, offline=True)
    with refused(DownloadFailed, "--offline forbids it"):
        getting.get("mobilenet_v1_1.0_224_quant", offline=True)
    assert server.asked == []


@pytest.mark.parametrize(
    ("reply", "part"),
    [
        (Reply(foreign()[:-1] + b"x"), "is not the one that was asked for"),
        (Reply(foreign(), status=404), "there is nothing at"),
        (Reply(b"<!DOCTYPE html><p>Sign in"), "gave a web page"),
        (Reply(foreign(), status=302, headers={"Location": "file:///etc/passwd"}), "file is not"),
    ],
)
def test_nothing_stays_of_what_is_wrong(reply: Reply, part: str, server: Server) -> None:
    with refused(DownloadFailed, part):
        getting.get(server.put("/colours.tflite", reply), sha256=sha256(foreign()))


def test_nothing_stays_of_what_is_no_model(server: Server) -> None:
    with refused(ModelDamaged, "leads out of its folder"):
        getting.get(server.put("/evil.zip", zipped({"../../evil.tflite": SMALL})))
    with refused(ModelDamaged, "neither a model nor an archive"):
        getting.get(server.put("/words.tflite", b"hello, world"))


def test_a_cut_download_keeps_only_what_can_be_resumed(server: Server) -> None:
    url = server.put("/colours.tflite", Reply(foreign(), headers=TAG, cut_after=100))
    with pytest.raises(DownloadFailed, match="was cut off"):
        getting.get(url)
    kept = [Path(name) for name in files_in_cache()]
    assert {file.parent.name for file in kept} == {"downloads"}
    assert zoo.installed() == {}
    server.put("/colours.tflite", Reply(foreign(), headers=TAG))
    assert getting.get(url).path.read_bytes() == foreign()
    assert server.ranges()[-1] == "bytes=400-"  # four tries of a hundred bytes
    assert not any("downloads" in name for name in files_in_cache())


def test_a_kill_during_a_download_leaves_no_model_and_the_next_goes_on(
    server: Server, own_cache: Path
) -> None:
    data = foreign()
    url = server.put("/colours.tflite", Reply(data, headers=TAG, stall_after=500))
    command = [sys.executable, "-m", "whatsit", "models", "get", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert server.stalled.wait(30)
    downloads = own_cache / "downloads"
    deadline = time.monotonic() + 30
    while sum(file.stat().st_size for file in downloads.glob("*.partial")) < 500:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL if os.name == "posix" else process.returncode
    assert zoo.installed() == {}
    assert not (own_cache / "models").exists()
    server.resume.set()
    server.put("/colours.tflite", Reply(data, headers=TAG))
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout.split()[0]) == (0, "colours")
    assert server.ranges() == [None, "bytes=500-"]
    assert server.asked[1][1]["If-Range"] == '"one"'
    assert imported.path_of("colours").read_bytes() == data
    assert list(downloads.iterdir()) == []


def test_two_at_the_same_time(server: Server) -> None:
    url = server.put("/colours.tflite", Reply(foreign(), headers=TAG, stall_after=500))
    got: list[getting.Got] = []
    threads = [threading.Thread(target=lambda: got.append(getting.get(url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(server.asked) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server.resume.set()
    for thread in threads:
        thread.join()
    assert sorted(one.new for one in got) == [False, True]
    imported.check("colours")
    assert imported.path_of("colours").read_bytes() == foreign()


# ── names of the hosted table ────────────────────────────────────────────────────────────────


@pytest.fixture
def row(server: Server, monkeypatch: pytest.MonkeyPatch) -> published.Hosted:
    """A float row whose archive lies on our server: one of our own networks, bare, + background."""
    import make_models

    data = make_models.padded(zoo.open_builtin("mobilenet-v2-int8").data, 1, 0)
    content = tarred({"./net.tflite": data, "./net.pb": b"x" * 1000, "./net_info.txt": b"?"})
    url = server.put("/net.tgz", content)
    first = published.hosted()["mobilenet_v2_1.0_224"]
    row = dataclasses.replace(first, name="net_224", url=url, sha256=sha256(content))
    monkeypatch.setattr(published, "hosted", lambda: {"net_224": row})
    return row


def test_a_hosted_name_gets_labels_and_preprocessing(row: published.Hosted, coffee: Path) -> None:
    got = getting.get("net_224")
    bundle = Bundle.read(got.path)
    assert got.notes == (
        "the model has 1001 scores for 1000 labels: its first is 'background', as the answers to "
        "known pictures show",
    )
    assert str(bundle.preprocess) == row.preprocess == "crop(0.875, bilinear)"
    assert bundle.record["published"]["top1"] == row.top1
    assert bundle.record["origin"] == {
        "source": row.url,
        "sha256": row.sha256,
        "member": "net.tflite",
    }
    with whatsit.load("net_224") as classifier:
        best = classifier.classify(coffee).predictions[0]
    assert (best.index, best.label, best.synset) == (968, "espresso", "n07920052")
    assert bundle.labels.synset(0) == ""
    assert bundle.labels.find("n07920052") == [968]
    assert len(bundle.labels.find("n02084071")) == 118


def test_a_hosted_name_again(row: published.Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    licensed = dataclasses.replace(row, licence="Apache-2.0")  # which nobody asked for
    monkeypatch.setattr(published, "hosted", lambda: {"net_224": licensed})
    first = getting.get("net_224")
    assert getting.get("net_224", offline=True) == dataclasses.replace(first, new=False)


def test_the_pinned_hash_is_checked(row: published.Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dataclasses.replace(row, sha256="0" * 64)
    monkeypatch.setattr(published, "hosted", lambda: {"net_224": wrong})
    with refused(DownloadFailed, "is not the one that was asked for", f"sha256 {'0' * 64}"):
        getting.get("net_224")


def as_it_is() -> dict[str, Any]:
    """What a table would say of the model of `row`."""
    return {"kind": "quantised", "side": 224, "size_mb": 4.0}


def test_what_is_odd_about_a_row_is_said(
    row: published.Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = dataclasses.replace(row, sha256=None, note="below the curve", **as_it_is())
    monkeypatch.setattr(published, "hosted", lambda: {"net_224": odd})
    assert getting.get("net_224").notes[1:] == (
        "below the curve",
        f"nobody pinned this file; its sha256 is {row.sha256}",
    )


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"kind": "float"}, "takes uint8, but the table says that it is float"),
        ({"side": 192}, "takes pictures of 224 × 224, but the table says 192 × 192"),
        ({"size_mb": 5.1}, "is 4.0 MB, but the table says 5.1 MB"),
        ({"size_mb": 3.2}, "is 4.0 MB, but the table says 3.2 MB"),
    ],
)
def test_an_unpinned_row_must_be_what_the_table_says(
    other: dict[str, Any], reason: str, row: published.Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = dataclasses.replace(row, sha256=None, **(as_it_is() | other))
    monkeypatch.setattr(published, "hosted", lambda: {"net_224": odd})
    with refused(DownloadFailed, f"what came for 'net_224' is another model: it {reason}"):
        getting.get("net_224")


def test_what_the_person_says_goes_before_the_row(row: published.Hosted, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"thing {index}" for index in range(1001)))
    bundle = Bundle.read(getting.get("net_224", labels=labels, preprocess="pad").path)
    assert bundle.labels.names[0] == "thing 0"
    assert str(bundle.preprocess) == "pad(bicubic)"


def test_a_row_without_mean_and_std_is_refused_before_it_is_fetched(server: Server) -> None:
    for name in ("densenet", "squeezenet", "nasnet_large"):
        with refused(UsageError, f"which mean and std the model {name!r} takes", "--mean"):
            getting.get(name)
    assert server.asked == []


# ── the table itself ─────────────────────────────────────────────────────────────────────────


def test_the_table_has_every_row_of_the_page() -> None:
    rows = list(zoo.hosted().values())
    assert [row.kind for row in rows] == ["quantised"] * 21 + ["float"] * 25
    assert len({row.url for row in rows}) == 46
    assert sum(row.sha256 is None for row in rows) == 5
    assert not set(zoo.hosted()) & set(zoo.catalogue())


# As they stand on the page, read by eye: MB, Top-1, Top-5, Pixel 2, four threads and NNAPI of the
# Pixel 3, the GPU of the Pixel 3, TensorFlow itself.
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("mobilenet_v1_1.0_224_quant", (4.3, 70.0, 89.0, 70.2, 13.0, 6.0, None, None)),
        ("mobilenet_v1_0.25_128_quant", (0.5, 39.5, 64.4, 3.7, 0.8, 2.0, None, None)),
        ("inception_v4_quant", (41, 79.5, 93.9, 1250.8, 268, 155, None, None)),
        ("nasnet_large", (355.3, 82.6, 96.1, 6697, 1170, 648, None, 7940)),
        ("mobilenet_v1_0.5_224", (5.3, 63.2, 84.9, 47.6, 7.9, 6.1, 2.8, 164.2)),
        ("mobilenet_v2_1.0_224", (14.0, 71.8, 90.6, 117, 17.5, 11.23, 6.2, None)),
    ],
)
def test_rows_are_those_of_the_page(name: str, numbers: tuple[float | None, ...]) -> None:
    row = zoo.hosted()[name]
    assert (
        row.size_mb,
        row.top1,
        row.top5,
        row.pixel2_ms,
        row.pixel3_cpu4_ms,
        row.pixel3_nnapi_ms,
        row.pixel3_gpu_ms,
        row.tf_ms,
    ) == numbers


@pytest.mark.parametrize("row", zoo.hosted().values(), ids=lambda row: row.name)
def test_a_row_makes_sense(row: published.Hosted) -> None:
    assert row.url.startswith("https://storage.googleapis.com/download.tensorflow.org/models/")
    assert row.url.endswith(".tgz")
    assert row.sha256 is None or len(bytes.fromhex(row.sha256)) == 32
    assert 0 < row.top1 < row.top5 < 100
    assert (row.mean is None) == (row.std is None) == (row.preprocess is None)
    if row.preprocess is not None:
        whatsit.Preprocess.parse(row.preprocess)
    imported.check_name(row.name)
    if row.side is not None and row.name.startswith("mobilenet"):
        assert f"_{row.side}" in row.name
    assert row.to_json()["numbers"] == "published"
    assert "hosted_models.md" in row.to_json()["published_in"]


def test_the_odd_row_is_marked() -> None:
    noted = [row.name for row in zoo.hosted().values() if row.note]
    assert noted == ["mobilenet_v1_0.75_128_quant"]


@pytest.mark.parametrize("content", [None, "", "{}", '{"models": [{"name": "x"}]}'])
def test_a_broken_table_is_our_error(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "hosted.json").write_text(content)
    monkeypatch.setattr(published, "_FILE", tmp_path / "hosted.json")
    with pytest.raises(ModelDamaged, match="the table of the hosted models"):
        published.hosted.__wrapped__()
