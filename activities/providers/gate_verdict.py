"""Whether a condition holds long enough: points of a monitoring system go in, a verdict comes out. See docs/gates.md.

Moments are seconds since 1970 by the monitoring system's own clock. No other clock is known here: a soak is finished
by samples that were seen, never because time has passed.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from config.errors import Fault, InvalidInput

Status = Literal["running", "succeeded", "failed"]
NoData = Literal["wait", "fail", "pass"]
Kind = Literal["held", "broken", "nothing"]

CURE = "Write it like < 0.01, <= 5, == 0 or between 1 and 3."
NOTHING = "no data"
_WITHOUT_DATA: Mapping[NoData, tuple[Kind, str]] = {
    "wait": ("nothing", ""),
    "fail": ("broken", NOTHING),
    "pass": ("held", ""),
}
_NUMBER = r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)"
_COMPARED = re.compile(rf"\s*(<=|>=|==|!=|<|>)\s*{_NUMBER}\s*")
_BETWEEN = re.compile(rf"\s*between\s+{_NUMBER}\s+and\s+{_NUMBER}\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a value must be; `limits` are the one or two numbers it is held against."""

    text: str
    operator: str
    limits: tuple[float, ...]

    @property
    def allowed(self) -> tuple[float | None, float | None]:
        """The least and the greatest value that hold, as far as there are such."""
        if self.operator == "!=":
            return None, None
        low = None if self.operator in ("<", "<=") else self.limits[0]
        return low, None if self.operator in (">", ">=") else self.limits[-1]

    def distance(self, value: float) -> float:
        """Returns how far a value is from breaking: below or at 0 while it holds, the worse the more above."""
        first, last = self.limits[0], self.limits[-1]
        if self.operator in ("<", "<="):
            return value - first
        if self.operator in (">", ">="):
            return first - value
        if self.operator == "==":
            return abs(value - first)
        return -abs(value - first) if self.operator == "!=" else max(first - value, value - last)

    def holds(self, value: float) -> bool:
        """Says whether a value is what it must be; one that is no number is not."""
        distance = self.distance(value)
        return distance < 0 or (distance == 0 and self.operator in ("<=", ">=", "==", "between"))


def condition_in(text: str) -> Condition:
    """Returns the condition that a text stands for. Raises InvalidInput."""
    words = " ".join(text.split())
    if (compared := _COMPARED.fullmatch(words)) is not None:
        return _finite(Condition(words, compared[1], (float(compared[2]),)))
    if (between := _BETWEEN.fullmatch(words)) is not None and float(between[1]) <= float(between[2]):
        return _finite(Condition(words, "between", (float(between[1]), float(between[2]))))
    raise InvalidInput([Fault("", f"'{words[:60]}' is not a condition.", CURE)])


def _finite(condition: Condition) -> Condition:
    if all(math.isfinite(limit) for limit in condition.limits):
        return condition
    raise InvalidInput([Fault("", f"'{condition.text[:60]}' has a number that is too large.", CURE)])


@dataclass(frozen=True, slots=True)
class Rule:
    """What is demanded, in seconds: `patience` is for how long it may be broken in a row before it has failed."""

    condition: Condition
    hold_for: float = 0.0
    patience: float = 0.0
    grace: float = 0.0
    no_data: NoData = "wait"
    step: float = 15.0


@dataclass(frozen=True, slots=True)
class Point:
    """The values of all series at one moment; none of them is no data."""

    at: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Change:
    """A moment at which something turned, in one of `held`, `broken`, `nothing`; `by` names what broke it."""

    at: float
    kind: Kind
    by: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a gate stands after the points so far: all that the next point needs, and what there is to tell.

    `since` is when the present hold began and `held` how much of it was seen; `broken_since` when the present break
    began and `broken_by` what broke; `broken_at` when it last broke at all.
    """

    status: Status = "running"
    kind: Kind | Literal[""] = ""
    at: float | None = None
    since: float | None = None
    held: float = 0.0
    broken_since: float | None = None
    broken_at: float | None = None
    broken_by: str = ""
    last: float | None = None
    worst: float | None = None
    series: int = 0

    def as_document(self) -> dict[str, Any]:
        """Returns it as JSON, to go on from later."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


def judge(
    rule: Rule, began: float, until: float, points: Iterable[Point], standing: Standing | None = None
) -> tuple[Standing, list[Change]]:
    """Returns how a gate stands at `until`, up to when the monitoring system has answered, and where it has turned.

    `points` are in the order of time and reach from `began` on. With `standing`, they go on from there.
    """
    now, changes = standing or Standing(), list[Change]()
    start = began if now.at is None else now.at
    for point in _with_gaps(points, start, until, rule.step):
        if now.at is not None and point.at <= now.at:
            continue
        if point.at < began + rule.grace:
            now = replace(now, at=point.at)
            continue
        if now.status != "running":
            break
        before = now
        now = _after(rule, now, point)
        if now.kind != before.kind:
            changes.append(Change(point.at, now.kind or "nothing", now.broken_by if now.kind == "broken" else ""))
    return now, changes


def _with_gaps(points: Iterable[Point], start: float, until: float, step: float) -> Iterator[Point]:
    """Yields the points with one that is empty at each step of a gap: more than two steps without any value."""
    last = start
    for point in points:
        if not point.values or not start <= point.at <= until:
            continue
        yield from _gap(last, point.at, step)
        yield point
        last = point.at
    yield from _gap(last, until, step)


def _gap(last: float, until: float, step: float) -> Iterator[Point]:
    if until - last > 2 * step:
        yield from (Point(last + n * step, {}) for n in range(1, math.ceil((until - last) / step)))


def _after(rule: Rule, now: Standing, point: Point) -> Standing:
    kind, by = _kind(rule, point)
    now = _with_values(rule, now, point)
    if kind == "nothing":
        return replace(now, kind="nothing", at=point.at)
    if kind == "broken":
        since = point.at if now.broken_since is None else now.broken_since
        broken_by = by if now.broken_since is None else now.broken_by
        status: Status = "failed" if point.at - since >= rule.patience else "running"
        return replace(now, status=status, kind="broken", at=point.at, since=None, held=0.0,
                       broken_since=since, broken_at=since, broken_by=broken_by)  # fmt: skip
    seen = point.at - now.at if now.kind == "held" and now.at is not None else 0.0
    held = now.held + seen
    return replace(
        now,
        status="succeeded" if held >= rule.hold_for else "running",
        kind="held",
        at=point.at,
        since=point.at if now.since is None else now.since,
        held=held,
        broken_since=None,
    )


def _kind(rule: Rule, point: Point) -> tuple[Kind, str]:
    if not point.values:
        return _WITHOUT_DATA[rule.no_data]
    broken = [(name, value) for name, value in point.values.items() if not rule.condition.holds(value)]
    if not broken:
        return "held", ""
    name, value = max(broken, key=lambda one: rule.condition.distance(one[1]))
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    return "broken", f"{f'{name} = ' if name else ''}{number(value)}{more}"


def _with_values(rule: Rule, now: Standing, point: Point) -> Standing:
    if not point.values:
        return now
    last = worst_of(rule.condition, list(point.values.values()))
    worst = last if now.worst is None else worst_of(rule.condition, [now.worst, last])
    return replace(now, last=last, worst=worst, series=max(now.series, len(point.values)))


def worst_of(condition: Condition, values: Sequence[float]) -> float:
    """Returns the value that is nearest to breaking a condition, or has broken it most."""
    return max(values, key=condition.distance)


def number(value: float) -> str:
    """Returns a value as people read it."""
    return f"{value:.6g}" if abs(value) < sys.float_info.max else "+Inf" if value > 0 else "-Inf"
