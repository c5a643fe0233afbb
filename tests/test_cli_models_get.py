"""`whatsit models get` and the care of what it brought: verify, remove, path, the lists."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import web_server
from conftest import Run
from test_getting import NAMES, SMALL, files_in_cache, foreign, zipped
from web_server import Server

from whatsit import zoo
from whatsit.cli import models_get, progress
from whatsit.zoo import imported

Program = Callable[..., Run]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "colours.tflite"
    file.write_bytes(SMALL)
    (tmp_path / "names.txt").write_text(NAMES)
    return file


@pytest.fixture
def other(tmp_path: Path) -> Path:
    file = tmp_path / "other.tflite"
    file.write_bytes(foreign())
    return file


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server.running() as server:
        yield server


def objects(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.out.splitlines()]


def test_get_says_what_came(small: Path, whatsit: Program, coffee: Path) -> None:
    run = whatsit("models", "get", small, "--labels", small.with_name("names.txt"))
    assert run.status == 0
    assert run.out == "colours  imported: 0.0 MB, 1 × 1, 3 classes\n"
    assert run.err.startswith("note      nothing says how pictures are cropped")
    assert whatsit("-m", "colours", coffee, "--top", "1").out.splitlines()[1].endswith("red")


def test_get_as_json(other: Path, whatsit: Program) -> None:
    (row,) = objects(whatsit("models", "get", other, "--json"))
    assert row["name"] == "other"
    assert row["new"] is True
    assert row["path"] == str(imported.path_of("other"))
    assert row["sha256"] == hashlib.sha256(foreign()).hexdigest()
    assert row["size_bytes"] == len(foreign())
    assert (row["classes"], row["input"]) == (3, [1, 1])
    assert "stretched" in row["notes"][0]
    again = objects(whatsit("models", "get", other, "--json"))
    assert again == [{**row, "new": False}]


def test_every_option_arrives(small: Path, whatsit: Program) -> None:
    archive = small.with_name("two.zip")
    archive.write_bytes(zipped({"a.tflite": foreign(), "b.tflite": SMALL}))
    run = whatsit(
        *("models", "get", archive, "--member", "b.tflite", "--name", "picked"),
        *("--labels", small.with_name("names.txt"), "--mean", "0", "--std", "255"),
        *("--preprocess", "crop(0.5)", "--license", "MIT", "--max-size", "1 MB"),
        *("--sha256", hashlib.sha256(archive.read_bytes()).hexdigest()),
    )
    assert (run.status, run.err) == (0, "")
    (facts,) = objects(whatsit("models", "show", "picked", "--json"))
    assert facts["preprocess"] == "crop(0.5, bicubic)"
    assert (facts["mean"], facts["std"]) == ([0.0], [255.0])
    assert facts["licence"] == "MIT"
    assert facts["fetched"] == facts["origin"]
    assert facts["fetched"]["source"] == "two.zip"


def test_one_of_several_that_fails_does_not_cost_the_others(other: Path, whatsit: Program) -> None:
    run = whatsit("models", "get", "no-such.tflite", other)
    assert run.status == 1
    assert run.out.startswith("other  imported")
    assert "error     no model file 'no-such.tflite'" in run.err
    failed, good = objects(whatsit("models", "get", "no-such.tflite", other, "--json"))
    assert failed["source"] == "no-such.tflite"
    assert failed["error"]["code"] == "model-not-found"
    assert good["new"] is False


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["no-such.tflite"], 1, "no model file 'no-such.tflite'"),
        (["nonsense"], 2, "no model and no file 'nonsense'"),
        (["a", "b", "--name", "c"], 2, "--name, --member or --sha256 for 2 models"),
        (["a", "--max-size", "much"], 2, "--max-size 'much'"),
        (["a", "--max-size", "0"], 2, "--max-size '0'"),
        (["a", "--mean", "x"], 2, "invalid value for '--mean'"),
        (["http://example.org/a.tflite"], 2, "plain http, which anybody on the way can alter"),
        (["https://example.org/a.tflite", "--offline"], 1, "--offline forbids it"),
        (["mobilenet_v1_1.0_224", "--offline"], 1, "--offline forbids it"),
        (["densenet"], 2, "nobody has published which mean and std"),
        (["https://example.org/"], 2, "no name for the model can be made of 'https://example"),
    ],
)
def test_what_cannot_be_got(
    arguments: list[str], status: int, message: str, whatsit: Program
) -> None:
    run = whatsit("models", "get", *arguments)
    assert run.status == status
    assert run.out == ""
    assert message in run.err
    assert "Traceback" not in run.err
    assert files_in_cache() == {}


def test_the_limit_is_the_persons(other: Path, server: Server, whatsit: Program) -> None:
    url = server.put("/net.tflite", foreign())
    run = whatsit("models", "get", url, "--max-size", "1k")
    assert run.status == 1
    assert "is larger than 1000 bytes" in run.err


def test_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    title = models_get._title("https://example.org/[red]net.tflite?token=secret")
    with progress.bar(title, "bytes") as advance:
        advance(1_000_000, 4_000_000)
    out, err = capsys.readouterr()
    assert "[red]net.tflite" in err
    assert "1.0/4.0 MB" in err
    assert "secret" not in err
    assert out == ""


def test_a_name_that_is_there(whatsit: Program) -> None:
    run = whatsit("models", "get", zoo.DEFAULT)
    assert run.status == 0
    assert run.out.startswith(f"{zoo.DEFAULT}  already there")
    assert run.err == "note      it is built in\n"
    run = whatsit(
        *("models", "get", zoo.DEFAULT, "--name", "mine"),
        *("--labels", "/nonexist", "--sha256", "zz"),
    )
    assert (run.status, run.out) == (2, "")
    assert f"error     the model {zoo.DEFAULT!r} is built in, and stays as it is" in run.err


def test_the_same_file_twice_with_options(small: Path, whatsit: Program) -> None:
    command = ("models", "get", small, "--labels", small.with_name("names.txt"), "--name", "mine")
    assert whatsit(*command).out.startswith("mine  imported")
    again = whatsit(*command)
    assert (again.status, again.out.split(":")[0]) == (0, "mine  already there")
    run = whatsit(*command, "--preprocess", "pad")
    assert run.status == 2
    assert "already an imported model 'mine'" in run.err


def test_several_errors_say_which_file(other: Path, whatsit: Program) -> None:
    folder = other.parent / "deep"
    folder.mkdir()
    first, second = other.parent / "net.tflite", folder / "net.tflite"
    for file in (first, second):
        file.write_bytes(SMALL[:200])
    run = whatsit("models", "get", first, second, "https://example.org/?token=secret")
    errors = [line for line in run.err.splitlines() if line.startswith("error")]
    assert run.status == 1
    assert errors[0].startswith(f"error     {first}: ")
    assert errors[1].startswith(f"error     {second}: ")
    assert "https://example.org/" in errors[2]
    assert "secret" not in run.err
    assert "buffer" not in run.err


@pytest.mark.parametrize("how", ["file", "address"])
def test_too_large_is_the_same_exit_status(
    how: str, other: Path, server: Server, whatsit: Program
) -> None:
    source = other if how == "file" else server.put("/net.tflite", foreign())
    assert whatsit("models", "get", source, "--max-size", "1k").status == 1


@pytest.mark.skipif(os.name == "nt", reason="arguments are text there")
def test_bytes_that_are_no_text(small: Path, whatsit: Program) -> None:
    run = whatsit("models", "get", small, "--license", "x\udcff")
    assert run.status == 2
    assert "is no name of a license" in run.err


# ── lists ────────────────────────────────────────────────────────────────────────────────────


def test_imported_models_are_listed_after_the_built_in(
    other: Path, whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    whatsit("models", "get", other, "--license", "[bold]MIT")
    imported.path_of("broken").write_bytes(b"x")
    rows = objects(whatsit("models", "--json"))
    assert [row["name"] for row in rows] == [*zoo.catalogue(), "broken", "other"]
    assert [row["from"] for row in rows[-2:]] == ["imported", "imported"]
    assert rows[-2]["damaged"] is True
    assert rows[-1]["classes"] == 3
    assert "top1" not in rows[-1]  # nobody has measured it
    lines = whatsit("models").out.splitlines()
    assert lines[-6].split() == ["Imported", "MB", "Input", "Classes", "Licence"]
    assert lines[-5].split() == ["broken", "–", "–", "–", "damaged"]
    assert lines[-4].split() == ["other", "0.0", "1", "3", "[bold]MIT"]
    assert all(len(line) <= 80 for line in lines[-6:-3])


def test_a_model_that_goes_while_it_is_listed(
    other: Path, whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    whatsit("models", "get", other)
    looks = iter([zoo.installed(), {}])
    monkeypatch.setattr(zoo, "installed", lambda: next(looks))
    row = objects(whatsit("models", "--json"))[-1]
    assert (row["name"], row["path"]) == ("other", str(imported.path_of("other")))


def test_the_hosted_table_is_marked_as_published(
    whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = objects(whatsit("models", "--all", "--json"))
    assert [row["name"] for row in rows] == [*zoo.catalogue(), *zoo.hosted()]
    assert {row["numbers"] for row in rows if row["from"] == "built-in"} == {"measured"}
    hosted = [row for row in rows if row["from"] == "hosted"]
    assert {row["numbers"] for row in hosted} == {"published"}
    assert hosted[0]["top1"] == 39.5
    assert not any(row["imported"] for row in hosted)
    run = whatsit("models", "--all")
    lines = run.out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Hosted"))
    table = lines[start + 1 : start + 47]
    assert [line.split()[0] for line in table] == list(zoo.hosted())
    assert max(map(len, table)) <= 80
    assert "published in 2019" in run.out
    assert "none was measured here" in run.out


def test_here_is_the_model_of_the_row_alone(
    other: Path, whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another model may have its name: a file unpacked by hand cannot be told from it."""
    name = "mobilenet_v1_1.0_224_quant"

    def here() -> list[str]:
        rows = objects(whatsit("models", "--all", "--json"))
        lines = whatsit("models", "--all").out.splitlines()
        said = [line.split()[0] for line in lines if line.split()[-1:] == ["yes"]]
        assert said == [row["name"] for row in rows if row.get("imported")]
        return said

    whatsit("models", "get", other, "--name", name)
    assert here() == []
    row = zoo.hosted()[name]
    for origin in ({"source": row.url}, {"source_sha256": row.sha256}):
        known = imported.Receipt(hashlib.sha256(foreign()).hexdigest(), len(foreign()), **origin)
        imported.install(name, foreign(), known, force=True)
        assert here() == [name]


def test_a_long_name_costs_no_other_column(
    other: Path, whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    whatsit("models", "get", other, "--name", "n" * 100, "--license", "MIT")
    lines = whatsit("models").out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Imported"))
    assert lines[start].split() == ["Imported", "MB", "Input", "Classes", "Licence"]
    assert lines[start + 1].split()[1:] == ["0.0", "1", "3", "MIT"]
    assert "".join(line.split()[0] for line in lines[start + 1 : start + 3]) == "n" * 100


def test_show_of_a_hosted_model_says_how_to_get_it(whatsit: Program) -> None:
    name = "mobilenet_v1_0.75_128_quant"
    (facts,) = objects(whatsit("models", "show", name, "--json"))
    assert facts["numbers"] == "published"
    assert facts["get"] == f"whatsit models get {name}"
    run = whatsit("models", "show", name)
    assert "top1          55.9" in run.out
    assert "below the curve" in run.out
    assert f"get           whatsit models get {name}" in run.out


def test_a_hosted_name_cannot_be_used_before_it_is_there(whatsit: Program, cat: Path) -> None:
    run = whatsit("-m", "densenet", cat)
    assert run.status == 2
    assert "the model 'densenet' has not been fetched" in run.err
    assert "`whatsit models get densenet` downloads it" in run.err


def test_an_unknown_name_is_refused_with_the_imported_ones(
    other: Path, whatsit: Program, cat: Path
) -> None:
    whatsit("models", "get", other)
    run = whatsit("-m", "nonsense", cat)
    assert run.status == 2
    assert "no built-in or imported model 'nonsense'" in run.err
    assert "mobilenet-v2-float16, other, or a path" in run.err


# ── verify, remove, path ─────────────────────────────────────────────────────────────────────


def test_verify_reads_everything(other: Path, whatsit: Program) -> None:
    whatsit("models", "get", other)
    run = whatsit("models", "verify")
    assert (run.status, run.err) == (0, "")
    assert run.out.splitlines() == [f"ok  {name}" for name in [*zoo.catalogue(), "other"]]
    assert objects(whatsit("models", "verify", "other", "--json")) == [
        {"name": "other", "ok": True}
    ]


def test_verify_finds_one_altered_byte(other: Path, whatsit: Program) -> None:
    whatsit("models", "get", other)
    data = bytearray(imported.path_of("other").read_bytes())
    data[len(data) // 2] ^= 1
    imported.path_of("other").write_bytes(data)
    run = whatsit("models", "verify", "other", zoo.DEFAULT)
    assert run.status == 1
    assert run.out == f"ok  {zoo.DEFAULT}\n"
    assert run.err.startswith("error     the model 'other' is not the file that was imported\n")
    hint = "hint      import it again from other.tflite, with the same options and --force\n"
    assert hint in run.err
    (row,) = objects(whatsit("models", "verify", "other", "--json"))
    assert (row["ok"], row["error"]["code"]) == (False, "model-damaged")


def test_verify_of_a_name_that_is_not_there(whatsit: Program) -> None:
    run = whatsit("models", "verify", zoo.DEFAULT, "nonsense")
    assert (run.status, run.out) == (2, "")
    assert "no built-in model 'nonsense'" in run.err


@pytest.mark.parametrize("command", ["show", "path", "verify", "remove"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "no built-in or imported model 'nonsense'"),
        ("mobilenet_v1_0.25_128", "the model 'mobilenet_v1_0.25_128' has not been fetched"),
    ],
)
def test_a_wrong_name_is_the_same_mistake_everywhere(
    command: str, name: str, message: str, other: Path, whatsit: Program, cat: Path
) -> None:
    whatsit("models", "get", other)
    if command == "show" and "fetched" in message:  # which it can do
        assert whatsit("models", command, name).status == 0
        return
    run = whatsit("models", command, name)
    assert (run.status, run.out) == (2, "")
    assert message in run.err
    assert message in whatsit("-m", name, cat).err


def test_remove(other: Path, whatsit: Program) -> None:
    whatsit("models", "get", other)
    run = whatsit("models", "remove", "other")
    assert (run.status, run.out) == (0, "removed other (0.0 MB)\n")
    assert files_in_cache() == {}


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        (zoo.DEFAULT, 2, "is built in and cannot be removed"),
        ("nonsense", 2, "no built-in or imported model 'nonsense'"),
        ("../other", 2, "no built-in or imported model '../other'"),
        ("densenet", 2, "`whatsit models get densenet` downloads it"),
    ],
)
def test_remove_of_one_wrong_name_removes_nothing(
    name: str, status: int, message: str, other: Path, whatsit: Program
) -> None:
    whatsit("models", "get", other)
    run = whatsit("models", "remove", "other", name)
    assert run.status == status
    assert message in run.err
    assert "other" in zoo.installed()


def test_path(other: Path, whatsit: Program) -> None:
    whatsit("models", "get", other)
    assert whatsit("models", "path", "other").out == f"{imported.path_of('other')}\n"
    assert whatsit("models", "path", zoo.DEFAULT).out == (f"{zoo.catalogue()[zoo.DEFAULT].path}\n")
    run = whatsit("models", "path", "densenet")
    assert run.status == 2
    assert "`whatsit models get densenet` downloads it" in run.err


def test_show_of_an_imported_model_says_where_it_came_from(other: Path, whatsit: Program) -> None:
    whatsit("models", "get", other)
    run = whatsit("models", "show", "other")
    assert f"fetched       source other.tflite, sha256 {hashlib.sha256(foreign()).hexdigest()}" in (
        run.out
    )
