"""What is found from what a person types, and that its bytes come as they are."""

from __future__ import annotations

import csv
import datetime
import gc
import io
import json
import os
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import web_server
from web_server import Reply, Server

from whatsit import (
    ExtraMissing,
    ImageNotFound,
    ImageTooLarge,
    ImageUnreadable,
    InputError,
    UsageError,
    WhatsitError,
    images,
)
from whatsit.batch import listing, row_groups, trouble, urls
from whatsit.batch.items import Item, TableRow
from whatsit.batch.opener import Opener
from whatsit.overlapping import in_order

fsspec = pytest.importorskip("fsspec")

posix = pytest.mark.skipif(os.name == "nt", reason="names and modes of POSIX")
not_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in memory, empty."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


@pytest.fixture
def server() -> Iterator[Server]:
    pytest.importorskip("aiohttp", reason="fsspec's HTTP needs it")
    with web_server.running() as server:
        yield server
    gc.collect()  # connections are closed as their file system goes


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*inputs: str, column: str | None = None, carry: tuple[str, ...] = ()) -> list[Item]:
    return list(listing.items(inputs, column=column, carry=carry))


def paths(*inputs: str) -> list[str]:
    items = found(*inputs)
    assert [item.error for item in items] == [None] * len(items)
    return [item.path.replace(os.sep, "/") for item in items]


def only_error(*inputs: str, **wanted: Any) -> InputError:
    [item] = found(*inputs, **wanted)
    assert item.error is not None
    with Opener() as opener, pytest.raises(type(item.error)):
        opener.read(item)
    return item.error


def refused(*inputs: str, **wanted: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        found(*inputs, **wanted)
    return caught.value


def content(path: str) -> bytes:
    with Opener() as opener:
        return opener.read(Item(path))


def no_content(path: str) -> InputError:
    with pytest.raises(InputError) as caught:
        content(path)
    return caught.value


def write(path: str, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)
    return path


def parquet(path: str, columns: dict[str, Any], **options: Any) -> str:
    pq.write_table(pa.table(columns), path, **options)
    return path


# Items


@pytest.mark.parametrize(
    "item",
    [
        Item("a.jpg"),
        Item("new\nline, \u2028 \N{CAT FACE} \udcff\udc80.jpg"),
        Item("a.jpg", ImageUnreadable("bad \udcff", expected="good", hint="do \u2026")),
        Item("a.jpg", ImageNotFound("none")),
        Item("a.jpg", ImageTooLarge("large")),
        Item("t#3", columns={"n": 1, "nested": {"a": [1.5, None, "\udcff"]}, "none": None}),
        Item("t#3", table=TableRow("t\udcff.parquet", 2, 17, "image")),
    ],
)
def test_an_item_comes_back_from_json_as_it_was(item: Item) -> None:
    line = json.dumps(item.to_json())
    assert line.isascii()
    assert "\n" not in line
    back = Item.from_json(json.loads(line))
    assert back.to_json() == item.to_json()
    assert (back.path, back.columns, back.table) == (item.path, item.columns, item.table)
    if item.error is not None:
        assert type(back.error) is type(item.error)
        assert back.error is not None
        assert back.error.to_json() == item.error.to_json()


def test_an_item_of_a_picture_is_short() -> None:
    assert Item("a.jpg").to_json() == {"path": "a.jpg"}


# Folders, patterns, lists


def test_folders_patterns_and_files_as_everywhere_else(here: Path) -> None:
    for name in ("b.jpg", "a.png", "notes.txt", "sub/c.webp", "sub/deep/d.jpeg"):
        write(name, b"x")
    assert paths(".") == ["./a.png", "./b.jpg", "./sub/c.webp", "./sub/deep/d.jpeg"]
    assert paths("*.jpg", "sub", "notes.txt", "missing.jpg") == [
        "b.jpg",
        "sub/c.webp",
        "sub/deep/d.jpeg",
        "notes.txt",
        "missing.jpg",
    ]
    assert only_error("*.gif").message == "nothing matches '*.gif'"


def test_a_list_names_files_folders_tables_and_urls(here: Path, memory: Any) -> None:
    write("sub/a.jpg", b"x")
    write("t.csv", "path\nb.jpg\n")
    memory.pipe("/m/c.jpg", b"y")
    write("list.txt", "\ufeffsub\r\n\nt.csv\nmemory://m\nd,e f.jpg\n")
    assert paths("@list.txt") == ["sub/a.jpg", "b.jpg", "memory://m/c.jpg", "d,e f.jpg"]


def test_a_list_behind_a_url(memory: Any) -> None:
    memory.pipe("/lists/one.txt", b"a.jpg\nb.jpg\n")
    assert paths("@memory://lists/one.txt") == ["a.jpg", "b.jpg"]
    assert isinstance(only_error("@memory://lists/none.txt"), ImageNotFound)


def test_a_list_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.jpg\nb.jpg")))
    assert paths("@-") == ["a.jpg", "b.jpg"]


def test_what_is_wrong_with_a_list(here: Path) -> None:
    missing = only_error("@missing.txt")
    assert missing.message == "cannot read the list 'missing.txt': No such file or directory"
    assert missing.expected == "a file with one path a line"
    write("empty.txt", "\n \n")
    assert only_error("@empty.txt").message == "the list '@empty.txt' is empty"
    os.mkdir("sub")
    assert only_error("@sub").message.startswith("cannot read the list 'sub': ")


def test_a_line_of_a_list_that_cannot_be_does_not_cost_the_others(here: Path) -> None:
    write("list.txt", "a.jpg\nfoo://bar.jpg\n-\n@list.txt2\nhttp://host/*.jpg\nb.jpg\n")
    items = found("@list.txt")
    assert [item.path for item in items] == [
        "a.jpg", "foo://bar.jpg", "-", "@list.txt2", "http://host/*.jpg", "b.jpg",
    ]  # fmt: skip
    assert [item.error is None for item in items] == [True, False, True, True, False, True]
    assert items[1].error is not None
    assert items[1].error.message == "no protocol 'foo'"


@posix
def test_names_that_are_no_utf8(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    Path(name).write_bytes(b"x")
    write("list.txt", b"caf\xe9.jpg\n")
    for item in (*found("."), *found("@list.txt")):
        assert item.path in (name, f"./{name}")
        with Opener() as opener:
            assert opener.read(Item.from_json(json.loads(json.dumps(item.to_json())))) == b"x"


def test_standard_input_as_one_picture_is_refused() -> None:
    error = refused("a.jpg", "-")
    assert "standard input" in error.message
    assert "@-" in error.hint


def test_a_lone_string_is_not_taken_for_its_letters() -> None:
    with pytest.raises(UsageError, match="a lone str"):
        list(listing.items("a.jpg"))


def test_listing_is_lazy() -> None:
    endless = listing.items(["a.jpg", "foo://bar"])
    assert next(endless).path == "a.jpg"
    with pytest.raises(UsageError):
        next(endless)


# Tables of text


def test_a_table_of_paths(here: Path) -> None:
    absolute = os.path.abspath("far.jpg")
    write(
        "data/t.csv",
        f"id,path,label\n1,a.jpg,cat\n2,sub/b.jpg,dog\n3,{absolute},x\n4,memory://h/c.jpg,y\n",
    )
    expected = ["data/a.jpg", "data/sub/b.jpg", absolute.replace(os.sep, "/"), "memory://h/c.jpg"]
    assert paths("data/t.csv") == expected
    items = found("data/t.csv", carry=("label", "id"))
    assert [dict(item.columns) for item in items] == [
        {"label": "cat", "id": "1"},
        {"label": "dog", "id": "2"},
        {"label": "x", "id": "3"},
        {"label": "y", "id": "4"},
    ]


@pytest.mark.parametrize("name", ["path", "File", "filename", "FILE_NAME", "image", "url"])
def test_the_column_is_found_by_its_name(here: Path, name: str) -> None:
    assert paths(write("t.csv", f"n,{name}\n1,a.jpg\n")) == ["a.jpg"]


def test_the_first_name_wins_and_column_overrules_it(here: Path) -> None:
    write("t.csv", "url,path,where\nu,p,w\n")
    assert paths("t.csv") == ["p"]
    assert [item.path for item in found("t.csv", column="where")] == ["w"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_cells_of_any_text(here: Path, delimiter: str, end: str, mark: str) -> None:
    rows = [
        ["a, b; c.jpg", 'say "cat"'],
        ["d.jpg", "two\nlines"],
        ["\N{CAT FACE}.jpg", "Ünïcode\u2028\x85"],
        [" e .jpg ", ""],
        ["f.jpg", "tab\there"],
    ]
    with open("t.csv", "w", encoding="utf-8", newline="") as file:
        file.write(mark)
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
        writer.writerows([["path", "label"], *rows])
    items = found("t.csv", carry=("label",))
    assert [[item.path, item.columns["label"]] for item in items] == rows


def test_a_tsv_has_tabs_whatever_its_first_line_holds(here: Path) -> None:
    assert paths(write("t.tsv", "path\ta,b,c\nx,1.jpg\t2\n")) == ["x,1.jpg"]


def test_a_column_that_is_named_decides_the_delimiter(here: Path) -> None:
    [item] = found(write("t.csv", "my photo;a,b,c,d\nx.jpg;1\n"), column="my photo")
    assert item.path == "x.jpg"


def test_one_column_alone(here: Path) -> None:
    assert paths(write("t.csv", "path\na.jpg\n\nb.jpg")) == ["a.jpg", "b.jpg"]


def test_a_table_that_does_not_say_where_the_pictures_are(here: Path) -> None:
    error = refused(write("t.csv", "name,label\na.jpg,cat\n"))
    assert error.message == "the table 't.csv' has the columns 'name', 'label'"
    assert error.expected == "one of path, file, filename, file_name, image, url, bytes"
    assert error.hint == "--column NAME says which one has the pictures"
    assert error.exit_status == 2


def test_a_csv_holds_no_bytes(here: Path) -> None:
    assert "'bytes'" in refused(write("t.csv", "bytes,label\na,b\n")).message


@pytest.mark.parametrize("wanted", [{"column": "nowhere"}, {"carry": ("nowhere",)}])
def test_a_column_that_is_not_there(here: Path, wanted: dict[str, Any]) -> None:
    write("t.csv", "path,label\na.jpg,cat\n")
    parquet("t.parquet", {"path": ["a.jpg"], "label": ["cat"]})
    for table in ("t.csv", "t.parquet"):
        error = refused(table, **wanted)
        assert error.message == (
            f"the table {table!r} has the columns 'path', 'label', and none 'nowhere'"
        )


def test_of_many_columns_some_are_named(here: Path) -> None:
    names = [f"column {i} {'x' * 200}" for i in range(100)]
    error = refused(write("t.csv", ",".join(names) + "\n"))
    assert error.message.endswith(" and 88 more")
    assert len(error.message) < 1500


def test_a_column_twice(here: Path) -> None:
    assert "more than once" in refused(write("t.csv", "path,path\na,b\n")).message
    write("u.csv", "path,x,x\na,b,c\n")
    assert paths("u.csv") == ["a"]
    assert "'x' more than once" in refused("u.csv", carry=("x",)).message


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", "path,label\n", "path,label\n,\n\n"])
def test_a_table_without_rows(here: Path, text: str) -> None:
    error = only_error(write("t.csv", text))
    assert isinstance(error, ImageNotFound)
    assert error.message == "the table 't.csv' lists no pictures"


@pytest.mark.parametrize("name", ["missing.csv", "missing.tsv", "missing.parquet"])
def test_a_table_that_is_not_there(here: Path, name: str) -> None:
    error = only_error(name)
    assert isinstance(error, ImageNotFound)
    assert error.message == f"no file {name!r}"


def test_a_folder_with_the_name_of_a_table(here: Path) -> None:
    write("t.csv/a.jpg", b"x")
    assert paths("t.csv") == ["t.csv/a.jpg"]


def test_rows_that_name_no_picture_are_items_with_an_error(here: Path) -> None:
    write("t.csv", 'path,label\na.jpg,"x\ny"\n,cat\n  ,dog\nb.jpg\nc,d.jpg,e\nfoo://x,y\nz.jpg,z\n')
    items = found("t.csv", carry=("label",))
    assert [item.path for item in items] == [
        "a.jpg", "t.csv#1", "t.csv#2", "t.csv#3", "t.csv#4", "foo://x", "z.jpg",
    ]  # fmt: skip
    said = [item.error.message if item.error else "" for item in items]
    assert said == [
        "",
        "line 4 of 't.csv' has no path",
        "line 5 of 't.csv' has no path",
        "line 6 of 't.csv' has 1 cells, and the first line 2",
        "line 7 of 't.csv' has 3 cells, and the first line 2",
        "no protocol 'foo'",
        "",
    ]
    assert [item.columns["label"] for item in items] == [
        "x\ny", "cat", "dog", None, None, "y", "z",
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_another_encoding_is_refused_with_the_line(here: Path, encoding: str) -> None:
    text = "path,label\na.jpg,cat\nb.jpg,Käse\n"
    error = refused(write("t.csv", text.encode(encoding)))
    line = 1 if encoding == "utf-16" else 3
    assert error.message == f"line {line} of 't.csv' is no text in UTF-8"
    assert error.hint == "save it as CSV UTF-8"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('path,label\n"a.jpg" b,cat\n', 2),
        ('path,label\na.jpg,cat\n"b.jpg,never closed\n' + "x\n" * 5, 8),
        ("path,label\na.jpg," + "x" * 200_000 + "\n", 2),
        ("path,label\na.jpg," + "x" * (1 << 20) + "\n", 2),
        ("path\ra.jpg\rb.jpg\r", 1),
    ],
)
def test_what_is_no_csv_is_refused_with_the_line(here: Path, text: str, line: int) -> None:
    error = refused(write("t.csv", text))
    assert error.message.startswith(f"line {line} of 't.csv' ")


def test_columns_without_any_table() -> None:
    assert refused("a.jpg", column="x").message == "no column 'x': no input is a table"
    assert refused("a.jpg", carry=("y", "x")).message == "no column 'y': no input is a table"


@posix
def test_a_table_that_is_a_pipe_is_refused_before_it_can_block(here: Path) -> None:
    os.mkfifo("t.csv")
    assert only_error("t.csv").message == "'t.csv' is not a regular file"


# Parquet


def test_paths_in_parquet(here: Path) -> None:
    os.mkdir("data")
    parquet("data/t.parquet", {"label": [1, 2, 3], "path": ["a.jpg", None, "memory://x/b.jpg"]})
    items = found("data/t.parquet", carry=("label",))
    assert [item.path for item in items] == [
        os.path.join("data", "a.jpg"), "data/t.parquet#1", "memory://x/b.jpg",
    ]  # fmt: skip
    assert items[1].error is not None
    assert items[1].error.message == "row 1 of 'data/t.parquet' has no path"
    assert [item.columns["label"] for item in items] == [1, 2, 3]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]
)
def test_paths_of_any_kind_of_text(here: Path, kind: pa.DataType) -> None:
    parquet("t.parquet", {"path": pa.array(["a.jpg", "b.jpg", "a.jpg"]).cast(kind)})
    assert paths("t.parquet") == ["a.jpg", "b.jpg", "a.jpg"]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(3)])
def test_bytes_in_parquet(here: Path, kind: pa.DataType) -> None:
    cells = [b"%03d" % i for i in range(50)]
    parquet("t.parquet", {"bytes": pa.array(cells, kind)}, row_group_size=7)
    items = found("t.parquet")
    assert [item.path for item in items] == [f"t.parquet#{i}" for i in range(50)]
    assert items[17].table == TableRow("t.parquet", 2, 3, "bytes")
    with Opener() as opener:
        assert [opener.read(item) for item in items] == cells


def test_tables_of_other_writers(here: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    cells = [b"one", b"two", b"three"]
    pandas.DataFrame({"image": cells, "n": [1, 2, 3]}).to_parquet("pandas.parquet")
    polars.DataFrame({"image": cells, "n": [1, 2, 3]}).write_parquet("polars.parquet")
    duckdb.sql("from 'polars.parquet'").write_parquet("duckdb.parquet")
    pandas.DataFrame({"path": ["a.jpg", "ü,\n.jpg"]}).to_csv("pandas.csv")
    for table in ("pandas.parquet", "polars.parquet", "duckdb.parquet"):
        items = found(table, carry=("n",))
        with Opener() as opener:
            assert [opener.read(item) for item in items] == cells
        assert [item.columns for item in items] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert paths("pandas.csv") == ["a.jpg", "ü,\n.jpg"]


def test_pictures_as_hugging_face_stores_them(here: Path) -> None:
    write("data/beside.jpg", b"beside")
    cells = [
        {"bytes": b"one", "path": "one.jpg"},
        {"bytes": None, "path": "beside.jpg"},
        {"bytes": b"", "path": None},
        {"bytes": None, "path": None},
        None,
        {"bytes": None, "path": "missing.jpg"},
    ]
    parquet("data/t.parquet", {"image": cells, "path": list("abcdef")})
    items = found("data/t.parquet")
    assert [item.path for item in items] == [f"data/t.parquet#{i}" for i in range(6)]
    with Opener() as opener:
        assert [opener.read(item) for item in items[:3]] == [b"one", b"beside", b""]
        for item in items[3:5]:
            with pytest.raises(ImageUnreadable, match="the column 'image' is null"):
                opener.read(item)
        with pytest.raises(ImageNotFound, match=r"data.missing\.jpg"):
            opener.read(items[5])


def test_a_null_instead_of_bytes(here: Path) -> None:
    parquet("t.parquet", {"bytes": pa.array([b"x", None], pa.binary())})
    first, second = found("t.parquet")
    with Opener() as opener:
        assert opener.read(first) == b"x"
        with pytest.raises(ImageUnreadable, match=r"'t\.parquet#1' has no picture"):
            opener.read(second)


def test_bytes_go_before_paths_unless_a_column_is_named(here: Path) -> None:
    parquet("t.parquet", {"path": ["a.jpg"], "bytes": [b"x"]})
    assert [item.path for item in found("t.parquet")] == ["t.parquet#0"]
    assert [item.path for item in found("t.parquet", column="path")] == ["a.jpg"]


def test_columns_with_dots_in_their_names(here: Path) -> None:
    columns = {"bytes": [b"x"], "bytes.size": [1], "a": ["no"], "a.b": ["yes"]}
    [item] = found(parquet("t.parquet", columns), carry=("a.b", "bytes.size"))
    assert item.columns == {"a.b": "yes", "bytes.size": 1}
    with Opener() as opener:
        assert opener.read(item) == b"x"


def test_several_parquet_files_by_a_pattern(here: Path) -> None:
    for name in ("train-1", "train-0"):
        parquet(f"{name}.parquet", {"bytes": [name.encode()]})
    assert [item.path for item in found("*.parquet")] == ["train-0.parquet#0", "train-1.parquet#0"]


def test_a_parquet_column_that_holds_no_pictures(here: Path) -> None:
    parquet("t.parquet", {"n": [1], "picture": [b"x"]})
    assert refused("t.parquet").message == "the table 't.parquet' has the columns 'n', 'picture'"
    parquet("u.parquet", {"n": [1], "image": [[1, 2]]})
    assert refused("u.parquet").message.startswith("the column 'image' of 'u.parquet' holds list<")
    error = refused("t.parquet", column="n")
    assert error.message == "the column 'n' of 't.parquet' holds int64"
    assert error.expected == "paths, URLs or the bytes of pictures"


def test_a_parquet_table_without_rows(here: Path) -> None:
    parquet("t.parquet", {"path": pa.array([], pa.string())})
    assert only_error("t.parquet").message == "the table 't.parquet' lists no pictures"


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no table at all" * 100, b"PAR1" + b"\xff" * 90])
def test_what_is_no_parquet(here: Path, data: bytes) -> None:
    error = only_error(write("t.parquet", data))
    assert isinstance(error, ImageUnreadable)
    assert error.message.startswith("cannot read 't.parquet': ")
    assert error.hint == "is the table damaged or cut short?"


def damaged_parquet(column: str) -> list[bytes]:
    """A table of four row groups, 32 rows each, the third destroyed."""
    cells = [b"%06d" % i * 50 for i in range(128)]
    values = cells if column == "bytes" else [cell.decode() for cell in cells]
    parquet(
        "t.parquet", {column: values}, row_group_size=32, compression="snappy", use_dictionary=False
    )
    about = pq.read_metadata("t.parquet").row_group(2).column(0)
    data = bytearray(Path("t.parquet").read_bytes())
    start = about.data_page_offset
    data[start : start + about.total_compressed_size] = b"\xff" * about.total_compressed_size
    Path("t.parquet").write_bytes(data)
    return cells


def test_a_damaged_row_group_fails_alone(here: Path) -> None:
    cells = damaged_parquet("bytes")
    items = found("t.parquet")
    assert len(items) == 128
    with Opener() as opener:
        for number in (*range(128), 70, 3, 100):
            if 64 <= number < 96:
                with pytest.raises(ImageUnreadable, match=f"cannot read 't.parquet#{number}': "):
                    opener.read(items[number])
            else:
                assert opener.read(items[number]) == cells[number]


def test_paths_before_the_damage_are_listed(here: Path) -> None:
    cells = damaged_parquet("path")
    *good, last = found("t.parquet")
    assert [item.path for item in good] == [cell.decode() for cell in cells[: len(good)]]
    assert last.path == "t.parquet"
    assert last.error is not None
    assert last.error.message.startswith("cannot read 't.parquet': ")


def test_a_table_that_has_changed_since(here: Path) -> None:
    parquet("t.parquet", {"bytes": [b"x", b"y"]})
    items = found("t.parquet")
    parquet("t.parquet", {"bytes": [b"x"]})
    with Opener() as opener:
        assert opener.read(items[0]) == b"x"
        with pytest.raises(ImageUnreadable, match="there is no such row any more"):
            opener.read(items[1])
        with pytest.raises(ImageUnreadable, match="there is no such row any more"):
            opener.read(Item("t.parquet#9", table=TableRow("t.parquet", 7, 0, "bytes")))
        with pytest.raises(ImageUnreadable, match=r"cannot read 't\.parquet#0'"):
            opener.read(Item("t.parquet#0", table=TableRow("t.parquet", 0, 0, "gone")))
    os.unlink("t.parquet")
    with Opener() as opener, pytest.raises(ImageNotFound, match=r"no file 't\.parquet'"):
        opener.read(items[0])


def counted_readings(monkeypatch: pytest.MonkeyPatch) -> list[TableRow]:
    """Which row groups are begun to be read, in turn."""
    begun: list[TableRow] = []
    original = row_groups.RowGroups._read

    def read(self: row_groups.RowGroups, row: TableRow) -> Any:
        begun.append(row)
        return original(self, row)

    monkeypatch.setattr(row_groups.RowGroups, "_read", read)
    return begun


@pytest.mark.parametrize("workers", [1, 4, 32])
def test_each_row_group_is_read_once_by_however_many(
    here: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(row_groups, "_BATCH_BYTES", 1)  # the smallest batches
    cells = [os.urandom(40) for _ in range(1200)]
    parquet("t.parquet", {"bytes": cells}, row_group_size=300)
    begun = counted_readings(monkeypatch)
    with Opener() as opener:
        assert list(in_order(opener.read, found("t.parquet"), workers, ahead=8)) == cells
    assert [row.group for row in begun] == [0, 1, 2, 3]


def test_rows_in_any_order(here: Path) -> None:
    cells = [b"%d" % i for i in range(400)]
    parquet("t.parquet", {"bytes": cells}, row_group_size=90)
    items = found("t.parquet")
    order = sorted(range(400), key=lambda i: (i * 7919) % 401)
    with Opener() as opener, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: opener.read(items[i]), order)) == [cells[i] for i in order]


def test_a_large_row_group_is_not_held_as_a_whole(here: Path) -> None:
    cell_bytes, count = 200_000, 400  # 80 MB in one row group
    schema = pa.schema({"bytes": pa.binary()})
    # Pages of a few cells; older versions of pyarrow else make a single one.
    options = {"use_dictionary": False, "compression": "none", "write_batch_size": 8}
    with pq.ParquetWriter("t.parquet", schema, **options) as file:
        file.write_table(
            pa.table({"bytes": pa.array([os.urandom(cell_bytes)] * count, pa.binary())}),
            row_group_size=count,
        )
    items = found("t.parquet")
    before = pa.total_allocated_bytes()
    most = 0
    with Opener() as opener:
        for item in items:
            assert len(opener.read(item)) == cell_bytes
            most = max(most, pa.total_allocated_bytes() - before)
    assert most < 60_000_000


def test_files_are_closed(here: Path) -> None:
    parquet("t.parquet", {"bytes": [b"x"] * 10}, row_group_size=1)
    items = found("t.parquet")
    opener = Opener()
    for item in items:
        opener.read(item)
    opener.close()
    gc.collect()  # a file left open would warn, and a warning is an error
    if os.path.isdir("/proc/self/fd"):
        names = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        assert not [name for name in names if name.endswith("t.parquet")]


# Columns that are carried along


CARRIED: list[tuple[pa.DataType, Any, Any]] = [
    (pa.string(), "Ü,\n", "Ü,\n"),
    (pa.large_string(), "x", "x"),
    (pa.dictionary(pa.int8(), pa.string()), "x", "x"),
    (pa.bool_(), True, True),
    (pa.uint64(), 2**64 - 1, 2**64 - 1),
    (pa.float64(), 0.1, 0.1),
    (pa.float64(), float("nan"), None),
    (pa.float32(), float("-inf"), None),
    (pa.float16(), np.float16(0.5), 0.5),
    (pa.null(), None, None),
    (pa.decimal128(20, 3), Decimal("12345.670"), "12345.670"),
    (pa.date32(), datetime.date(2024, 2, 29), "2024-02-29"),
    (pa.date64(), datetime.date(2024, 2, 29), "2024-02-29"),
    (pa.time32("s"), datetime.time(12, 30), "12:30:00"),
    (pa.time64("us"), datetime.time(12, 30, 0, 5), "12:30:00.000005"),
    (pa.timestamp("ms"), datetime.datetime(1969, 12, 31, 23, 59, 59, 500000),
     "1969-12-31T23:59:59.500"),
    (pa.timestamp("us"), datetime.datetime(2024, 2, 29, 1, 2, 3, 4), "2024-02-29T01:02:03.000004"),
    (pa.timestamp("us", "Europe/Berlin"),
     datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc),
     "2024-02-29T00:00:00+00:00"),
    (pa.timestamp("ns"), 1, "1970-01-01T00:00:00.000000001"),
    (pa.timestamp("s", "UTC"), 253_402_300_800, "10000-01-01T00:00:00+00:00"),
    (pa.timestamp("us"), 1 << 62, f"<value out of range: {1 << 62}>"),
    (pa.date32(), 10**7, "29349-01-26"),
    (pa.list_(pa.date32()), [datetime.date(2024, 2, 29), None], ["2024-02-29", None]),
    (pa.list_(pa.float32()), [0.5, float("nan")], [0.5, None]),
    (pa.map_(pa.string(), pa.int64()), [("a", 1)], [["a", 1]]),
    (pa.struct({"a": pa.list_(pa.struct({"b": pa.decimal128(4, 1)})), "c": pa.string()}),
     {"a": [{"b": Decimal("1.5")}], "c": None}, {"a": [{"b": "1.5"}], "c": None}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "cell", "expected"), CARRIED, ids=lambda v: str(v)[:40])
def test_columns_are_carried_as_json_has_values(
    here: Path, kind: pa.DataType, cell: Any, expected: Any
) -> None:
    parquet("t.parquet", {"path": ["a.jpg", "b.jpg"], "x": pa.array([cell, None], kind)})
    first, second = found("t.parquet", carry=("x",))
    assert first.columns == {"x": expected}
    assert type(first.columns["x"]) is type(expected)
    assert second.columns == {"x": None}
    assert json.loads(json.dumps(first.columns, allow_nan=False)) == {"x": expected}


def test_vectors_are_carried_as_lists(here: Path) -> None:
    vectors = pa.array([[0.5, 1.5], [2.5, 3.5]], pa.list_(pa.float32(), 2))
    parquet("t.parquet", {"path": ["a.jpg", "b.jpg"], "x": vectors})
    assert [item.columns["x"] for item in found("t.parquet", carry=("x",))] == vectors.to_pylist()


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (pa.binary(), b"x"),
        (pa.list_(pa.large_binary()), [b"x"]),
        (pa.struct({"a": pa.binary()}), {"a": b"x"}),
        (pa.duration("s"), 5),
    ],
)
def test_a_column_that_json_cannot_hold_is_not_carried(
    here: Path, kind: pa.DataType, cell: Any
) -> None:
    parquet("t.parquet", {"path": ["a.jpg"], "x": pa.array([cell], kind)})
    error = refused("t.parquet", carry=("x",))
    assert error.message.startswith("the column 'x' of 't.parquet' holds ")
    assert error.message.endswith(", which cannot be carried along")


def test_columns_are_carried_with_bytes_across_row_groups(here: Path) -> None:
    numbers = list(range(5000))
    cells = [b"%d" % i for i in numbers]
    parquet("t.parquet", {"bytes": cells, "n": numbers}, row_group_size=1700)
    items = found("t.parquet", carry=("n",))
    assert [item.columns["n"] for item in items] == numbers
    with Opener() as opener:
        assert [opener.read(item) for item in items] == cells


# Files on this machine


def local_inputs(folder: Path) -> dict[str, str]:
    picture = folder / "x.jpg"
    picture.write_bytes(b"x")
    return {
        "missing": str(folder / "missing.jpg"),
        "folder": str(folder),
        "below a file": str(picture / "y.jpg"),
        "NUL": str(folder / "a\0b.jpg"),
        "too long": str(folder / ("x" * 5000)),
        "device": os.devnull,
        "no name": "",
    }


@pytest.mark.parametrize(
    "what", ["missing", "folder", "below a file", "NUL", "too long", "device", "no name"]
)
def test_a_local_file_fails_as_it_does_everywhere_else(tmp_path: Path, what: str) -> None:
    path = local_inputs(tmp_path)[what]
    with pytest.raises(InputError) as expected:
        images.open_image(path)
    error = no_content(path)
    assert type(error) is type(expected.value)
    assert error.to_json() == expected.value.to_json()


@posix
def test_a_pipe_and_a_link_to_nothing(here: Path) -> None:
    os.mkfifo("fifo.jpg")
    os.symlink("nowhere", "link.jpg")
    for path in ("fifo.jpg", "link.jpg"):
        with pytest.raises(InputError) as expected:
            images.open_image(path)
        assert no_content(path).to_json() == expected.value.to_json()


@posix
@not_root
def test_a_file_that_may_not_be_read(here: Path) -> None:
    Path(write("a.jpg", b"x")).chmod(0)
    with pytest.raises(InputError) as expected:
        images.open_image("a.jpg")
    assert no_content("a.jpg").to_json() == expected.value.to_json()


def test_a_file_that_is_too_long(here: Path, monkeypatch: pytest.MonkeyPatch, memory: Any) -> None:
    monkeypatch.setattr(images, "MAX_STREAM_BYTES", 3)
    memory.pipe("/a.jpg", b"1234")
    assert isinstance(no_content(write("a.jpg", b"1234")), ImageTooLarge)
    assert isinstance(no_content("memory://a.jpg"), ImageTooLarge)
    assert content(write("a.jpg", b"123")) == b"123"


@posix
def test_a_file_url_is_the_path(here: Path) -> None:
    write("sub/a b.jpg", b"x")
    write("sub/t.csv", "path\na b.jpg\n")
    assert paths(f"file://{here}/sub") == [f"{here}/sub/a b.jpg"]
    assert paths(f"file://{here}/sub/*.jpg") == [f"{here}/sub/a b.jpg"]
    assert paths(f"file://{here}/sub/t.csv") == [f"{here}/sub/a b.jpg"]
    assert content(f"file://{here}/sub/a b.jpg") == b"x"
    os.mkfifo("fifo.jpg")
    assert no_content(f"file://{here}/fifo.jpg").message.endswith("is not a regular file")


# URLs


@pytest.mark.parametrize(
    "text", [r"C:\photos\a.jpg", "C:/photos/a.jpg", "c://a.jpg", "a.jpg", "sub/a:b.jpg", "zip:a"]
)
def test_a_path_is_no_url(text: str) -> None:
    assert not urls.is_url(text)


def test_a_file_whose_name_looks_like_a_chain(here: Path) -> None:
    assert urls.is_url("zip::a.jpg")
    if os.name != "nt":
        write("zip::a.jpg", b"x")
        assert paths("zip::a.jpg") == ["zip::a.jpg"]
        assert content("zip::a.jpg") == b"x"


def test_folders_and_patterns_behind_a_url(memory: Any) -> None:
    for name in ("b.jpg", "a.png", "notes.txt", "sub/c.webp", "sub/deep/d.JPEG", "z#1 ü.jpg"):
        memory.pipe(f"/x/{name}", name.encode())
    memory.pipe("/xy/other.jpg", b"")
    everything = [
        "memory://x/a.png",
        "memory://x/b.jpg",
        "memory://x/z#1 ü.jpg",
        "memory://x/sub/c.webp",
        "memory://x/sub/deep/d.JPEG",
    ]
    assert paths("memory://x") == everything
    assert paths("memory://x/") == everything
    assert paths("memory:///x") == [url.replace("://", ":///") for url in everything]
    assert paths("memory://x/*.jpg") == ["memory://x/b.jpg", "memory://x/z#1 ü.jpg"]
    assert paths("memory://x/**/*.webp") == ["memory://x/sub/c.webp"]
    assert paths("memory://x*/o*.jpg") == ["memory://xy/other.jpg"]
    assert paths("memory://x/notes.txt") == ["memory://x/notes.txt"]
    assert content("memory://x/z#1 ü.jpg") == "z#1 ü.jpg".encode()
    assert len(paths("memory://")) == 6


def test_a_name_like_a_pattern_behind_a_url(memory: Any) -> None:
    memory.pipe("/x/[a].jpg", b"1")
    memory.pipe("/x/a.jpg", b"2")
    assert paths("memory://x/[a].jpg") == ["memory://x/[a].jpg"]


def test_nothing_behind_a_url(memory: Any) -> None:
    memory.pipe("/x/notes.txt", b"")
    assert only_error("memory://x").message == "no pictures in the folder 'memory://x'"
    assert only_error("memory://x/*.jpg").message == "nothing matches 'memory://x/*.jpg'"
    assert only_error("memory://none/*.jpg").message == "nothing matches 'memory://none/*.jpg'"
    assert paths("memory://none") == ["memory://none"]  # found out when it is read
    error = no_content("memory://none")
    assert isinstance(error, ImageNotFound)
    assert error.message == "no file 'memory://none'"


def test_tables_behind_a_url(memory: Any) -> None:
    memory.pipe("/x/t.csv", b"path,label\na.jpg,1\n./sub/../b.jpg,2\n../c.jpg,3\n/d.jpg,4\n")
    items = found("memory://x/t.csv", carry=("label",))
    assert [item.path for item in items] == [
        "memory://x/a.jpg", "memory://x/b.jpg", "memory://x/c.jpg", "/d.jpg",
    ]  # fmt: skip
    cells = [b"%d" % i for i in range(100)]
    file = io.BytesIO()
    pq.write_table(pa.table({"bytes": cells}), file, row_group_size=30)
    memory.pipe("/x/t.parquet", file.getvalue())
    assert found("memory://x/*.parquet")[5].path == "memory://x/t.parquet#5"
    with Opener() as opener, ThreadPoolExecutor(3) as pool:
        assert list(pool.map(opener.read, found("memory://x/t.parquet"))) == cells
    assert isinstance(only_error("memory://x/none.csv"), ImageNotFound)
    assert isinstance(only_error("memory://x/none.parquet"), ImageNotFound)


class Weak:
    """Makes reading from fsspec's memory fail for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from fsspec.implementations.memory import MemoryFile

        self.fails = 0
        for name in ("read", "readinto"):
            self._weaken(monkeypatch, MemoryFile, name)

    def _weaken(self, monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> None:
        original = getattr(kind, name)

        def weak(file: Any, *arguments: Any) -> Any:
            if self.fails:
                self.fails -= 1
                raise ConnectionResetError("the line broke")
            return original(file, *arguments)

        monkeypatch.setattr(kind, name, weak, raising=False)


def test_a_table_far_away_is_read_again_after_trouble(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [b"%d" % i for i in range(60)]
    file = io.BytesIO()
    pq.write_table(pa.table({"bytes": cells}), file, row_group_size=30)
    memory.pipe("/x/t.parquet", file.getvalue())
    items = found("memory://x/t.parquet")
    weak = Weak(monkeypatch)
    with Opener() as opener:
        weak.fails = 3
        assert opener.read(items[0]) == cells[0]
        weak.fails = 1000
        with pytest.raises(ImageUnreadable, match="the line broke"):
            opener.read(items[40])
        weak.fails = 0
        assert [opener.read(item) for item in items] == cells
    weak.fails = 1000
    for listed in ("memory://x/t.parquet", "@memory://x/t.txt", "memory://x/t.csv"):
        memory.pipe("/x/t.txt", b"a.jpg\n")
        memory.pipe("/x/t.csv", b"path\na.jpg\n")
        with pytest.raises(WhatsitError, match="cannot read all of") as caught:
            found(listed)
        assert not isinstance(caught.value, InputError)


def zipped(names: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_pictures_in_an_archive(here: Path, memory: Any) -> None:
    names = {f"d{i % 7}/{i:03d}.jpg": b"%d" % i * 1000 for i in range(300)}
    data = zipped({**names, "top.jpg": b"top", "t.csv": b"path\ntop.jpg\n"})
    memory.pipe("/a.zip", data)
    write("a.zip", data)
    for place in ("memory://a.zip", "a.zip", f"file://{here}/a.zip"):
        listed = paths(f"zip::{place}")
        assert sorted(listed) == sorted(f"zip://{name}::{place}" for name in [*names, "top.jpg"])
        assert paths(f"zip://d3::{place}") == [
            f"zip://{name}::{place}" for name in sorted(names) if name.startswith("d3/")
        ]
        assert paths(f"zip://*.jpg::{place}") == [f"zip://top.jpg::{place}"]
        assert paths(f"zip://t.csv::{place}") == [f"zip://top.jpg::{place}"]
        with Opener() as opener, ThreadPoolExecutor(8) as pool:  # threads share one archive
            contents = list(pool.map(opener.read, map(Item, listed)))
        assert contents == [
            {**names, "top.jpg": b"top"}[url[len("zip://") :].split("::")[0]] for url in listed
        ]


def test_an_archive_that_is_missing_or_none(memory: Any) -> None:
    memory.pipe("/no.zip", b"no archive")
    assert isinstance(no_content("zip://a.jpg::memory://none.zip"), ImageNotFound)
    error = no_content("zip://a.jpg::memory://no.zip")
    assert error.message.startswith("cannot open 'zip://a.jpg::memory://no.zip': ")
    assert "not a zip file" in only_error("zip::memory://no.zip").message
    memory.pipe("/a.zip", zipped({"a.jpg": b"x"}))
    assert no_content("zip://b.jpg::memory://a.zip").code == "image-not-found"


def test_a_cache_before_a_url(memory: Any) -> None:
    memory.pipe("/x/a.jpg", b"1")
    memory.pipe("/x/sub/b.jpg", b"2")
    listed = paths("simplecache::memory://x")
    assert listed == ["simplecache::memory://x/a.jpg", "simplecache::memory://x/sub/b.jpg"]
    assert [content(url) for url in listed] == [b"1", b"2"]


def test_a_protocol_that_nobody_knows() -> None:
    error = refused("a.jpg", "foo://bar/a.jpg")
    assert error.message == "no protocol 'foo'"
    assert error.expected == "one that fsspec knows, such as s3, gs, https or memory"


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("s3://bucket/a.jpg", "s3fs"),
        ("gs://bucket/folder", "gcsfs"),
        ("zip://a.jpg::gcs://bucket/a.zip", "gcsfs"),
        ("https://host/a.jpg", "aiohttp"),
    ],
)
def test_a_protocol_whose_package_is_missing(
    here: Path, monkeypatch: pytest.MonkeyPatch, url: str, package: str
) -> None:
    known = sys.modules["fsspec.registry"]._registry
    for name in ("s3", "gs", "gcs", "http", "https"):
        monkeypatch.delitem(known, name, raising=False)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    write("list.txt", f"{url}\n")
    write("t.csv", f"path\n{url}\n")
    for text in (url, "@list.txt", "t.csv"):
        with pytest.raises(ExtraMissing) as caught:
            found(text)
        assert caught.value.message.endswith(f"needs {package}, which is not installed")
        assert caught.value.hint == f"pip install {package}"
    with pytest.raises(ExtraMissing):
        content(url)


def test_without_the_extra(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet("t.parquet", {"path": ["a.jpg"]})
    write("t.csv", "path\na.jpg\n")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert paths("t.csv") == ["a.jpg"]
    for text in ("t.parquet", "memory://a.jpg", f"file://{here}/t.csv"):
        with pytest.raises(ExtraMissing) as caught:
            found(text)
        assert caught.value.hint == "pip install 'whatsit[batch]'"


# The web


def test_a_picture_on_the_web(server: Server) -> None:
    url = server.put("/a.jpg?size=3", b"picture" * 100_000)
    assert paths(url) == [url]
    assert server.asked == []  # nothing is asked while listing
    assert content(url) == b"picture" * 100_000
    assert [path for path, _ in server.asked] == ["/a.jpg?size=3"]
    assert server.asked[0][1]["User-Agent"].startswith("whatsit/")


def test_an_answer_without_a_length(server: Server) -> None:
    assert content(server.put("/a.jpg", Reply(b"x" * 3000, chunked=True))) == b"x" * 3000
    assert content(server.put("/empty.jpg", b"")) == b""


def test_what_is_missing_on_the_web_is_asked_for_once(server: Server) -> None:
    for status in (404, 410):
        error = no_content(server.put(f"/{status}.jpg", Reply(status=status)))
        assert isinstance(error, ImageNotFound)
        assert error.message == f"no file '{server.address}/{status}.jpg'"
    error = no_content(server.put("/403.jpg", Reply(status=403)))
    assert isinstance(error, ImageUnreadable)
    assert "may not be read: the server answers 403" in error.message
    assert "credentials" in error.hint
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "bad", [Reply(status=503), Reply(status=429), Reply(b"picture", cut_after=3)]
)
def test_trouble_that_passes(server: Server, bad: Reply) -> None:
    assert content(server.put("/a.jpg", bad, bad, bad, Reply(b"picture"))) == b"picture"
    assert len(server.asked) == 4


def test_trouble_that_stays(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    error = no_content(server.put("/a.jpg", Reply(status=500)))
    assert isinstance(error, ImageUnreadable)
    assert error.message.startswith(f"cannot open '{server.address}/a.jpg': the server answers 500")
    assert "the same command" in error.hint
    assert len(server.asked) == 4
    waited: list[float] = []
    monkeypatch.setattr(urls, "PAUSES_S", (1.0, 2.0, 4.0))
    monkeypatch.setattr(threading.Event, "wait", lambda self, s=None: waited.append(s) is not None)
    with pytest.raises(InputError):
        urls.Filesystems().tried(lambda: (_ for _ in ()).throw(ConnectionError("gone")), "x")
    assert waited == [1.0, 2.0, 4.0]


def test_nobody_there(server: Server) -> None:
    error = no_content("http://127.0.0.1:9/a.jpg")
    assert isinstance(error, ImageUnreadable)
    assert error.message.startswith("cannot open 'http://127.0.0.1:9/a.jpg': ")


def test_closing_ends_the_waiting(monkeypatch: pytest.MonkeyPatch, memory: Any) -> None:
    monkeypatch.setattr(urls, "PAUSES_S", (600.0,))
    monkeypatch.setattr(
        type(memory), "_open", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("gone"))
    )
    opener = Opener()
    threading.Timer(0.05, opener.close).start()
    with pytest.raises(ImageUnreadable, match="gone"):
        opener.read(Item("memory://a.jpg"))


def test_a_pattern_on_the_web_is_refused(server: Server) -> None:
    error = refused(f"{server.address}/*.jpg")
    assert error.message.endswith("what a web server has cannot be listed")
    assert "@urls.txt" in error.hint


def test_a_table_on_the_web(server: Server) -> None:
    rows = "".join(f"sub/{i}.jpg,{i}\r\n" for i in range(3000))
    url = server.put("/data/t.csv?token=1", f"path,n\r\n{rows}".encode())
    items = found(url, carry=("n",))
    assert len(items) == 3000
    assert items[7].path == f"{server.address}/data/sub/7.jpg"
    assert items[2999].columns == {"n": "2999"}
    assert isinstance(only_error(f"{server.address}/none.csv"), ImageNotFound)


def test_a_table_that_breaks_off_is_no_shorter_table(server: Server) -> None:
    text = "path\n" + "a.jpg\n" * 50_000
    for name, start in (("/t.csv", ""), ("/list.txt", "@")):
        url = server.put(name, Reply(text.encode(), cut_after=150_000))
        with pytest.raises(WhatsitError, match="cannot read all of") as caught:
            found(start + url)
        assert not isinstance(caught.value, InputError)


def test_an_archive_on_the_web(server: Server) -> None:
    data = zipped({"a.jpg": b"1", "sub/b.jpg": b"2"})
    url = f"zip://sub/b.jpg::{server.put('/a.zip', Reply(data, ranges=False))}"
    error = no_content(url)
    assert isinstance(error, (ImageUnreadable, ImageNotFound))


# What may pass


class _Client(Exception):
    """An error of another package."""


_Client.__module__ = "botocore.exceptions"


class NoCredentialsError(_Client):
    pass


class _Answer(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionResetError("reset"), True),
        (TimeoutError(), True),
        (_Client("no connection"), True),
        (NoCredentialsError(), False),
        (_Answer(500), True),
        (_Answer(429), True),
        (_Answer(404), False),
        (FileNotFoundError("x"), False),
        (PermissionError("x"), False),
        (OSError(36, "File name too long"), os.name == "nt"),
        (ValueError("x"), False),
        (zipfile.BadZipFile("x"), False),
    ],
)
def test_what_may_pass(error: Exception, passes: bool) -> None:
    assert trouble.may_pass(error) is passes


# Size


def test_a_long_table_takes_no_more_memory_than_a_short_one(
    here: Path,
) -> None:
    def most(rows: int) -> int:
        with open("t.csv", "w", encoding="utf-8") as file:
            file.write("path,label\n")
            file.writelines(f"folder/{i:09d}.jpg,label\n" for i in range(rows))
        write("list.txt", "t.csv\n")
        tracemalloc.start()
        try:
            assert sum(1 for _ in listing.items(["@list.txt"], carry=["label"])) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(1000)  # what is imported on the way
    assert most(30_000) < most(1000) + 300_000


def test_the_same_again_is_the_same(here: Path, memory: Any) -> None:
    for i in range(50):
        memory.pipe(f"/x/{(i * 37) % 50:02d}/{i}.jpg", b"")
    parquet("t.parquet", {"bytes": [b"x"] * 10, "n": range(10)})
    inputs = ("memory://x", "t.parquet")
    lines = [[json.dumps(item.to_json()) for item in found(*inputs)] for _ in range(2)]
    assert lines[0] == lines[1]
    assert len(set(lines[0])) == 60


def test_nothing_is_imported_for_local_files() -> None:
    code = (
        "import sys; from whatsit.batch import listing, opener, places\n"
        "list(listing.items(['.'])); places.place_of('x')\n"
        "print([m for m in ('fsspec', 'pyarrow', 'aiohttp') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
