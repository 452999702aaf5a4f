"""Where the progress of a release is shown: line after line, or, on a terminal, a view that stays in its place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TextIO

from config.demo.words import IDLE, Row, Tree, coloured, flat, line_of, rows_of

MARGIN = 3  # lines of the terminal that the view leaves free
LATEST = 3  # answers of people that the view shows below the tree


class Lines:
    """Writes a line for whatever begins, waits, settles or is answered; nothing is ever taken back."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began_at = datetime.now(UTC)
        self._seen: dict[tuple[str, int], str] = {}
        self._names: dict[int, str] = {}

    def show(self, tree: Tree) -> None:
        """Write what has changed since the last time."""
        for row in flat(rows_of(tree)):
            if row.key[0] == "activity":
                self._names[row.key[1]] = row.name
            if row.state in IDLE or self._seen.get(row.key) == row.state:
                continue
            self._seen[row.key] = row.state
            if row.kind == "phase" or row.state != "running":
                sign, _, rest = line_of(row, datetime.now(UTC)).partition(" ")
                self._write(sign, [*row.place[:-1], rest])

    def tell(self, run: int, words: str) -> None:
        """Write what somebody did in an activity."""
        self._write(" ", [self._names.get(run, ""), words])

    def close(self) -> None:
        """Nothing is left to do."""

    def _write(self, sign: str, place: Sequence[str]) -> None:
        passed = (datetime.now(UTC) - self._began_at).total_seconds()
        self._out.write(f"{passed:6.1f} s  {sign} {' / '.join(part for part in place if part)}\n")
        self._out.flush()


class View:
    """The whole release in a few lines, drawn anew in its place: phases that run are open, the others closed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colour = not os.environ.get("NO_COLOR")
        self._drawn = 0
        self._told: dict[int, list[str]] = {}
        self._latest: list[str] = []
        self._rows: list[Row] = []

    def show(self, tree: Tree) -> None:
        """Draw the release as it is now."""
        self._rows = rows_of(tree)
        size = shutil.get_terminal_size()
        most = max(1, size.lines - MARGIN - LATEST)
        latest = [(f"    {words}", "") for words in self._latest]
        self._draw([*list(self._lines(self._rows, all_open=False))[:most], *latest], size.columns - 1)

    def tell(self, run: int, words: str) -> None:
        """Note what somebody did in an activity; it is shown with the next drawing."""
        name = next((row.name for row in flat(self._rows) if row.key == ("activity", run)), "")
        self._told.setdefault(run, []).append(words)
        self._latest = [*self._latest, f"{name}: {words}"][-LATEST:]

    def close(self) -> None:
        """Leave the release on the screen with everything open and every answer where it belongs."""
        self._draw(list(self._lines(self._rows, all_open=True)), None)
        self._drawn = 0

    def _lines(self, rows: Sequence[Row], *, all_open: bool, depth: int = 0) -> Iterator[tuple[str, str]]:
        """Yield a line with its state for every row that is to be seen."""
        for row in rows:
            told = self._told.get(row.key[1], ()) if row.key[0] == "activity" else ()
            line = f"{'    ' * depth}  {line_of(row, datetime.now(UTC), told)}"
            if row.kind == "phase":
                line += f"  {sum(inner.is_settled for inner in row.within)} of {len(row.within)}"
            yield line, row.state
            if all_open or not (row.is_settled or row.state in IDLE):
                yield from self._lines(row.within, all_open=all_open, depth=depth + 1)

    def _draw(self, lines: Sequence[tuple[str, str]], width: int | None) -> None:
        up = f"\x1b[{self._drawn}A\r" if self._drawn else ""
        shown = [coloured(text[:width], state) if self._colour else text[:width] for text, state in lines]
        body = "".join(f"{line}\n" for line in shown)
        self._out.write(f"{up}\x1b[J{body}")
        self._out.flush()
        self._drawn = len(lines)


def screen_for(out: TextIO) -> Lines | View:
    """Return the way to show progress on `out`."""
    return View(out) if out.isatty() and os.environ.get("TERM") != "dumb" else Lines(out)
