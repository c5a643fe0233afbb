"""The app's reading of bundles says of every file what Python says: the same facts or refusal."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import flatbuffers
import make_models
import numpy as np
import pytest
from js import WEB, Js, JsCrash, JsError, JsMap
from make_models import Spec

import whatsit
from whatsit import Bundle, Labels, _metadata, _taps, zoo
from whatsit._flatbuffer import pack_list, pack_model, pack_string, pack_table, read_model
from whatsit._metadata import Metadata

SHARED = Path(__file__).parents[2] / "shared" / "models"
IMAGE = Spec("image", (1, 8, 8, 3), "uint8", quantization=(1 / 255, 0))
FLOATS = Spec("image", (1, 8, 6, 3), "float32")
SCORES = Spec("scores", (1, 2), "float32")
GRAPH = make_models.edges(IMAGE, SCORES)
TWO = {"labels.txt": b"cat\ndog\n"}


def metadata(
    mean: tuple[float, ...] = (), std: tuple[float, ...] = (), labels: str | None = "labels.txt"
) -> Metadata:
    return Metadata("n", "d", "v1", "a", "MIT", mean=mean, std=std, labels_file=labels)


def foreign(
    graph: bytes = GRAPH,
    files: Mapping[str, bytes] = TWO,
    about: Metadata | None = None,
) -> bytes:
    return _metadata.write(graph, about or metadata(), files)


def edges(source: Spec = IMAGE, target: Spec = SCORES, **counts: int) -> bytes:
    return foreign(make_models.edges(source, target, **counts), about=metadata((0.5,), (2.0,)))


def recorded(record: str | bytes, labels: bytes = b"cat\ndog\n") -> bytes:
    """A model with this whatsit.json."""
    content = record if isinstance(record, bytes) else record.encode()
    return foreign(files={"labels.txt": labels, "whatsit.json": content})


def classes(**parts: object) -> bytes:
    """A model whose record has these classes."""
    record = {"format": 1, "classes": {"names": ["cat", "dog"], **parts}}
    return recorded(json.dumps(record))


def by_python(data: bytes, name: str) -> dict[str, Any]:
    try:
        bundle = Bundle.from_bytes(data, name)
    except whatsit.WhatsitError as error:
        return refusal(error)
    about = asdict(bundle.metadata)
    about["labelsFile"] = about.pop("labels_file")
    output = asdict(bundle.output)
    output["zeroPoint"] = output.pop("zero_point")
    return {
        "name": name,
        "input": plain(asdict(bundle.input)),
        "output": output,
        "labels": plain({**asdict(bundle.labels), "tree": dict(bundle.labels.tree)}),
        "rule": str(bundle.preprocess),
        "metadata": plain(about),
        "record": bundle.record,
        "notes": list(bundle.notes),
    }


def refusal(error: Any) -> dict[str, Any]:
    return {key: getattr(error, key) for key in ("code", "message", "expected", "hint")}


def plain(value: Any) -> Any:
    """With lists for tuples."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def by_js(js: Js, data: bytes | Path, name: str) -> dict[str, Any]:
    try:
        bundle = js.keep("core/bundle.js", "readBundle", data, name)
    except JsError as error:
        return refusal(error)
    parts = ("name", "input", "output", "labels", "metadata", "record", "notes")
    facts = {part: bundle.get(part) for part in parts}
    rule = js("core/rule.js", "ruleText", bundle.get("preprocess"))
    bundle.drop()
    return {**facts, "rule": rule}


def check(js: Js, data: bytes, name: str = "m") -> dict[str, Any]:
    """Both say the same of `data`; what they say."""
    expected = by_python(data, name)
    assert by_js(js, data, name) == expected
    return expected


def check_code(js: Js, data: bytes) -> bool:
    """Both take `data` or refuse it with the same code; whether the words are the same too."""
    expected, found = by_python(data, "m"), by_js(js, data, "m")
    assert found.get("code") == expected.get("code"), (expected, found)
    if "code" not in expected:
        assert found == expected
    return found == expected


# ── the bridge ───────────────────────────────────────────────────────────────────────────────


def test_the_bridge_carries_values_and_errors(js: Js) -> None:
    kept = js.new("core/errors.js", "WhatsitError", "a-code", "no \ud800 'x'", {"hint": "h"})
    assert kept.call("toJSON") == {
        "code": "a-code", "message": "no \ud800 'x'", "expected": "", "hint": "h",
    }  # fmt: skip
    assert kept.keep("about", "it").get("message") == "it: no \ud800 'x'"
    floats = js("core/errors.js", "WhatsitError.from", {"code": np.float32([0.5, np.nan])})
    assert floats["code"].dtype == np.float32
    np.testing.assert_array_equal(floats["code"], [0.5, np.nan])
    with pytest.raises(JsCrash, match="no such"):
        js("core/errors.js", "no such")


def test_an_error_survives_the_way_between_worker_and_page(js: Js) -> None:
    error = js.new("core/errors.js", "WhatsitError", "c", "m", {"expected": "e", "hint": "h"})
    again = js.keep("core/errors.js", "WhatsitError.from", error.call("toJSON"))
    assert again.call("toJSON") == error.call("toJSON")


@pytest.mark.parametrize(
    "text",
    ["cat", "it's", 'a "b"', "it's \"b\"", "back\\slash", "a\nb\tc\r\0", "é€😀", "\x7f\xa0\xad",
     "\u200b\u2028\u3000\ufeff\ue000", "\ud800", "\U000e0001"],
)  # fmt: skip
def test_text_is_quoted_as_python_quotes_it(js: Js, text: str) -> None:
    assert js("core/repr.js", "repr", text) == repr(text)


@pytest.mark.parametrize(
    "values",
    [[0.0, -0.0, 1.0, 127.5, 0.1], [1e15, 1e16, 1.5e16, 1e22, 1e-4, 1e-5, 2.5e-7],
     [float("nan"), float("inf"), -float("inf")]],
)  # fmt: skip
def test_floats_are_written_as_python_writes_them(js: Js, values: list[float]) -> None:
    assert js("core/repr.js", "reprFloats", values) == repr(values)


def test_bytes_are_quoted_as_python_quotes_them(js: Js) -> None:
    for content in (bytes(range(256)), b"it's", b"plain"):
        assert js("core/repr.js", "reprBytes", content) == repr(content)


# ── what is read ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", zoo.catalogue())
def test_built_in_models(js: Js, name: str) -> None:
    path = Path(zoo.__file__).parent / f"{name}.tflite"
    expected = by_python(path.read_bytes(), name)
    assert expected["output"]["classes"] == 1000
    assert by_js(js, path, name) == expected


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/models")
def test_models_of_others(js: Js) -> None:
    said = {path.stem: check(js, path.read_bytes(), path.stem) for path in SHARED.glob("*.tflite")}
    assert any("code" in facts for facts in said.values())
    assert any("record" in facts for facts in said.values())


GOOD = [
    foreign(),
    edges(FLOATS),
    foreign(make_models.edges(FLOATS), about=metadata((1.0, 2.0, 3.0), (4.0, 0.1, -6.0))),
    edges(target=Spec("scores", (1, 2), "uint8", quantization=(1 / 256, 3))),
    edges(target=Spec("scores", (1, 1, 1, 2), "float32")),
    foreign(files={"labels.txt": "\ufeffcat\r\ndog\r\n".encode()}),
    foreign(files={"labels.txt": " cat\u3000\n\x1fdog\x85\ufeff".encode()}),
    foreign(files={"labels.txt": b"cat\ncat\n"}),
    foreign(files={"labels.txt": b"\n\n"}),
    foreign(files={"a b/é.txt": b"x", **TWO}),
    make_models.bundle(make_models.pixels(2, 2), 12),
    recorded('{"format": 1, "preprocess": "crop(0.8, box)", "x": [1e3, -Infinity, -0.5E-2]}'),
    recorded('{"format": 1, "a": Infinity, "b": {"\\n\\u00e9": [], "d": [true]} , "e": {}}'),
    recorded('{"format": 1.0, "a": "\\ud83d\\ude00", "10": 1, "2": {"__proto__": []}}'),
    recorded('{"format": true, "preprocess": null}'),
    recorded("\ufeff" + '{"format": 1}'),
    classes(source="s", synsets=["n1", "n2"], lemmas=[["a"], "bc"], parents=[3, None]),
    classes(tree={"é": ["x", None], "b": "yz", "7": [1, {}]}),
]  # fmt: skip


@pytest.mark.parametrize("data", GOOD)
def test_models_that_can_be_run(js: Js, data: bytes) -> None:
    assert "record" in check(js, data)


def test_a_record_may_hold_what_is_no_number(js: Js) -> None:
    data = recorded('{"format": 1, "x": [NaN, "NaN"]}')
    number, text = by_js(js, data, "m")["record"]["x"]
    assert text == "NaN"
    assert np.isnan(number)


def test_imagenet_with_background(js: Js) -> None:
    names = [*(f"c{index}" for index in range(999)), "c7", "crane (9)"]
    target = Spec("scores", (1, 1001), "uint8", quantization=(1 / 256, 0))
    files = {"labels.txt": "\n".join(names).encode()}
    assert "record" in check(js, foreign(make_models.edges(IMAGE, target), files))
    files = {"labels.txt": "\n".join(names[1:]).encode()}
    said = check(js, foreign(make_models.edges(IMAGE, target), files))
    assert said["hint"] == "the first class of such models is 'background'"


def test_labels_know_what_lies_below_a_node(js: Js) -> None:
    labels = zoo.open_builtin("efficientnet-lite0-int8").labels
    ours = js.keep("core/labels.js", "Labels.fromJSON", labels.to_json())
    below = {node: indices.tolist() for node, indices in labels.below.items()}
    assert ours.get("below") == below
    assert ours.call("ancestors", 281) == labels.ancestors(281)
    assert ours.call("synset", 281) == labels.synset(281)
    plain_labels = js.keep("core/labels.js", "Labels.fromLines", "a\nb")
    assert (plain_labels.get("below"), plain_labels.call("synset", 0)) == ({}, None)


def test_trees_with_a_circle_end_and_too_deep_ones_are_refused(js: Js) -> None:
    circle = {"names": ["a"], "parents": ["x"], "tree": {"x": ["x", "y"], "y": ["y", "x"]}}
    assert js.keep("core/labels.js", "Labels.fromJSON", circle).call("ancestors", 0) == ["x", "y"]
    deep = {f"n{i}": [f"n{i}", f"n{i + 1}"] for i in range(200)}
    labels = {"names": ["it's"], "parents": ["n0"], "tree": deep}
    with pytest.raises(whatsit.ModelUnsupported) as expected:
        Labels.from_json(labels).ancestors(0)
    with pytest.raises(JsError) as found:
        js.keep("core/labels.js", "Labels.fromJSON", labels).get("below")
    assert refusal(found.value) == refusal(expected.value)


# ── what is refused ──────────────────────────────────────────────────────────────────────────


BAD = [
    b"",
    b"TFL",
    b"\0\0\0\0TFL3",
    b"%PDF-1.7 no model at all",
    GRAPH,
    foreign(about=metadata(labels=None)),
    foreign(about=metadata(labels="it's not there.txt")),
    foreign(files={"labels.txt": b"cat\ndog\nemu\n"}),
    foreign(files={"labels.txt": b"cat\n\xffdog\n"}),
    foreign(files={"labels.txt": b"cat\ndog\xc3"}),
    foreign(files={"labels.txt": b"cat\n\xed\xa0\x80\n"}),
    edges(inputs=2),
    edges(inputs=0),
    edges(outputs=2),
    edges(Spec("image", (1, 3, 8, 8), "float32")),
    edges(Spec("image", (1, 8, 8, 1), "uint8")),
    edges(Spec("image", (2, 8, 8, 3), "uint8")),
    edges(Spec("image", (8, 8, 3), "uint8")),
    edges(Spec("image", (1, 0, 8, 3), "uint8")),
    edges(Spec("image", (1, 8, 4097, 3), "uint8")),
    edges(Spec("image", (1, 8, 8, 3), "int8")),
    edges(target=Spec("scores", (1, 2), "int8")),
    edges(target=Spec("scores", (1, 2), "uint8")),
    edges(target=Spec("scores", (1, 2), "uint8", quantization=(float("inf"), 0))),
    edges(target=Spec("scores", (2, 2), "float32")),
    edges(target=Spec("scores", (1, 0), "float32")),
    edges(target=Spec("scores", (), "float32")),
    foreign(make_models.edges(FLOATS)),
    foreign(make_models.edges(FLOATS), about=metadata((0.0,), (0.0,))),
    foreign(make_models.edges(FLOATS), about=metadata((float("nan"),), (1e10,))),
    foreign(make_models.edges(FLOATS), about=metadata((127.5, 1e20), (0.1, 2.0))),
    foreign(make_models.edges(FLOATS), about=metadata((1.0,), ())),
    recorded("[]"),
    recorded("{}"),
    recorded('{"format": 2}'),
    recorded('{"format": "1"}'),
    recorded(""),
    recorded("{"),
    recorded('{"format": 1'),
    recorded('{"format": 1} x'),
    recorded('{"format" 1}'),
    recorded("{'format': 1}"),
    recorded('{"format": 1 2}'),
    recorded('{"é😀": [1, 2 3]}'),
    recorded('{"a":\n "b\nc"}'),
    recorded('{"a": "b'),
    recorded('{"a": "\\x"}'),
    recorded('{"a": "\\u12g4"}'),
    recorded('{"a": nan}'),
    recorded('{"a": 01}'),
    recorded('{"a": -}'),
    recorded('{"format": 1, "a": "it\'s \\ud800 half"}'),
    recorded('{"format": 1, "\\udc00\\ud800": [1, "é", {"b": null}]}'),
    recorded(b'"\\uD83D"'),
    recorded('{"format": 1, "preprocess": "fold(\'a\')"}'),
    recorded('{"format": 1, "preprocess": ["crop"]}'),
    recorded('{"format": 1, "preprocess": 7}'),
    recorded('{"format": 1, "classes": []}'),
    recorded('{"format": 1, "classes": null}'),
    recorded('{"format": 1, "classes": {}}'),
    classes(names=["cat", "dog "]),
    classes(names=["cat"]),
    classes(names="ab"),
    classes(names=None),
    classes(names=5),
    classes(names={"cat": 1, "dog": 2, "emu": 3}),
    classes(synsets=["n1"]),
    classes(synsets=True),
    classes(lemmas=[1, 2]),
    classes(parents=["x"] * 3),
    classes(tree=[]),
    classes(tree="it's"),
    classes(tree={"a": ["x"]}),
    classes(tree={"a": "xyz"}),
    classes(tree={"a": None}),
    classes(tree={"a": 5}),
]  # fmt: skip


@pytest.mark.parametrize("data", BAD)
@pytest.mark.parametrize("name", ["m", "it's"])
def test_models_that_cannot_be_run(js: Js, data: bytes, name: str) -> None:
    said = check(js, data, name)
    assert "record" not in said
    assert repr(name) in said["message"]


def test_a_record_that_is_no_utf8_or_too_deep(js: Js) -> None:
    for record in (b'{"format": 1, "a": "\xff"}', b'{"format": 1, "a": ' + b"[" * 100_000):
        check_code(js, recorded(record))
    deep = b'{"format": 1, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    check_code(js, recorded(deep))


def test_several_files_of_labels(js: Js) -> None:
    """The one without a locale counts, and of several the first by their characters."""
    layouts = [
        [("b.txt", ""), ("a.txt", "")],
        [("a.txt", "de"), ("b.txt", "")],
        [("b.txt", "de"), ("a.txt", "fr")],
        [("\ufffd.txt", ""), ("😀.txt", "")],
        [("ab.txt", ""), ("a", "")],
    ]
    for layout in layouts:
        files = {name: f"{name}1\n{name}2\n".encode() for name, _ in layout}
        data = foreign(files=files, about=metadata(labels=layout[0][0]))
        check(js, translated(data, layout))


def translated(data: bytes, layout: list[tuple[str, str]]) -> bytes:
    """The model with these (name, locale) as the files of its labels."""
    builder = flatbuffers.Builder(1024)
    files = [
        pack_table(
            builder, 5, {0: pack_string(builder, name), 3: pack_string(builder, locale)}, {2: 2}
        )
        for name, locale in layout
    ]
    output = pack_table(builder, 7, {6: pack_list(builder, files)})
    graph = pack_table(builder, 9, {3: pack_list(builder, [output])})
    builder.Finish(pack_table(builder, 8, {3: pack_list(builder, [graph])}), b"M001")
    model = read_model(data)
    model.buffers[model.metadata[0].buffer].data = np.frombuffer(builder.Output(), np.uint8)
    archive = data[data.index(b"PK\3\4") :]
    return pack_model(model) + archive


# ── archives ─────────────────────────────────────────────────────────────────────────────────


def archived(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    """A model with metadata, and behind it what `write` puts into an archive."""
    model = read_model(foreign())
    stream = io.BytesIO(pack_model(model))
    with zipfile.ZipFile(stream, "a") as archive:
        write(archive)
    return stream.getvalue()


def labels_first(archive: zipfile.ZipFile) -> None:
    archive.writestr("labels.txt", "cat\ndog\n")


def deflated(archive: zipfile.ZipFile) -> None:
    archive.writestr("labels.txt", "cat\ndog\n", zipfile.ZIP_DEFLATED)


def bomb(archive: zipfile.ZipFile) -> None:
    labels_first(archive)
    archive.writestr("bomb", bytes(17 << 20), zipfile.ZIP_DEFLATED)


def folder(archive: zipfile.ZipFile) -> None:
    archive.writestr("labels.txt/", "")
    labels_first(archive)
    archive.writestr("é😀.txt", "x")
    archive.comment = b"a comment"


def zip64(archive: zipfile.ZipFile) -> None:
    with archive.open("labels.txt", "w", force_zip64=True) as file:
        file.write(b"cat\ndog\n")


def nothing(archive: zipfile.ZipFile) -> None:
    return None


@pytest.mark.parametrize("write", [labels_first, deflated, bomb, folder, zip64, nothing])
def test_archives_of_others(js: Js, write: Callable[[zipfile.ZipFile], None]) -> None:
    data = archived(write)
    check(js, data)
    check(js, data + b"PK")
    check(js, data + bytes(1 << 16))


def test_archives_that_count_from_their_own_start(js: Js) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        labels_first(archive)
    model = pack_model(read_model(foreign()))
    assert "record" in check(js, model + stream.getvalue())


@pytest.mark.parametrize(
    ("before", "place", "value"),
    [
        (b"PK\1\2", 6, b"\x40"),  # a version to come
        (b"PK\1\2", 8, b"\x01"),  # encrypted
        (b"PK\1\2", 8, b"\x20"),  # patched
        (b"PK\1\2", 9, b"\x08"),  # a name in UTF-8
        (b"PK\1\2", 10, b"\x01"),  # shrunk
        (b"PK\1\2", 10, b"\x08"),  # deflated, which it is not
        (b"PK\1\2", 16, b"\0\0\0\0"),  # CRC
        (b"PK\1\2", 20, b"\x04\0\0\0"),  # packed size
        (b"PK\1\2", 20, b"\xff\xff\xff\x7f"),
        (b"PK\1\2", 20, b"\xff\xff\xff\xff"),
        (b"PK\1\2", 24, b"\xff\xff\xff\xff"),  # size
        (b"PK\1\2", 24, b"\0\0\0\0"),
        (b"PK\1\2", 28, b"\0\0"),  # length of the name
        (b"PK\1\2", 28, b"\xff\xff"),
        (b"PK\1\2", 30, b"\x08\0"),  # length of the extra field
        (b"PK\1\2", 42, b"\0\0\0\0"),  # position
        (b"PK\1\2", 42, b"\xff\xff\xff\xff"),
        (b"PK\1\2", 46, b"it's\xe9"),  # name
        (b"PK\1\2", 46, b"\0"),
        (b"PK\3\4", 0, b"PK\3\5"),
        (b"PK\3\4", 7, b"\x08"),
        (b"PK\3\4", 26, b"\xff\xff"),
        (b"PK\3\4", 28, b"\xff\xff"),
        (b"PK\3\4", 30, b"it's\xff\n"),
        (b"PK\3\4", 40, b"c"),
        (b"PK\5\6", 12, b"\xff\xff\xff\xff"),  # size of the directory
        (b"PK\5\6", 12, b"\0\0\0\0"),
        (b"PK\5\6", 16, b"\0\0\0\0"),  # its position
        (b"PK\5\6", 16, b"\xff\xff\xff\xff"),
        (b"PK\5\6", 20, b"\x01"),  # a comment to come
    ],
)  # fmt: skip
def test_damaged_archives(js: Js, before: bytes, place: int, value: bytes) -> None:
    data = bytearray(archived(labels_first))
    start = data.index(before) + place
    data[start : start + len(value)] = value
    check_code(js, bytes(data))


@pytest.mark.parametrize(("disk", "disks"), [(0, 1), (0, 2), (1, 1)])
def test_the_locator_of_a_large_archive(js: Js, disk: int, disks: int) -> None:
    data = archived(labels_first)
    end = data.index(b"PK\5\6")
    locator = struct.pack("<4sLQL", b"PK\6\7", disk, 0, disks)
    said = by_js(js, data[:end] + locator + data[end:], "m")
    assert said["code"] == "model-damaged"
    if (disk, disks) != (0, 1):
        assert said["message"].endswith("zipfiles that span multiple disks are not supported")


def test_an_extra_field_that_is_damaged(js: Js) -> None:
    for extra in (b"\1\0\x08\0abc", b"\x75\x70\xff\xff", b"\1\0\0\0", b"abc"):
        info = zipfile.ZipInfo("labels.txt")
        info.extra = extra
        check(js, archived(lambda archive, info=info: archive.writestr(info, b"cat\ndog\n")))


@pytest.mark.parametrize("base", [0, 1001])
def test_archives_are_written_as_python_writes_them(js: Js, base: int) -> None:
    files = {"labels.txt": b"cat\ndog\n", "a/é😀.txt": bytes(range(256)) * 5, "empty": b""}
    expected = _metadata._append_files(bytes(base), files)[base:]
    written = js("core/zip.js", "storedZip", JsMap(files), base)
    assert written.tobytes() == expected
    again = js("core/zip.js", "appendedFiles", bytes(base) + expected)
    assert not again["compressed"]
    assert {name: content.tobytes() for name, content in again["files"].items()} == files


# ── damage ───────────────────────────────────────────────────────────────────────────────────


def small() -> bytes:
    """A whole bundle of a few kilobytes, with every part that the built-in ones have."""
    labels = Labels(
        names=("cat", "dog"), synsets=("n1", "n2"), parents=("a", "a"), tree={"a": ("a", None)}
    )
    made = Bundle.create(
        make_models.edges(FLOATS), name="m", labels=labels, preprocess="crop", mean=1.0, std=2.0,
        facts={"origin": {"é": [1, 2.5, None]}}, license_text="free",
    )  # fmt: skip
    return made.data


def damages(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Copies with one to four places overwritten, at times with what positions are made of."""
    chance = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(copy))
            values = (
                bytes([chance.randrange(256)]),
                b"\0" * 4,
                b"\xff" * 4,
                b"\x7f",
                b"\0\0\0\x80",
            )
            value = chance.choice(values)
            copy[place : place + len(value)] = value
        yield bytes(copy)


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_is_refused_or_read_as_by_python(js: Js, seed: int) -> None:
    same = [check_code(js, copy) for copy in damages(small(), seed, 150)]
    assert np.mean(same) > 0.97  # the others have damaged names in messages of zipfile


def test_random_damage_of_the_archive(js: Js) -> None:
    data = small()
    start = data.index(b"PK\1\2")
    same = [check_code(js, data[:start] + tail) for tail in damages(data[start:], 9, 150)]
    assert np.mean(same) > 0.9


def test_a_model_cut_anywhere(js: Js) -> None:
    data = small()
    for length in [*range(0, 64), *range(64, len(data), 23)]:
        check(js, data[:length])


def test_hostile_lists_end_soon(js: Js) -> None:
    """A million inputs that are one tensor; a tensor whose shape has a million sides."""
    model = read_model(foreign())
    graph = model.subgraphs[0]
    graph.inputs = np.zeros(1_000_000, np.int32)
    check(js, pack_model(model))
    graph.tensors[0].shape = np.ones(1_000_000, np.int32)
    check(js, pack_model(model))


def test_a_list_named_by_many_tables_is_read_so_often_only(js: Js) -> None:
    """A thousand inputs of one shape, which has a million sides."""
    builder = flatbuffers.Builder(1 << 23)
    shape = builder.CreateNumpyVector(np.ones(1_000_000, np.int32))
    tensors = [pack_table(builder, 8, {0: shape}) for _ in range(1000)]
    inputs = builder.CreateNumpyVector(np.arange(1000, dtype=np.int32))
    graph = pack_table(builder, 5, {0: pack_list(builder, tensors), 1: inputs})
    data = finished(builder, graph)
    said = by_js(js, data, "m")
    assert said["code"] == "model-damaged"
    assert said["message"].endswith("tables cannot be read: the file is damaged or cut short")


def test_a_long_name_of_many_tables_is_no_work(js: Js) -> None:
    builder = flatbuffers.Builder(1 << 22)
    entry = pack_table(builder, 2, {0: pack_string(builder, "x" * 1_000_000)})
    graph = pack_table(builder, 5, {})
    check(js, finished(builder, graph, pack_list(builder, [entry] * 100)))


def finished(builder: flatbuffers.Builder, graph: int, entries: int | None = None) -> bytes:
    """A model of one subgraph and these entries of metadata."""
    parts = {2: pack_list(builder, [graph])} | ({} if entries is None else {6: entries})
    builder.Finish(pack_table(builder, 8, parts), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_more_than_a_gibibyte_is_not_looked_at(js: Js) -> None:
    with pytest.raises(JsError) as caught:
        js("core/bundle.js", "readBundle", {"length": (1 << 30) + 1}, "it's")
    assert caught.value.code == "model-damaged"
    assert caught.value.message == 'the model "it\'s" is no file, or one of more than 1 GiB'


def test_millions_of_empty_labels_are_counted_only(js: Js) -> None:
    said = by_js(js, foreign(files={"labels.txt": b"\n" * (8 << 20)}), "m")
    assert said["message"] == "model 'm': it gives 2 scores but names 8388608 classes"
    assert said["code"] == "model-unsupported"


# ── taps ─────────────────────────────────────────────────────────────────────────────────────


def outcome(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (whatsit.WhatsitError, JsError) as error:
        return refusal(error)


def info(value: Any) -> Any:
    if not isinstance(value, _metadata.TensorInfo):
        return value
    return {
        "name": value.name, "shape": list(value.shape), "dtype": value.dtype,
        "scale": value.scale, "zeroPoint": value.zero_point,
        "severalScales": value.several_scales,
    }  # fmt: skip


def check_taps(js: Js, data: bytes, index: int) -> bool:
    """Both give the same bytes, tensor or refusal; whether they gave bytes."""
    expected = outcome(lambda: _taps.tapped(data, index))
    found = outcome(lambda: js("core/taps.js", "tapped", data, index))
    assert (found.tobytes() if isinstance(found, np.ndarray) else found) == expected
    known = outcome(lambda: _taps.tensor_info(data, index))
    assert outcome(lambda: js("core/taps.js", "tensorInfo", data, index)) == info(known)
    return isinstance(expected, bytes)


@pytest.mark.parametrize("tail", [b"", b"!"], ids=["as it is", "an odd length"])
def test_taps_are_written_as_python_writes_them(js: Js, tail: bytes) -> None:
    about = metadata((127.0,), (128.0,))
    whole = _metadata.write(make_models.forked(), about, {"labels.txt": b"a\nb\n"}) + tail
    assert [index for index in range(-1, 9) if check_taps(js, whole, index)] == [2, 4]
    for length in range(0, len(make_models.forked()), 41):
        check_taps(js, make_models.forked()[:length], 2)


def test_the_embedding_of_the_default_model(js: Js) -> None:
    bundle = zoo.open_builtin("efficientnet-lite0-int8")
    assert [index for index in (0, 162, 163) if check_taps(js, bundle.data, index)] == [162, 163]


def test_the_steps_of_a_tensor(js: Js) -> None:
    for scale in (None, 0.0, -1.0, float("nan"), float("inf"), 0.5):
        for several in (False, True):
            tensor = _metadata.TensorInfo("t", (1, 2), "int8", scale, 3, several)
            steps = js("core/metadata.js", "stepsOf", info(tensor))
            assert steps == (None if tensor.steps is None else list(tensor.steps))


# ── the modules themselves ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", sorted(WEB.glob("core/*.js")), ids=lambda path: path.name)
def test_modules_run_everywhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    imports = [line for line in text.splitlines() if line.startswith(("import ", "} from"))]
    assert all('"./' in line or line.endswith("{") for line in imports)
    assert "document." not in text or path.name == "picture.js"
