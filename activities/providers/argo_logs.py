"""What the pods of an Argo workflow write, read while they run: all pods together, by the moment of each line.

The server gives lines since a moment, each with its own (`logOptions.timestamps`); an offset is the last line's, in
nanoseconds.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from activities.web.answers import Answer

NANO = 1_000_000_000
LINES = 1_000
"""Lines that one look reads of each pod, at most."""
LATE = 2
"""Seconds for which lines are left to the next look: another pod's line may still come between."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")


class Line(NamedTuple):
    """A line of a pod's log."""

    at: int
    pod: str
    text: str


def growing(answer: Answer, workflow: str, since: int, *, is_over: bool) -> tuple[str, int]:
    """Returns what pods have written after a moment, each pod under its name, and the moment of the last line."""
    until = _now(answer) - (0 if is_over else LATE * NANO)
    found = [line for text in answer.text.splitlines() if (line := _line(text)) is not None]
    lines = [line for line in found if since < line.at <= until or (is_over and since < line.at)]
    if not lines:
        return "", since
    is_cut = answer.is_cut or max(Counter(line.pod for line in found).values()) >= LINES
    cut = "… (something is left out)\n" if is_cut else ""
    return cut + "".join(_told(lines, workflow)), max(line.at for line in lines)


def _told(lines: list[Line], workflow: str) -> Iterator[str]:
    pod = ""
    for line in lines:
        if line.pod != pod:
            pod = line.pod
            yield f"── {pod.removeprefix(f'{workflow}-')} ──\n"
        yield f"{line.text}\n"


def _line(text: str) -> Line | None:
    try:
        result = json.loads(text.removeprefix("data: "))["result"]
        content, pod = str(result.get("content", "")), str(result["podName"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    stamp = _STAMP.match(content)
    try:
        seconds = int(datetime.fromisoformat(f"{stamp[1]}{stamp[3]}").timestamp()) if stamp else None
    except (ValueError, OverflowError):
        return None
    if stamp is None or seconds is None:
        return None
    return Line(seconds * NANO + int((stamp[2] or "").ljust(9, "0")), pod, content[stamp.end() :])


def _now(answer: Answer) -> int:
    """The server's own time, so that a clock that differs does no harm."""
    try:
        return int(parsedate_to_datetime(answer.headers["date"]).timestamp()) * NANO
    except (LookupError, ValueError, TypeError):
        return int(time.time()) * NANO
