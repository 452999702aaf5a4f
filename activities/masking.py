"""Keeps secret values out of text that is shown or stored, also when it arrives in pieces. Standard library only."""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Iterator

MASK = b"***"
SHORTEST_LINE = 4
"""A line of a secret with several lines is masked by itself from this many characters on; a lone brace is no secret."""
SHORTEST_CODED = 5
"""Bytes from which on a secret is masked in base64 too: six letters or more, which stand nowhere by chance."""
WRAPPED_AT, SHORTEST_PIECE = (64, 76), 8
"""Letters of base64 in a line, as programs wrap it, and what is left for the last line to be masked."""
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def mask(text: str, values: Iterable[str]) -> str:
    """Returns `text` with every occurrence of any of `values` replaced by three stars."""
    if not text:
        return text
    masker = Masker(values)
    return (masker.feed(text.encode(errors="surrogatepass")) + masker.close()).decode(errors="surrogatepass")


class Masker:
    """Masks a stream of bytes: `feed` returns what is safe to show already, `close` the rest.

    Values may overlap and may lie across any number of pieces. A secret with several lines is masked as a whole and
    line by line, because programs print it with prefixes. Only a tail that may begin a value is held back.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._values = needles(values)
        self._held = b""
        self._covered = 0
        """How many of the held bytes belong to a value that was found already."""
        self._inside = False
        """Whether the last byte that was let go was masked, so that one run of masked bytes gives one mask."""

    def feed(self, data: bytes) -> bytes:
        """Takes the next bytes; returns what can be let go, masked."""
        if not self._values:
            return data
        held = self._held + data
        return self._let_go(held, self._first_possible_start(held))

    def close(self) -> bytes:
        """Returns what was held back, masked; nothing follows it."""
        return self._let_go(self._held, len(self._held))

    def _let_go(self, held: bytes, end: int) -> bytes:
        shown: list[bytes] = []
        position = 0
        covered = max(0, self._covered - end)
        for start, stop in self._found(held):
            if start >= end:
                break
            if start > position:
                shown.append(held[position:start])
                self._inside = False
            if not self._inside:
                shown.append(MASK)
            self._inside = True
            position = min(stop, end)
            covered = max(covered, stop - end)
        if position < end:
            shown.append(held[position:end])
            self._inside = False
        self._held, self._covered = held[end:], covered
        return b"".join(shown)

    def _found(self, held: bytes) -> list[tuple[int, int]]:
        spans = [(0, self._covered)] if self._covered else []
        for value in self._values:
            start = held.find(value)
            while start >= 0:
                spans.append((start, start + len(value)))
                start = held.find(value, start + 1)
        merged: list[tuple[int, int]] = []
        for start, stop in sorted(spans):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            else:
                merged.append((start, stop))
        return merged

    def _first_possible_start(self, held: bytes) -> int:
        first = len(held)
        for value in self._values:
            begin = value[:1]
            start = held.find(begin, max(0, len(held) - len(value) + 1), first)
            while start >= 0 and not value.startswith(held[start:]):
                start = held.find(begin, start + 1, first)
            first = start if start >= 0 else first
        return first


def needles(values: Iterable[str]) -> list[bytes]:
    """Returns the byte strings to look for: each value as it may be written, and the longer lines of a long one."""
    found: set[bytes] = set()
    for value in values:
        for whole in {value, value.strip()}:
            found.update(_written(whole))
        lines = [line.strip() for line in value.splitlines()]
        if len(lines) > 1:
            found.update(line.encode(errors="surrogatepass") for line in lines if len(line) >= SHORTEST_LINE)
    return sorted(found - {b""})


def _written(value: str) -> Iterator[bytes]:
    """How a value may stand in text: as it is, in JSON, in addresses and in base64."""
    raw = value.encode(errors="surrogatepass")
    yield raw
    for is_plain in (True, False):
        yield json.dumps(value, ensure_ascii=is_plain)[1:-1].encode(errors="surrogatepass")
    for kept in (_PLAIN, _PLAIN | {ord("/")}):
        for shape in ("%%%02X", "%%%02x"):
            quoted = "".join(chr(byte) if byte in kept else shape % byte for byte in raw).encode()
            yield quoted
            yield quoted.replace(b"%20", b"+")
    if len(raw) >= SHORTEST_CODED:
        for coded in _in_base64(raw):
            yield coded
            yield coded.translate(_URL_SAFE)


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """The value in base64 by itself, and the letters that are its alone wherever it stands in something longer."""
    whole = binascii.b2a_base64(raw, newline=False)
    yield whole
    yield whole.rstrip(b"=")
    for width in WRAPPED_AT:
        pieces = (whole[start : start + width] for start in range(0, len(whole), width))
        yield from (piece for piece in pieces if len(piece) >= SHORTEST_PIECE)
    for before in range(3):
        coded = binascii.b2a_base64(bytes(before) + raw, newline=False)
        yield coded[(8 * before + 5) // 6 : 8 * (before + len(raw)) // 6]
