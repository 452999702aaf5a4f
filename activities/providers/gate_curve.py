"""The curve of a gate as it is kept and drawn: few points, but every peak."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from activities.providers.gate_verdict import Condition, Point, Rule, Standing, worst_of

MOST_POINTS = 240
LONGEST_TEXT = 300
_BUCKETS = MOST_POINTS // 3

Dot = tuple[float, float | None]
"""A moment and the value nearest to breaking then; None where a gap begins."""


def dots_of(rule: Rule, points: Iterable[Point], last: float | None = None) -> Iterator[Dot]:
    """Yields what is drawn of points, with a gap wherever more than two steps have no value; `last` came before."""
    for point in points:
        if not point.values:
            continue
        if last is not None and point.at - last > 2 * rule.step:
            yield (last + rule.step, None)
        yield (point.at, worst_of(rule.condition, list(point.values.values())))
        last = point.at


def thinned(dots: Sequence[Dot], most: int = MOST_POINTS) -> list[Dot]:
    """Returns at most so many dots, evenly over time: of each stretch the lowest, the highest and a gap."""
    if len(dots) <= most:
        return list(dots)
    began, ended = dots[0][0], dots[-1][0]
    width = (ended - began) / _BUCKETS or 1.0
    stretches: dict[int, list[Dot]] = {}
    for dot in dots:
        stretches.setdefault(min(_BUCKETS - 1, int((dot[0] - began) / width)), []).append(dot)
    return [dot for stretch in stretches.values() for dot in _told(stretch)]


def _told(stretch: Sequence[Dot]) -> list[Dot]:
    valued = [(value, at) for at, value in stretch if value is not None]
    gap = next((dot for dot in stretch if dot[1] is None), None)
    found: set[Dot] = {gap} if gap is not None else set()
    if valued:
        found |= {(at, value) for value, at in (min(valued), max(valued))}
    return sorted(found, key=lambda dot: dot[0])


def curve_of(
    query: str, rule: Rule, began: float, until: float, standing: Standing, dots: Sequence[Dot]
) -> dict[str, Any]:
    """Returns the document of a curve: what is demanded, how it stands, and its points, broken ones marked."""
    return {
        "query": query[:LONGEST_TEXT],
        "condition": rule.condition.text,
        "allowed": list(rule.condition.allowed),
        "limits": list(rule.condition.limits),
        "began": began,
        "judged_from": began + rule.grace,
        "until": until,
        "hold_for": rule.hold_for,
        "held": min(standing.held, rule.hold_for) if standing.status == "succeeded" else standing.held,
        "since": standing.since,
        "broken_at": standing.broken_at,
        "series": standing.series,
        "points": [_kept(rule.condition, at, value) for at, value in thinned(dots)],
    }


def _kept(condition: Condition, at: float, value: float | None) -> list[Any]:
    kept = [round(at, 3), value]
    return kept if value is None or condition.holds(value) else [*kept, "broken"]
