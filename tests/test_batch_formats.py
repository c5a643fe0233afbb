"""Rows as JSON lines, CSV and Parquet, read by others: pandas, DuckDB, Polars, csv, json."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import CATS, ESPRESSO
from pyarrow import parquet

import whatsit
from whatsit import BatchReport, batch, zoo
from whatsit.batch import job as jobs
from whatsit.batch import parquet as ours
from whatsit.batch.columns import REAL, TEXT, TRUTH, WHOLE, type_of
from whatsit.errors import ExtraMissing

MODEL = "mobilenet-v2-int8"
INPUTS = [str(zoo.GOLDEN / name) for name in ("cat.png", "coffee.png", "rocket.jpg")]
COLUMNS = [
    *("path", "verdict", "label", "index", "score", "synset"),
    *("labels", "indices", "scores", "error_code", "error_message"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "BLOCK", 2)
    return tmp_path


def run(out: str, inputs: list[str] | None = None, **options: Any) -> BatchReport:
    inputs = [*INPUTS, "gone, really.jpg"] if inputs is None else inputs
    return batch(inputs, out, **{"model": MODEL, "workers": 1, "cache": False, **options})


def expected(top: int = 5) -> list[whatsit.Result]:
    with whatsit.load(MODEL) as model:
        return list(model.classify_many(INPUTS, top=top))


# Parquet.


def test_parquet_holds_the_answers() -> None:
    run("out.parquet", top=3)
    table = parquet.read_table("out.parquet")
    assert table.column_names == COLUMNS
    types = dict(zip(table.column_names, table.schema.types, strict=True))
    assert types["score"] == pa.float32()
    assert types["labels"] == pa.list_(pa.string())
    found = table.to_pylist()
    for row, result in zip(found, expected(3), strict=False):
        best = result.predictions[0]
        assert (row["path"], row["verdict"]) == (result.path, result.verdict.value)
        assert (row["label"], row["index"], row["synset"]) == (best.label, best.index, best.synset)
        assert row["score"] == best.score
        assert row["labels"] == [p.label for p in result.predictions]
        assert row["indices"] == [p.index for p in result.predictions]
        assert row["scores"] == [p.score for p in result.predictions]
        assert row["error_code"] is row["error_message"] is None
    failed = found[-1]
    assert failed["error_code"] == "image-not-found"
    assert failed["error_message"] == "no file 'gone, really.jpg'"
    assert failed["label"] is failed["labels"] is failed["verdict"] is None
    facts = table.schema.metadata
    assert facts[b"whatsit.model"] == MODEL.encode()
    assert facts[b"whatsit.model_sha256"] == zoo.open_builtin(MODEL).sha256.encode()


@pytest.mark.parametrize("embeddings", [False, True])
def test_three_readers_find_the_same_in_parquet(embeddings: bool) -> None:
    run("out.parquet", embeddings=embeddings)
    by_pandas = pd.read_parquet("out.parquet")
    by_polars = pl.read_parquet("out.parquet")
    by_duckdb = queried("SELECT * FROM 'out.parquet'")
    names = COLUMNS + ["embedding"] * embeddings
    assert list(by_pandas.columns) == by_polars.columns == names
    assert len(by_pandas) == len(by_polars) == len(by_duckdb) == 4
    tables = (
        [dict(row) for row in by_pandas.iloc],
        by_polars.to_dicts(),
        [dict(zip(names, row, strict=True)) for row in by_duckdb],
    )
    for row, result in enumerate(expected()):
        for found in (table[row] for table in tables):
            assert found["path"] == INPUTS[row]
            assert found["label"] == result.predictions[0].label
            assert list(found["indices"]) == [p.index for p in result.predictions]
            assert list(found["scores"]) == pytest.approx([p.score for p in result.predictions])
            if embeddings:
                vector = np.asarray(found["embedding"], np.float32)
                assert np.allclose(vector, embedding(INPUTS[row]), rtol=1e-3, atol=1e-4)
    assert by_polars["error_code"].to_list() == [None] * 3 + ["image-not-found"]
    assert queried("SELECT count(*) FROM 'out.parquet' WHERE error_code IS NULL") == [[3]]


def queried(sql: str) -> list[list[Any]]:
    """What DuckDB answers, in a process of its own: at the end of this one it would complain."""
    program = "import duckdb, json, sys; print(json.dumps(duckdb.sql(sys.argv[1]).fetchall()))"
    done = subprocess.run([sys.executable, "-c", program, sql], capture_output=True, check=True)
    return list(json.loads(done.stdout))


def embedding(path: str) -> np.ndarray:
    return whatsit.embed(MODEL, [path]).vectors[0]


def test_embeddings_are_float16_of_a_fixed_length() -> None:
    run("out.parquet", embeddings=True)
    table = parquet.read_table("out.parquet")
    width = len(embedding(INPUTS[0]))
    assert table.schema.field("embedding").type == pa.list_(pa.float16(), width)
    assert table["embedding"].to_pylist()[-1] is None
    vectors = np.stack(table["embedding"].to_numpy(zero_copy_only=False)[:3])
    assert np.array_equal(vectors, np.stack([embedding(p) for p in INPUTS]).astype(np.float16))


@pytest.mark.parametrize("embeddings", [False, True])
def test_parquet_in_groups_of_rows(embeddings: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    run("one.parquet", INPUTS * 5, embeddings=embeddings)
    monkeypatch.setattr(ours, "VECTOR_GROUP_ROWS" if embeddings else "GROUP_ROWS", 7)
    run("several.parquet", INPUTS * 5, embeddings=embeddings)
    about = parquet.ParquetFile("several.parquet").metadata
    assert [about.row_group(i).num_rows for i in range(about.num_row_groups)] == [7, 7, 1]
    assert parquet.read_table("several.parquet").equals(parquet.read_table("one.parquet"))


def test_the_blocks_leave_no_trace_in_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    run("a.parquet", INPUTS * 5, embeddings=True)
    monkeypatch.setattr(jobs, "BLOCK", 5)
    run("b.parquet", INPUTS * 5, embeddings=True)
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


def test_parquet_without_a_good_row() -> None:
    run("out.parquet", ["gone.jpg"], embeddings=True)
    assert len(pd.read_parquet("out.parquet")) == len(pl.read_parquet("out.parquet")) == 1


def test_parquet_needs_pyarrow_and_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ExtraMissing) as caught:
        run("out.parquet")
    assert "pip install 'whatsit[batch]'" in caught.value.hint
    assert not Path("out.parquet.job").exists()
    run("out.jsonl")


# CSV.


def test_csv_has_a_row_a_picture() -> None:
    run("out.csv", top=2)
    text = Path("out.csv").read_bytes()
    assert b"\r" not in text
    found = list(csv.DictReader(text.decode().splitlines()))
    assert list(found[0]) == [
        *("path", "verdict", "label", "index", "score", "synset"),
        *("label_2", "index_2", "score_2", "error_code", "error_message"),
    ]
    for row, result in zip(found, expected(2), strict=False):
        first, second = result.predictions
        assert (row["label"], row["index"]) == (first.label, str(first.index))
        assert (row["label_2"], row["score_2"]) == (second.label, f"{second.score:.6f}")
        assert row["error_code"] == ""
    assert found[-1]["path"] == "gone, really.jpg"
    assert found[-1]["error_message"] == "no file 'gone, really.jpg'"
    assert found[-1]["label"] == found[-1]["score_2"] == ""
    frame = pd.read_csv("out.csv")
    assert frame["index"][1] == ESPRESSO
    assert frame["index"][0] in CATS


def test_csv_of_a_model_with_few_classes_has_as_few_columns() -> None:
    from make_evaluations import grey_model

    grey_model().write("grey.tflite")
    run("out.csv", ["gone.jpg"], model="grey.tflite", top=500)
    header = Path("out.csv").read_text().splitlines()[0].split(",")
    classes = len(grey_model().labels)
    assert header[-3] == f"score_{classes}"


def test_nothing_above_the_threshold() -> None:
    run("out.csv", INPUTS[:1], threshold=1.0)
    run("out.parquet", INPUTS[:1], threshold=1.0)
    [row] = csv.DictReader(Path("out.csv").read_text().splitlines())
    assert (row["verdict"], row["label"], row["score_2"]) == ("unknown", "", "")
    [found] = parquet.read_table("out.parquet").to_pylist()
    assert (found["verdict"], found["label"], found["labels"]) == ("unknown", None, [])


# Columns.


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_columns_choose_and_order(ending: str) -> None:
    columns = ["score_2", "path", "label_2", "error_code", "synset_3"]
    run(f"out.{ending}", columns=columns)
    found = read(f"out.{ending}")
    assert [list(row) for row in found] == [columns] * 4
    for row, result in zip(found, expected(), strict=False):
        assert row["label_2"] == result.predictions[1].label
        assert float(row["score_2"]) == pytest.approx(result.predictions[1].score, abs=1e-6)
        assert row["synset_3"] == result.predictions[2].synset
    assert found[-1]["error_code"] == "image-not-found"


def read(name: str) -> list[dict[str, Any]]:
    if name.endswith(".csv"):
        return list(csv.DictReader(Path(name).read_text("utf-8").splitlines()))
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in Path(name).read_text("utf-8").splitlines()]
    return list(parquet.read_table(name).to_pylist())


def test_lists_and_vectors_as_json() -> None:
    run("out.jsonl", columns=["labels", "scores", "embedding"], embeddings=True)
    found = read("out.jsonl")
    assert found[0]["labels"] == [p.label for p in expected()[0].predictions]
    assert found[0]["scores"] == [round(p.score, 6) for p in expected()[0].predictions]
    vector = np.array(found[0]["embedding"], np.float16)
    assert np.array_equal(vector, embedding(INPUTS[0]).astype(np.float16))
    assert found[-1] == {"labels": None, "scores": None, "embedding": None}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("text", ["list.csv", "lis*"])
def test_columns_of_the_input_table(ending: str, text: str) -> None:
    Path("list.csv").write_text(
        "id,label,path\n" + "".join(f"{i},truth {i},{path}\n" for i, path in enumerate(INPUTS))
    )
    run(f"out.{ending}", [text], columns=["id", "input.label", "label", "path"])
    found = read(f"out.{ending}")
    for i, (row, result) in enumerate(zip(found, expected(), strict=True)):
        assert list(row) == ["id", "input.label", "label", "path"]
        assert str(row["id"]) == str(i)
        assert row["input.label"] == f"truth {i}"
        assert row["label"] == result.predictions[0].label


def test_types_of_carried_columns() -> None:
    table = pa.table(
        {
            "path": INPUTS,
            "whole": [1, None, 2**40],
            "real": [None, 0.5, 2.0],
            "truth": [True, False, None],
            "text": ["é", "", None],
            "nothing": pa.nulls(3),
        }
    )
    parquet.write_table(table, "in.parquet")
    names = ["whole", "real", "truth", "text", "nothing"]
    run("out.parquet", ["in.parquet"], columns=names)
    found = parquet.read_table("out.parquet")
    assert found.schema.types == [pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.string()]
    assert found.to_pylist() == table.select(names).to_pylist()
    run("out.jsonl", ["in.parquet"], columns=names)
    assert read("out.jsonl") == table.select(names).to_pylist()
    run("out.csv", ["in.parquet"], columns=names)
    assert Path("out.csv").read_text().splitlines()[1:] == [
        "1,,true,é,",
        ",0.5,false,,",
        "1099511627776,2.0,,,",
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None], None),
        ([1, None, 2], WHOLE),
        ([1, 0.5], REAL),
        ([0.5, 1], REAL),
        ([True, False], TRUTH),
        ([True, 1], TEXT),
        ([1, "a"], TEXT),
        ([2**63], TEXT),
        ([[1, 2]], TEXT),
    ],
    ids=str,
)
def test_the_type_of_a_column_fits_all_its_values(values: list[Any], expected: str | None) -> None:
    found = None
    for value in values:
        found = type_of(value, found)
    assert found == expected


def test_pictures_within_a_parquet_table() -> None:
    content = [Path(path).read_bytes() for path in INPUTS] + [b"no picture"]
    parquet.write_table(pa.table({"bytes": content, "id": list("abcd")}), "in.parquet")
    shutil.copy(INPUTS[0], "cat.png")
    report = run("out.parquet", ["in.parquet", "cat.png"], columns=["id", "path", "label"])
    assert report.by_code == {"image-unreadable": 1}
    found = parquet.read_table("out.parquet").to_pylist()
    assert [row["id"] for row in found] == [*"abcd", None]
    assert [row["label"] for row in found[:3]] == [r.predictions[0].label for r in expected()]
    assert found[4]["label"] == found[0]["label"]
    assert found[1]["path"] == "in.parquet#1"
    [failed] = read("out.errors.jsonl")
    assert failed["path"] == "in.parquet#3"
    assert "'in.parquet#3' is not a picture" in failed["error"]["message"]


# Embeddings.


def test_json_keeps_every_float16() -> None:
    """All finite values, written with five digits and read again."""
    from whatsit.batch.writing import _numbers

    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = values[np.isfinite(values)]
    back = np.array(json.loads(_numbers(finite.astype(np.float32))), np.float64)
    assert np.array_equal(back.astype(np.float16), finite)
    assert _numbers(np.array([1e6, -np.inf, np.nan], np.float32)) == "[null, null, null]"


def test_a_model_without_an_embedding() -> None:
    import make_models

    Path("m.tflite").write_bytes(make_models.bundle(make_models.pixels(8, 8), 192))
    with pytest.raises(whatsit.ModelUnsupported):
        run("out.jsonl", model="m.tflite", embeddings=True)
    assert not Path("out.jsonl.job").exists()
