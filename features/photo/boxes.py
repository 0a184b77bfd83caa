"""The boxes of ISO base media files (AVIF, HEIF) and of JPEG 2000: where a picture lies, its colours."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_CODED = (b"av01", b"hvc1")
"""Pictures compressed by AV1 and HEVC."""


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Type, first and last byte + 1 of what each box holds; ends where it makes no sense any more."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        size = size or end - start
        if size < body - start:
            return
        yield kind, body, start + size
        start += size


class Meta:
    """The box `meta` of a HEIF file: ISO/IEC 14496-12, 8.11, and 23008-12, 9.3.

    Raises:
        struct.error, IndexError: it is not what it should be.
    """

    def __init__(self, data: bytes) -> None:
        meta = next((data[a + 4 : b] for kind, a, b in boxes(data) if kind == b"meta"), b"")
        self._parts = {kind: meta[a:b] for kind, a, b in boxes(meta)}

    def colour_codes(self) -> tuple[int, int] | None:
        """Primaries and transfer of the main picture by ITU-T H.273."""
        main = self._parts.get(b"pitm")
        if main is None or b"iprp" not in self._parts:
            return None
        item = int.from_bytes(main[4 : 8 if main[0] else 6])
        for kind, body in self._properties(item):
            if kind == b"colr" and body[:4] == b"nclx":
                primaries, transfer = struct.unpack_from(">HH", body, 4)
                return primaries, transfer
        return None

    def _properties(self, item: int) -> Iterator[tuple[bytes, bytes]]:
        properties = self._parts[b"iprp"]
        inside = {kind: properties[a:b] for kind, a, b in boxes(properties)}
        every = [(kind, inside[b"ipco"][a:b]) for kind, a, b in boxes(inside[b"ipco"])]
        ipma = inside[b"ipma"]
        wide_item, wide_index = ipma[0] > 0, ipma[3] & 1
        place = 8
        for _ in range(int.from_bytes(ipma[4:8])):
            owner, count = struct.unpack_from(">IB" if wide_item else ">HB", ipma, place)
            place += 5 if wide_item else 3
            indices = struct.unpack_from(f">{count}{'H' if wide_index else 'B'}", ipma, place)
            place += count * (1 + wide_index)
            if owner == item:
                mask = 0x7FFF if wide_index else 0x7F
                yield from (every[(i & mask) - 1] for i in indices if i & mask)

    def pictures(self) -> Iterator[tuple[int, int]]:
        """Where the compressed pictures lie: first byte and size of each part."""
        kinds = dict(self._kinds(self._parts.get(b"iinf", b"\0" * 6)))
        for item, start, size in self._places(self._parts.get(b"iloc", b"\0" * 8)):
            if kinds.get(item) in _CODED:
                yield start, size

    def _kinds(self, iinf: bytes) -> Iterator[tuple[int, bytes]]:
        for kind, a, b in boxes(iinf, 8 if iinf[0] else 6):
            if kind == b"infe" and iinf[a] >= 2:
                wide = iinf[a] > 2
                item = int.from_bytes(iinf[a + 4 : a + (8 if wide else 6)])
                place = a + (10 if wide else 8)
                yield item, iinf[place : min(place + 4, b)]

    def _places(self, iloc: bytes) -> Iterator[tuple[int, int, int]]:
        """Item, first byte and size of each part that lies in the file itself."""
        version, reader = iloc[0], _Reader(iloc, 4)
        sizes = reader.number(2)
        offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        for _ in range(reader.number(4 if version == 2 else 2)):
            item = reader.number(4 if version == 2 else 2)
            is_elsewhere = version > 0 and reader.number(2) & 15
            is_elsewhere = reader.number(2) or is_elsewhere  # which file
            origin = reader.number(base)
            for _ in range(reader.number(2)):
                reader.number(index if version > 0 else 0)
                start, size = origin + reader.number(offset), reader.number(length)
                if not is_elsewhere:
                    yield item, start, size


class _Reader:
    """Whole numbers of any size, one after another."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def number(self, size: int) -> int:
        piece = self._data[self._place : self._place + size]
        if len(piece) < size:
            raise IndexError("a box ends early")
        self._place += size
        return int.from_bytes(piece)
