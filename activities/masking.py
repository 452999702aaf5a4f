"""Keeps secret values out of text that is shown or stored, also when it arrives in pieces. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable

MASK = b"***"
SHORTEST_LINE = 4
"""A line of a secret with several lines is masked by itself from this many characters on; a lone brace is no secret."""


def mask(text: str, values: Iterable[str]) -> str:
    """Returns `text` with every occurrence of any of `values` replaced by three stars."""
    masker = Masker(values)
    return (masker.feed(text.encode(errors="surrogatepass")) + masker.close()).decode(errors="surrogatepass")


class Masker:
    """Masks a stream of bytes: `feed` returns what is safe to show already, `close` the rest.

    Values may overlap and may lie across any number of pieces. A secret with several lines is masked as a whole and
    line by line, because programs print it with prefixes. Only a tail that may begin a value is held back.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._values = needles(values)
        self._longest = max(map(len, self._values), default=0)
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
        covered = 0
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
            covered = max(0, stop - end)
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
        for start in range(max(0, len(held) - self._longest + 1), len(held)):
            tail = held[start:]
            if any(value.startswith(tail) for value in self._values):
                return start
        return len(held)


def needles(values: Iterable[str]) -> list[bytes]:
    """Returns the byte strings to look for: each value, and the longer lines of a value that has several."""
    found: set[bytes] = set()
    for value in values:
        found.add(value.encode(errors="surrogatepass"))
        lines = [line.strip() for line in value.splitlines()]
        if len(lines) > 1:
            found.update(line.encode(errors="surrogatepass") for line in lines if len(line) >= SHORTEST_LINE)
    return sorted(found - {b""})
