"""What is taken out of an archive, and the archives that are refused."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import random
import struct
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable

import make_models
import pytest

from whatsit import ModelDamaged, ModelUnsupported, UsageError, WhatsitError
from whatsit.getting import archives
from whatsit.getting.archives import Unpacked

MODEL = make_models.edges()
LABELS = b"a\nb\n"
Files = dict[str, bytes]


def make_zip(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return stream.getvalue()


def make_tar(files: Files, *others: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in others:
            archive.addfile(member)
    return stream.getvalue()


BOTH = pytest.mark.parametrize("make", [make_zip, make_tar])
Make = Callable[[Files], bytes]


def unpack(data: bytes, member: str | None = None) -> Unpacked:
    kind = archives.kind_of(data[:8])
    assert kind in ("zip", "tgz")
    return archives.unpack(io.BytesIO(data), kind, member=member)


def refusal(data: bytes, member: str | None = None) -> WhatsitError:
    with pytest.raises(WhatsitError) as caught:
        unpack(data, member)
    return caught.value


@BOTH
def test_the_model_and_its_labels_are_found(make: Make) -> None:
    files = {"readme.txt": b"hello", "m/net.tflite": MODEL, "m/net.pb": b"x" * 999}
    assert unpack(make(files)) == Unpacked("m/net.tflite", MODEL)
    found = unpack(make(files | {"m/labels.txt": LABELS}))
    assert found == Unpacked("m/net.tflite", MODEL, "m/labels.txt", LABELS)


@BOTH
@pytest.mark.parametrize(
    "name",
    [
        "labels.txt",
        "./labels.txt",
        "labels_mobilenet_quant_v1_224.txt",
        "imagenet_slim_labels.txt",
        "MyLabels.TXT",
        "net.labels",
        "classes.txt",
    ],
)
def test_labels_go_by_many_names(name: str, make: Make) -> None:
    assert unpack(make({name: LABELS, "net.tflite": MODEL})).labels == LABELS


@BOTH
def test_of_several_labels_the_nearest_are_taken(make: Make) -> None:
    files = {"labels.txt": b"x", "m/net.tflite": MODEL, "m/labels.txt": LABELS}
    assert unpack(make(files)).labels_name == "m/labels.txt"
    assert unpack(make(files)).other_labels == ()
    files["m/labels_long.txt"] = b"c\nd\ne"
    files["m/labels_same.txt"] = b"a\r\nb\r\n\r\n"
    assert unpack(make(files)).labels_name == "m/labels.txt"
    assert unpack(make(files)).other_labels == ()
    files["m/labels_de.txt"] = b"c\nd"
    assert unpack(make(files)).other_labels == ("m/labels_de.txt",)
    same = {"net.tflite": MODEL, "labels_a.txt": LABELS, "labels_b.txt": LABELS}
    assert unpack(make(same)).labels == LABELS


@BOTH
def test_labels_that_cannot_be_told_apart(make: Make) -> None:
    files = {"net.tflite": MODEL, "labels_de.txt": b"c", "labels_en.txt": b"d"}
    found = unpack(make(files))
    assert (found.labels_name, found.other_labels) == ("labels_de.txt", ("labels_en.txt",))


@BOTH
def test_what_macos_adds_is_no_second_model(make: Make) -> None:
    files = {"._net.tflite": b"x", "__MACOSX/net.tflite": b"x", "./net.tflite": MODEL}
    assert unpack(make(files)).model == MODEL


@BOTH
def test_one_of_several_models_is_chosen(make: Make) -> None:
    data = make({"a.tflite": MODEL, "b.tflite": MODEL + b"b", "labels.txt": LABELS})
    error = refusal(data)
    assert isinstance(error, ModelUnsupported)
    assert error.message == "the archive holds 2 models: a.tflite, b.tflite"
    assert error.hint == "--member NAME chooses one"
    assert unpack(data, "b.tflite").model == MODEL + b"b"
    assert unpack(data, "b.tflite").labels == LABELS


@BOTH
def test_a_member_that_is_not_there(make: Make) -> None:
    error = refusal(make({"a.tflite": MODEL, "b.txt": b""}), "c.tflite")
    assert isinstance(error, UsageError)
    assert error.message == "the archive holds no 'c.tflite'"
    assert error.expected == "one of a.tflite, b.txt"


@BOTH
@pytest.mark.parametrize("files", [{}, {"a.pb": b"x"}, {"inner.zip": make_zip({"a.tflite": b"x"})}])
def test_no_model(files: Files, make: Make) -> None:
    error = refusal(make(files))
    assert isinstance(error, ModelUnsupported)
    assert error.message == "the archive holds no .tflite"


@BOTH
def test_a_member_by_the_name_that_the_archive_writes(make: Make) -> None:
    data = make({"./a.tflite": MODEL, "./b.tflite": MODEL + b"b"})
    assert unpack(data, "./b.tflite").model_name == unpack(data, "b.tflite").model_name


def test_names_that_are_no_utf8() -> None:
    data = make_tar({"m\udcff\udcfe.tflite": MODEL, "other.tflite": MODEL})
    assert unpack(data, "m\udcff\udcfe.tflite").model_name == "m\\xff\\xfe.tflite"
    assert "m\\xff\\xfe.tflite" in refusal(data).message


@pytest.mark.parametrize("cut", [1, 30, 60])
def test_messages_speak_of_the_archive(cut: int) -> None:
    data = make_tar({"net.tflite": random.Random(4).randbytes(5000)})
    message = refusal(data[:-cut]).message
    assert "unpack" in message or "end of data" in message
    assert not any(word in message for word in ("buffer", "marker", "decompress"))


# ── dangerous ones ───────────────────────────────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "a/../../evil.txt",
        "/etc/passwd",
        "\\\\server\\share",
        "..\\evil.txt",
        "C:\\evil.txt",
        "c:evil.txt",
        "..",
    ],
)
def test_paths_that_lead_out(name: str, make: Make) -> None:
    error = refusal(make({"net.tflite": MODEL, name: b"x"}))
    assert isinstance(error, ModelDamaged)
    assert "which leads out of its folder" in error.message
    assert repr(name) in error.message


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_in_a_tar(kind: bytes) -> None:
    member = tarfile.TarInfo("labels.txt")
    member.type, member.linkname = kind, "/etc/passwd"
    error = refusal(make_tar({"net.tflite": MODEL}, member))
    assert "'labels.txt' is a link, a device" in error.message


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010666])
def test_links_and_devices_in_a_zip(mode: int) -> None:
    stream = io.BytesIO(make_zip({"net.tflite": MODEL}))
    with zipfile.ZipFile(stream, "a") as archive:
        entry = zipfile.ZipInfo("labels.txt")
        entry.external_attr = mode << 16
        archive.writestr(entry, "/etc/passwd")
    assert "'labels.txt' is a link or a device" in refusal(stream.getvalue()).message


def test_a_sparse_member() -> None:
    member = tarfile.TarInfo("net.tflite")
    member.type = tarfile.GNUTYPE_SPARSE
    assert isinstance(refusal(make_tar({}, member)), ModelDamaged)


@BOTH
def test_a_bomb(make: Make) -> None:
    error = refusal(make({"net.tflite": MODEL, "big.bin": bytes(100_000_000)}))
    assert isinstance(error, ModelDamaged)
    assert "not safe to unpack" in error.message
    assert "unpack to more than" in error.message


@BOTH
def test_what_hardly_shrinks_may_be_large(make: Make) -> None:
    noise = random.Random(1).randbytes(20_000_000)
    assert unpack(make({"net.tflite": MODEL, "net.ckpt": noise})).model == MODEL


@BOTH
def test_too_many_members(make: Make) -> None:
    files = {f"{number}.txt": b"" for number in range(10_001)}
    error = refusal(make({"net.tflite": MODEL} | files))
    assert error.message.endswith("it holds too many files")
    assert error.expected == "at most 10000"


@BOTH
def test_a_model_too_large(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MAX_MODEL_BYTES", len(MODEL) - 1)
    error = refusal(make({"net.tflite": MODEL}))
    assert f"its 'net.tflite' is {len(MODEL)} bytes" in error.message


@BOTH
def test_labels_too_large_together(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is kept until it is known which one belongs to the model."""
    monkeypatch.setattr(archives, "_MAX_LABELS_BYTES", 3 * len(LABELS))
    files = {"net.tflite": MODEL} | {f"{number}/labels.txt": LABELS for number in range(3)}
    assert unpack(make(files)).labels == LABELS
    error = refusal(make(files | {"one/more/labels.txt": b"a"}))
    assert isinstance(error, ModelDamaged)
    assert error.message == "the archive is not safe to unpack: its labels are too large"
    assert error.expected == f"at most {3 * len(LABELS)} bytes"


def test_a_tar_with_an_endless_name() -> None:
    """It would be read into memory before the first member is seen."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 50_000_000
    stream = io.BytesIO(member.tobuf(tarfile.GNU_FORMAT) + bytes(50_000_000))
    assert "a name of 50000000 bytes" in refusal(gzip.compress(stream.getvalue(), 1)).message


def test_many_endless_names_in_a_row() -> None:
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 512
    header = member.tobuf(tarfile.GNU_FORMAT) + bytes(512)
    assert isinstance(refusal(gzip.compress(header * 5000)), ModelDamaged)


def test_a_member_of_less_than_nothing() -> None:
    member = tarfile.TarInfo("net.tflite")
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = tarfile.itn(-1000, 12, tarfile.GNU_FORMAT)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert isinstance(refusal(gzip.compress(bytes(header) + bytes(5000))), ModelDamaged)


@BOTH
def test_the_same_name_twice(make: Make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = refusal(make({"net.tflite": MODEL, "./net.tflite": MODEL}))
    assert "it holds 'net.tflite' twice" in error.message


def test_an_encrypted_zip() -> None:
    data = bytearray(make_zip({"net.tflite": MODEL}, zipfile.ZIP_STORED))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    error = refusal(bytes(data))
    assert error.message == "the archive is encrypted"


def test_a_zip_packed_in_an_unusual_way() -> None:
    error = refusal(make_zip({"net.tflite": MODEL}, zipfile.ZIP_LZMA))
    assert "packs 'net.tflite' in an unusual way" in error.message


def test_a_zip_whose_table_is_longer_than_it_says() -> None:
    data = bytearray(make_zip({"net.tflite": MODEL}))
    place = data.rindex(b"PK\x05\x06")
    struct.pack_into("<L", data, place + 12, 1 << 31)
    assert isinstance(refusal(bytes(data)), ModelDamaged)


def test_a_member_that_is_larger_than_it_says() -> None:
    data = bytearray(make_zip({"net.tflite": MODEL}, zipfile.ZIP_STORED))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(signature) + place, 10)
    assert isinstance(refusal(bytes(data)), ModelDamaged)


# ── broken ones ──────────────────────────────────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_cut_short(part: float, make: Make) -> None:
    data = make({"net.tflite": MODEL, "noise": random.Random(2).randbytes(5000)})
    error = refusal(data[: int(len(data) * part)])
    assert isinstance(error, ModelDamaged)
    assert error.hint == "it is damaged or cut short"


def test_a_wrong_byte_in_a_tar_is_found_by_its_checksum() -> None:
    noise = random.Random(3).randbytes(50_000)  # stored as it is: unpacking itself sees nothing
    data = bytearray(make_tar({"net.tflite": MODEL, "noise": noise}))
    data[len(data) // 2] ^= 1
    assert isinstance(refusal(bytes(data)), ModelDamaged)


def test_a_wrong_byte_of_the_model_in_a_zip() -> None:
    data = bytearray(make_zip({"net.tflite": MODEL}, zipfile.ZIP_STORED))
    data[100] ^= 1
    assert "Bad CRC-32" in refusal(bytes(data)).message


@BOTH
@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_is_our_error_or_none(seed: int, make: Make) -> None:
    chance = random.Random(seed)
    data = bytearray(make({"net.tflite": MODEL, "labels.txt": LABELS, "x": os.urandom(500)}))
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(8, len(data))] = chance.randrange(256)
    with contextlib.suppress(WhatsitError):
        assert unpack(bytes(data)).model_name


@pytest.mark.parametrize("pack", [bytes, lzma.compress, bz2.compress])
def test_other_tars(pack: Callable[[bytes], bytes]) -> None:
    data = pack(gzip.decompress(make_tar({"m/net.tflite": MODEL, "m/labels.txt": LABELS})))
    kind = archives.kind_of(data[: archives.HEAD_BYTES])
    assert kind in ("tar", "txz", "tbz")
    found = archives.unpack(io.BytesIO(data), kind)
    assert found == Unpacked("m/net.tflite", MODEL, "m/labels.txt", LABELS)


@pytest.mark.parametrize("pack", [lzma.compress, bz2.compress])
def test_other_tars_that_swell(pack: Callable[[bytes], bytes]) -> None:
    data = pack(gzip.decompress(make_tar({"net.tflite": bytes(20 << 20)})))
    kind = archives.kind_of(data)
    assert kind in ("txz", "tbz")
    with pytest.raises(ModelDamaged, match="unpack to more than"):
        archives.unpack(io.BytesIO(data), kind)


def test_a_python_without_xz(monkeypatch: pytest.MonkeyPatch) -> None:
    data = lzma.compress(gzip.decompress(make_tar({"net.tflite": MODEL})))
    monkeypatch.setitem(sys.modules, "lzma", None)
    with pytest.raises(ModelUnsupported, match="lzma") as caught:
        archives.unpack(io.BytesIO(data), "txz")
    assert ".tar.gz" in caught.value.expected


def test_a_gzip_that_is_no_tar() -> None:
    assert isinstance(refusal(gzip.compress(b"no tar at all" * 100)), ModelDamaged)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (MODEL[:8], "model"),
        (b"PK\x03\x04....", "zip"),
        (b"\x1f\x8b\x08.....", "tgz"),
        (b"", None),
        (b"<html>..", None),
        (b"PK\x05\x06....", "zip"),
        (b"\xfd7zXZ\0..", "txz"),
        (b"BZh91AY&", "tbz"),
        (bytes(257) + b"ustar\0", "tar"),
    ],
)
def test_kinds_go_by_content(head: bytes, kind: str | None) -> None:
    assert archives.kind_of(head) == kind


def test_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr("builtins.open", lambda *a, **_: opened.append(a))
    unpack(make_zip({"net.tflite": MODEL, "labels.txt": LABELS}))
    unpack(make_tar({"net.tflite": MODEL, "labels.txt": LABELS}))
    assert opened == []
