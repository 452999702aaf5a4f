"""The days a cadence's own rule names, within its end (`until`, `count`, UNTIL, COUNT)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from processes.recurrence import Rule, parse
from processes.recurrence_days import days_of
from releases.cadence.wall import to_utc

_parse = lru_cache(maxsize=1_000)(parse)


def start_of(document: Mapping[str, Any]) -> datetime:
    """A cadence's or window's `start`, naive, on its own clock."""
    return datetime.fromisoformat(document["start"])


def until_of(document: Mapping[str, Any]) -> date:
    """The last day of a cadence, which still counts; the end of days when it has none."""
    return date.fromisoformat(document["until"]) if "until" in document else date.max


def rule_days(document: Mapping[str, Any], *, first: date, last: date) -> Iterator[date]:
    """The days from `first` to `last` that the `rrule` of a cadence or window names, before `exclude` and holidays.

    `count` counts the rule's own days from the start on: excluded ones too, included ones not. Raises InvalidInput for
    a rule with faults.
    """
    start, rule = start_of(document), _parse(document["rrule"])
    counts = [count for count in (rule.count, document.get("count")) if count is not None]
    rule = replace(rule, count=min(counts, default=None))
    for day in days_of(rule, start=start.date(), first=first, last=min(last, until_of(document))):
        if _within(rule, datetime.combine(day, start.time()), document["timezone"]):
            yield day


def _within(rule: Rule, wall: datetime, zone: str) -> bool:
    """Whether a moment on the zone's clock is not after the rule's UNTIL."""
    if not isinstance(rule.until, datetime):
        return True
    if rule.until.tzinfo is None:
        return wall <= rule.until
    return to_utc(wall, zone)[0] <= rule.until
