"""How far an attempt is, as its engine tells: in words, as a share of the whole, and as a curve to be drawn.

The document comes from an engine, which may be anybody's: what does not fit is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

WIDTH, HEIGHT = 360.0, 138.0
LEFT, RIGHT, TOP, BOTTOM = 4.0, 4.0, 8.0, 8.0
HUGE = 1e300
"""What is beyond is drawn at the edge: engines write so what is infinite."""
MOST = 1_000

Dot = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across the curve at `place`, with what is written beside it."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the drawing from `start`, `size` long."""

    start: float
    size: float


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a moment and its value, and whether it is not as it should be."""

    at: datetime
    value: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A curve, ready to be drawn in a frame of WIDTH by HEIGHT.

    `line` and `bad_line` are paths; `forbidden` are bands from top to bottom, `unjudged` the one at the left that does
    not count; `broken` and `last` are places across.
    """

    query: str
    condition: str
    series: int
    began: datetime
    until: datetime
    line: str
    limits: Sequence[Mark]
    forbidden: Sequence[Band]
    unjudged: Band | None
    broken: float | None
    broken_at: datetime | None
    last: tuple[float, float] | None
    last_value: str
    lowest: str
    highest: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt is; `percent` is None where there is no share."""

    text: str
    percent: int | None
    curve: Drawing | None


def progress_of(document: Mapping[str, Any] | None) -> Progress | None:
    """Return what is shown of an attempt's progress, None if there is nothing."""
    if not isinstance(document, Mapping):
        return None
    share, text = document.get("share"), document.get("text")
    percent = round(100 * share) if isinstance(share, int | float) and 0 <= share <= 1 else None
    try:
        curve = _drawing(document["curve"]) if document.get("curve") else None
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        curve = None
    found = Progress(str(text or "")[:300], percent, curve)
    return found if found.text or percent is not None or curve else None


def _drawing(curve: Mapping[str, Any]) -> Drawing:
    points = curve["points"][:MOST]
    dots: list[Dot] = [(float(at), None if value is None else float(value)) for at, value, *_ in points]
    limits = [float(limit) for limit in curve.get("limits", ())]
    low, high = (None if limit is None else float(limit) for limit in curve.get("allowed") or (None, None))
    began, until = float(curve["began"]), float(curve["until"])
    across, up = _Scale(began, max(until, began + 1), LEFT, WIDTH - RIGHT), _vertical(dots, limits)
    valued = [(at, value) for at, value in dots if value is not None]
    judged, broken = curve.get("judged_from"), curve.get("broken_at")
    last = valued[-1] if valued else None
    return Drawing(
        query=str(curve.get("query", "")),
        condition=str(curve.get("condition", "")),
        series=int(curve.get("series", 1)),
        began=_moment(began),
        until=_moment(until),
        line=_path(dots, across, up),
        limits=[Mark(round(up(limit), 1), number(limit)) for limit in limits],
        forbidden=list(_forbidden(low, high, up)),
        unjudged=_unjudged(began, judged, across),
        broken=None if broken is None else round(across(float(broken)), 1),
        broken_at=None if broken is None else _moment(float(broken)),
        last=None if last is None else (round(across(last[0]), 1), round(up(last[1]), 1)),
        last_value="" if last is None else number(last[1]),
        lowest=number(up.least) if valued else "",
        highest=number(up.greatest) if valued else "",
        rows=[
            Row(_moment(at), number(value), "broken" in more)
            for at, value, *more in reversed(points)
            if value is not None
        ],
    )


class _Scale:
    """From values between two ends to places between two ends."""

    def __init__(self, least: float, greatest: float, start: float, end: float) -> None:
        self.least, self.greatest, self._start, self._end = least, greatest, start, end

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.least), self.greatest) - self.least) / (self.greatest - self.least)
        return self._start + share * (self._end - self._start)


def _vertical(dots: Iterable[Dot], limits: Sequence[float]) -> _Scale:
    values = [value for _, value in dots if value is not None and abs(value) < HUGE] + list(limits)
    least, greatest = min(values, default=0.0), max(values, default=1.0)
    room = (greatest - least) * 0.1 or abs(greatest) * 0.1 or 1.0
    bottom = 0.0 if 0 <= least < room else least - room
    return _Scale(bottom, greatest + room, HEIGHT - BOTTOM, TOP)


def _path(dots: Iterable[Dot], across: _Scale, up: _Scale) -> str:
    parts, is_down = [], False
    for at, value in dots:
        if value is not None:
            parts.append(f"{'L' if is_down else 'M'}{across(at):.1f} {up(value):.1f}")
        is_down = value is not None
    return "".join(parts)


def _forbidden(low: float | None, high: float | None, up: _Scale) -> Iterable[Band]:
    if high is not None:
        yield Band(TOP, round(up(high) - TOP, 1))
    if low is not None:
        yield Band(round(up(low), 1), round(HEIGHT - BOTTOM - up(low), 1))


def _unjudged(began: float, judged: Any, across: _Scale) -> Band | None:
    if judged is None or float(judged) <= began:
        return None
    return Band(LEFT, round(across(float(judged)) - LEFT, 1))


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def number(value: float) -> str:
    """Return a value as people read it."""
    if abs(value) >= HUGE or not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.4g}"
