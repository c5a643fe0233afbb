"""Takes one model and its labels out of a .zip or a .tar, packed or not, in memory.

Nothing is ever written under a name that an archive chose. Still, one that holds a path out of its
folder, a link or a device was made to do harm, or by mistake, and is refused as a whole.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Literal, cast

from ..errors import ModelDamaged, ModelUnsupported, UsageError
from ..wording import utf8

_MAX_MEMBERS = 10_000
_MAX_UNPACKED_BYTES = 4_000_000_000
HEAD_BYTES = 512  # that tell what a file is
_MAX_RATIO = 100  # of what is beyond the first _FREE_BYTES; weights hardly shrink at all
_FREE_BYTES = 16 << 20
_MAX_MODEL_BYTES = 1 << 30
_MAX_LABELS_BYTES = 16 << 20  # of all files of labels together, since each is kept
_MAX_NAMES_BYTES = 1 << 17  # a tar may carry a name of any length before its member
_DRIVE = re.compile(r"[A-Za-z]:")
_LABELS = re.compile(r"label|synset_words|classes", re.IGNORECASE)
_LABELS_SUFFIXES = ("", ".txt", ".names", ".labels")
_EXTENDED = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE} | {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}

try:
    from lzma import LZMAError
except ImportError:  # a Python without it; `_opened` says so
    LZMAError = EOFError  # type: ignore[assignment, misc]

# Damaged; encrypted (RuntimeError); packed in a way that this Python lacks (NotImplementedError).
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    struct.error,
    ValueError,
    RuntimeError,
    NotImplementedError,
)

Kind = Literal["model", "zip", "tar", "tgz", "txz", "tbz"]

_PACKED: dict[bytes, Kind] = {b"\x1f\x8b": "tgz", b"\xfd7zXZ\0": "txz", b"BZh": "tbz"}


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A model and the file of labels that lay with it, if there was one.

    `other_labels` lay as near and say something else, so that nobody can know which are right.
    """

    model_name: str
    model: bytes
    labels_name: str = ""
    labels: bytes | None = None
    other_labels: tuple[str, ...] = ()


@dataclass
class _Find:
    """What the members seen so far amount to. Bytes of a second model are not kept."""

    wanted: str | None
    models: list[str] = field(default_factory=list)
    model: bytes = b""
    labels: dict[str, bytes] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


def kind_of(head: bytes) -> Kind | None:
    """What a file is by its first HEAD_BYTES, whatever its name says."""
    if head[4:8] == b"TFL3":
        return "model"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # the second is of an empty one
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    for start, kind in _PACKED.items():
        if head.startswith(start):
            return kind
    return None


def unpack(file: IO[bytes], kind: Kind, *, member: str | None = None) -> Unpacked:
    """The only model in an archive, or the one called `member`, and its labels.

    Raises ModelDamaged for an archive that is broken or dangerous, ModelUnsupported for one that
    holds no model or several, UsageError for a `member` that is not there.
    """
    member = None if member is None else utf8(member).removeprefix("./")
    find = _Find(member)
    for name, size_bytes, content in members(file, kind):
        try:
            _look_at(find, name, size_bytes, content)
        except BROKEN as error:
            raise _broken(error) from error
    if member is not None and find.models != [member]:
        names = ", ".join(sorted(find.names)[:20])
        raise UsageError(f"the archive holds no {member!r}", expected=f"one of {names}")
    if not find.models:
        raise ModelUnsupported("the archive holds no .tflite", expected="exactly one")
    if len(find.models) > 1:
        raise ModelUnsupported(
            f"the archive holds {len(find.models)} models: {', '.join(find.models[:10])}",
            expected="exactly one",
            hint="--member NAME chooses one",
        )
    labels_name, others = _choose_labels(find.labels, find.models[0])
    labels = find.labels.get(labels_name)
    return Unpacked(find.models[0], find.model, labels_name, labels, others)


def members(
    file: IO[bytes],
    kind: Kind,
    *,
    most: int = _MAX_MEMBERS,
    most_bytes: int = _MAX_UNPACKED_BYTES,
) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Name, size and content of each of at most `most` files, whose names stay below a folder.

    All of them together are at most `most_bytes`.

    Raises ModelDamaged and ModelUnsupported as `unpack` does; what is read of a content may raise
    one of BROKEN.
    """
    try:
        limit = _Limit(most, most_bytes)
        found = _zip(file, limit) if kind == "zip" else _tar(file, kind, limit)
        for name, size_bytes, content in found:
            _check_name(name)
            yield name, size_bytes, content
    except BROKEN as error:
        raise _broken(error) from error


def _look_at(find: _Find, name: str, size_bytes: int, content: IO[bytes]) -> None:
    _check_name(name)
    name = utf8(name).removeprefix("./")
    if name in find.names:
        raise _dangerous(f"it holds {name!r} twice")
    find.names.add(name)
    base = name.rpartition("/")[2]
    if base.startswith("._") or name.startswith("__MACOSX/"):
        return  # what macOS knows of a file, under the file's own ending
    suffix = os.path.splitext(base.lower())[1]
    is_model = name == find.wanted if find.wanted else suffix == ".tflite"
    if is_model:
        find.models.append(name)
        find.model = b""
        if len(find.models) == 1:
            find.model = _content(name, size_bytes, content, _MAX_MODEL_BYTES)
    elif suffix in _LABELS_SUFFIXES and _LABELS.search(base):
        kept_bytes = sum(map(len, find.labels.values()))
        if kept_bytes + size_bytes > _MAX_LABELS_BYTES:
            raise _dangerous("its labels are too large", f"at most {_MAX_LABELS_BYTES} bytes")
        find.labels[name] = _content(name, size_bytes, content, _MAX_LABELS_BYTES)


def _content(name: str, size_bytes: int, content: IO[bytes], most_bytes: int) -> bytes:
    if not 0 <= size_bytes <= most_bytes:  # a tar can say less than nothing
        raise _dangerous(f"its {name!r} is {size_bytes} bytes", f"at most {most_bytes}")
    data = content.read(size_bytes + 1)
    if len(data) != size_bytes:
        raise _broken(f"{name!r} is not of the size that is written")
    return data


def _choose_labels(found: dict[str, bytes], model_name: str) -> tuple[str, tuple[str, ...]]:
    """The labels nearest to the model, or no name, and others that may be meant as well."""
    folder = model_name.rpartition("/")[0]
    near = [name for name in found if name.rpartition("/")[0] == folder] or list(found)
    if not near:
        return "", ()
    plain = [name for name in near if name.rpartition("/")[2] == "labels.txt"]
    chosen = (plain or near)[0]
    lines = {name: [line.strip() for line in found[name].strip().splitlines()] for name in near}
    others = (name for name in near if lines[name] != lines[chosen])
    if plain[:1] == [chosen]:  # by its name it is meant, unless another fits as well
        others = (n for n in others if n in plain or len(lines[n]) == len(lines[chosen]))
    return chosen, tuple(others)


def _check_name(name: str) -> None:
    parts = re.split(r"[/\\]", name)
    drive = any(map(_DRIVE.match, parts))  # Windows takes one in the middle, too
    if not name or "\0" in name or not parts[0] or ".." in parts or drive:
        raise _dangerous(f"it holds the path {name!r}, which leads out of its folder")


@dataclass(frozen=True, slots=True)
class _Limit:
    """What an archive may hold at most."""

    files: int
    unpacked_bytes: int


def _zip(file: IO[bytes], limit: _Limit) -> Iterator[tuple[str, int, IO[bytes]]]:
    packed_bytes = _check_directory(file, limit.files)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        unpacked_bytes = sum(entry.file_size for entry in entries)
        _check_bulk(len(entries), unpacked_bytes, packed_bytes, limit)
        for entry in entries:
            _check_zip_entry(entry)
            if not entry.is_dir():
                with archive.open(entry) as content:
                    yield entry.orig_filename, entry.file_size, content


def _check_directory(file: IO[bytes], most: int) -> int:
    """Refuses a table of contents too long to be read, and returns the size of the file."""
    packed_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(0, packed_bytes - 65_557))  # the last record, behind it a comment at most
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    record = tail[place : place + 22]
    if place < 0 or len(record) < 22:
        raise _broken("its table of contents is missing")
    _, _, _, _, count, table_bytes, _, _ = struct.unpack("<4s4H2LH", record)
    if count > most or table_bytes > most * 512:
        raise _dangerous("it holds too many files", f"at most {most}")
    file.seek(0)
    return packed_bytes


def _check_zip_entry(entry: zipfile.ZipInfo) -> None:
    _check_name(entry.orig_filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _dangerous(f"its {entry.filename!r} is a link or a device")
    if entry.flag_bits & 1:
        raise ModelUnsupported(
            "the archive is encrypted", expected="one without a password", hint="unpack it first"
        )
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelUnsupported(
            f"the archive packs {entry.filename!r} in an unusual way", hint="unpack it first"
        )


class _Member(tarfile.TarInfo):
    """A header of a tar, refused if it announces a name too long to be one."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        if member.type in _EXTENDED and member.size > _MAX_NAMES_BYTES:
            raise _dangerous(f"it holds a name of {member.size} bytes")
        return member


class _Counted:
    """A stream that refuses to give more than the archive may unpack to."""

    def __init__(self, stream: IO[bytes], packed_bytes: int, limit: _Limit) -> None:
        self._stream = stream
        self._packed_bytes = packed_bytes
        self._limit = limit
        self._given_bytes = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._given_bytes += len(data)
        _check_bulk(0, self._given_bytes, self._packed_bytes, self._limit)
        return data


@contextlib.contextmanager
def _stream(file: IO[bytes], kind: Kind) -> Iterator[IO[bytes]]:
    """The bytes of a tar, however it is packed. Raises ModelUnsupported if this Python cannot."""
    if kind == "tar":
        yield file
        return
    try:
        if kind == "txz":
            import lzma

            stream = cast(IO[bytes], lzma.LZMAFile(file))  # noqa: SIM115
        elif kind == "tbz":
            import bz2

            stream = cast(IO[bytes], bz2.BZ2File(file))
        else:
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb"))
    except ImportError as error:
        raise ModelUnsupported(
            f"this Python has no {error.name}, which unpacks such an archive",
            expected="a .zip or .tar.gz",
        ) from error
    with stream:
        yield stream


def _tar(file: IO[bytes], kind: Kind, limit: _Limit) -> Iterator[tuple[str, int, IO[bytes]]]:
    packed_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    with _stream(file, kind) as stream:
        counted = _Counted(stream, packed_bytes, limit)
        source = cast(IO[bytes], counted)  # tarfile only reads from it
        # As a stream, so that each byte is unpacked once, and counted.
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_Member) as archive:
            for count, member in enumerate(archive, 1):
                _check_bulk(count, 0, packed_bytes, limit)
                _check_tar_member(member)
                content = archive.extractfile(member)
                if content is not None:
                    yield member.name, member.size, content
        while counted.read(1 << 16):
            pass  # to the checksum at the end


def _check_tar_member(member: tarfile.TarInfo) -> None:
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _dangerous(f"its {member.name!r} is a link, a device or full of holes")
    _check_name(member.name)


def _check_bulk(count: int, unpacked_bytes: int, packed_bytes: int, limit: _Limit) -> None:
    if count > limit.files:
        raise _dangerous("it holds too many files", f"at most {limit.files}")
    most_bytes = min(limit.unpacked_bytes, _FREE_BYTES + _MAX_RATIO * packed_bytes)
    if unpacked_bytes > most_bytes:
        raise _dangerous(
            f"{packed_bytes} bytes unpack to more than {most_bytes}", f"at most {most_bytes} bytes"
        )


def _dangerous(reason: str, expected: str = "") -> ModelDamaged:
    return ModelDamaged(
        f"the archive is not safe to unpack: {reason}",
        expected=expected,
        hint="if you trust it, unpack it yourself and give the .tflite",
    )


def _broken(reason: str | Exception) -> ModelDamaged:
    # What these say is of the archive; others speak of Python.
    known = isinstance(reason, (str, zipfile.BadZipFile, tarfile.TarError))
    return ModelDamaged(
        f"the archive cannot be read: {(known and str(reason)) or 'its content does not unpack'}",
        hint="it is damaged or cut short",
    )
