"""The no-op activity of every benchmark: read the clock twice and append one short line to a file.

Lines this short are appended atomically, so any process may write them; all timings come from these lines.
"""

from __future__ import annotations

import os
import statistics
import time
from itertools import pairwise
from pathlib import Path

VARIABLE = "PILOTHOUSE_BENCH_MARKS"
_descriptors: dict[str, int] = {}


def mark(run: object) -> None:
    """Do the no-op of `run` and note when it started and ended, in nanoseconds."""
    started = time.time_ns()
    path = os.environ[VARIABLE]
    if path not in _descriptors:
        _descriptors[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(_descriptors[path], f"{run} {started} {time.time_ns()}\n".encode())


class Marks:
    """The file of marks, as the driver reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.environ[VARIABLE] = str(path)
        self.reset()

    def reset(self) -> None:
        """Forget every mark; files stay open elsewhere, so the file is emptied, not replaced."""
        with self.path.open("w"):
            pass

    def read(self) -> list[tuple[int, int]]:
        """Return (start, end) of every mark in nanoseconds, by start."""
        lines = self.path.read_text().split("\n")
        return sorted((int(parts[1]), int(parts[2])) for line in lines if len(parts := line.split()) == 3)

    def wait(self, count: int, seconds: float) -> list[tuple[int, int]]:
        """Return the marks once there are `count`. Raises TimeoutError after `seconds`."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            if self.path.read_bytes().count(b"\n") >= count:
                return self.read()
            time.sleep(0.02)
        raise TimeoutError(f"{len(self.read())} of {count} activities after {seconds:g} s")


def gaps(marks: list[tuple[int, int]]) -> list[float]:
    """Return the milliseconds between each activity's end and the next one's start."""
    return [(after[0] - before[1]) / 1e6 for before, after in pairwise(marks)]


def rate(marks: list[tuple[int, int]], since: int) -> float:
    """Return activities a second from the nanosecond `since` to the last end."""
    return len(marks) / ((max(end for _, end in marks) - since) / 1e9)


def median(numbers: list[float]) -> float:
    """Return the median."""
    return statistics.median(numbers)
