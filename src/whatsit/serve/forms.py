"""The pictures in a form (multipart/form-data), parsed as they come and kept in memory alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from . import refusals
from .refusals import Refusal

_MOST_HEADERS = 16
_LONGEST_HEADER = 4096
_LONGEST_NAME = 1024
_LONGEST_BOUNDARY = 200  # RFC 2046 allows 70


@dataclass(frozen=True, slots=True)
class Part:
    """A picture, and the name of its file as the client gave it."""

    name: str | None
    data: bytes = field(repr=False)


class Form:
    """Takes the body of a form in pieces; `parts` gives its pictures once it is whole."""

    def __init__(self, content_type: bytes, most_pictures: int) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
            raise _damaged("its Content-Type names no boundary")
        self._most = most_pictures
        self._parts: list[Part] = []
        self._begun = 0
        self._whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._field,
                "on_header_value": self._value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._more,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
            max_header_count=_MOST_HEADERS,
            max_header_size=_LONGEST_HEADER,
        )
        self._begin_part()

    def feed(self, piece: bytes) -> None:
        """The next piece of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _damaged(str(error)) from error

    def parts(self) -> list[Part]:
        """The pictures. Raises the refusal of a form that ends early, or holds none."""
        if not self._whole:
            raise _damaged("it ends before its last boundary")
        if not self._parts:
            raise Refusal(
                422,
                "wrong-usage",
                "there is no picture in the form",
                expected="one part for each picture",
                hint="curl -F picture=@photo.jpg sends one",
            )
        return self._parts

    def _begin_part(self) -> None:
        self._name, self._content = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._field_name, self._field_value = bytearray(), bytearray()

    def _begin(self) -> None:
        self._begun += 1
        if self._begun > self._most:
            raise refusals.too_many_pictures(self._most)
        self._begin_part()

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._field_name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._field_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[bytes(self._field_name).lower()] = bytes(self._field_value)
        self._field_name, self._field_value = bytearray(), bytearray()

    def _headers_end(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        file_name = options.get(b"filename")
        if disposition != b"form-data" or (file_name is None and not self._says_picture()):
            field_name = options.get(b"name", b"")[:80].decode("utf-8", "replace")
            raise Refusal(
                422,
                "wrong-usage",
                f"the part {field_name!r} of the form is no file",
                expected="pictures alone",
                hint="top, model and the like go into the query: /v1/classify?top=3",
            )
        if file_name is None:
            self._file_name = None
        else:
            self._file_name = file_name[:_LONGEST_NAME].decode("utf-8", "replace")

    def _says_picture(self) -> bool:
        kind = self._headers.get(b"content-type", b"").lower()
        return kind.startswith((b"image/", b"application/octet-stream"))

    def _more(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _end(self) -> None:
        self._parts.append(Part(self._file_name, bytes(self._content)))
        self._content = bytearray()

    def _finish(self) -> None:
        self._whole = True


def _damaged(reason: str) -> Refusal:
    return Refusal(
        400,
        "form-damaged",
        f"the form cannot be read: {reason[:200]}",
        expected="multipart/form-data with a boundary, a part for each picture",
        hint="let the client's library write it: curl -F picture=@photo.jpg",
    )
