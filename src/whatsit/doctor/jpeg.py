"""Is the compressed data of a JPEG file whole? Decoders guess over damage and do not say so."""

from __future__ import annotations

import re

# ITU-T T.81, table B.1
_SOI, _EOI, _SOS, _DHT = 0xD8, 0xD9, 0xDA, 0xC4
_SEQUENTIAL = (0xC0, 0xC1)  # frames in Huffman code whose scans hold whole blocks
_BETWEEN_SCANS = {_DHT, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}
_FRAMES = set(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC}
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_ZEROS = b"\0" * 64  # 512 bits: hundreds of blocks without any detail, or a hole in the file
_END_OF_BLOCK = 0x00


def damage(data: bytes) -> str:
    """What is broken in the compressed data of a JPEG file that decodes, in words; "" if nothing.

    Found are marks that cannot stand where they do and holes of zeros. Damage that happens to be
    valid code is not: no checksum is there to tell.
    """
    position, frame, scanned = 2, 0, False
    ends_block: dict[int, bool] = {}  # by the number of the table
    while True:
        found = re.compile(rb"\xff+[^\x00\xff]").match(data, position)
        if found is None:
            return "" if not scanned else _after_scan(data, position)
        marker, position = data[found.end() - 1], found.end()
        if marker == _EOI:
            return ""
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2 or position + length > len(data):
            return "a segment is longer than the file"
        segment = data[position + 2 : position + length]
        position += length
        if marker == _DHT:
            ends_block |= _zeros_end_a_block(segment)
        elif marker in _FRAMES:
            frame = marker
        elif marker == _SOS:
            scanned = True
            end = _NEXT_MARKER.search(data, position)
            stop = end.start() if end else len(data)
            if end and data[end.end() - 1] not in {_EOI, _SOS, *_BETWEEN_SCANS}:
                return "a mark in the compressed pixels that cannot stand there"
            # Each component of a scan has its turn in every block.
            if frame in _SEQUENTIAL and not all(ends_block.get(n, True) for n in _tables(segment)):
                hole = data.find(_ZEROS, position, stop)
                if hole >= 0:
                    return f"a hole of zeros at byte {hole:,}"
            position = stop


def _after_scan(data: bytes, position: int) -> str:
    """Of a file whose scan is followed by no mark at all."""
    return "" if position >= len(data) else "a mark in the compressed pixels that leads nowhere"


def _tables(scan: bytes) -> list[int]:
    """The numbers of the tables of details that the components of a scan are coded by."""
    count = scan[0] if scan else 0
    return [selector & 15 for selector in scan[2 : 2 + 2 * count : 2]]


def _zeros_end_a_block(segment: bytes) -> dict[int, bool]:
    """For each Huffman table of details: whether a code of zeros only ends the block.

    Where it does, a flat area may well be compressed to zeros.
    """
    found, position = {}, 0
    while position + 17 <= len(segment):
        kind, counts = segment[position], segment[position + 1 : position + 17]
        symbols = segment[position + 17 : position + 17 + sum(counts)]
        if kind >> 4 == 1 and symbols:
            found[kind & 15] = symbols[0] == _END_OF_BLOCK
        position += 17 + sum(counts)
    return found
