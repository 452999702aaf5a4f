"""Recurrence rules (RFC 5545, section 3.3.10) as we take them: whole days and longer, each fault at its part.

The time of day always comes from the cadence's `start`, so a rule is about days alone (recurrence_days).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from config.errors import Fault, InvalidInput

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
EXAMPLE = "Write it like FREQ=WEEKLY;BYDAY=TH."

#: The least and the most of each part made of numbers, and whether it may count from the end.
_NUMBERS = {
    "INTERVAL": (1, 999, False),
    "COUNT": (1, 9_999, False),
    "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYSETPOS": (1, 366, True),
}
_SINGLE = frozenset({"INTERVAL", "COUNT"})
_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", *(name for name in _NUMBERS if name[:2] == "BY"), "WKST")
_TIMES = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_BY_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?\d{1,4}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule. Weekdays count from Monday, 0; `by_day` holds pairs of an ordinal (0: every) and a weekday.

    `until` is a day (that whole day still counts), a naive moment (on the cadence's clock) or an aware one.
    """

    freq: str
    interval: int = 1
    count: int | None = None
    until: date | datetime | None = None
    by_day: tuple[tuple[int, int], ...] = ()
    by_month: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_week_no: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0


def parse(text: str) -> Rule:
    """The rule a text stands for, with or without `RRULE:` before it. Raises InvalidInput with every fault."""
    faults = rule_faults(text)
    if faults:
        raise InvalidInput(faults)
    parts = parts_of(text)
    numbers = {name: tuple(int(part) for part in parts[name].split(",")) for name in _NUMBERS if name in parts}
    return Rule(
        freq=parts["FREQ"],
        interval=numbers.get("INTERVAL", (1,))[0],
        count=numbers["COUNT"][0] if "COUNT" in numbers else None,
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        by_day=tuple(_by_day(parts["BYDAY"])) if "BYDAY" in parts else (),
        by_month=numbers.get("BYMONTH", ()),
        by_month_day=numbers.get("BYMONTHDAY", ()),
        by_year_day=numbers.get("BYYEARDAY", ()),
        by_week_no=numbers.get("BYWEEKNO", ()),
        by_set_pos=numbers.get("BYSETPOS", ()),
        week_start=WEEKDAYS.index(parts.get("WKST", "MO")),
    )


def parts_of(text: str) -> dict[str, str]:
    """The parts of a right rule as written, in capitals and in their order."""
    return dict(_split(text))


def text_of(parts: Mapping[str, str]) -> str:
    """The rule of these parts."""
    return ";".join(f"{name}={value}" for name, value in parts.items())


def rule_faults(text: str) -> list[Fault]:
    """Everything wrong with a rule by itself, each fault naming its part. Paths are empty: a rule is one value."""
    split = _split(text)
    names = [name for name, _ in split]
    faults = [
        Fault("", f"{name} stands twice in the rule.", "Keep one.")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    for name, value in split:
        faults += _part_faults(name, value)
    if "FREQ" not in names:
        faults.insert(0, Fault("", "The rule has no FREQ.", EXAMPLE))
    return faults or list(_faults_together(dict(split)))


def _split(text: str) -> list[tuple[str, str]]:
    parts = (part.partition("=") for part in text.strip().upper().removeprefix("RRULE:").split(";"))
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _part_faults(name: str, value: str) -> list[Fault]:
    if name in _TIMES:
        return [Fault("", f"{name} is not for cadences: the time of day comes from 'start'.", "Leave it out.")]
    if name not in _PARTS:
        shown = f"'{name[:30]}' is not a part of a rule." if name else "The rule has an empty part."
        return [Fault("", shown, f"The parts are {', '.join(_PARTS)}. {EXAMPLE}")]
    if name == "FREQ" and value not in FREQUENCIES:
        return [Fault("", f"FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY, not '{value[:30]}'.", EXAMPLE)]
    if name == "WKST" and value not in WEEKDAYS:
        return [Fault("", f"WKST must be a weekday, not '{value[:30]}'.", f"Use one of {', '.join(WEEKDAYS)}.")]
    if name == "UNTIL" and _until(value) is None:
        cure = "Write it like UNTIL=20261231, UNTIL=20261231T170000 or UNTIL=20261231T160000Z."
        return [Fault("", f"UNTIL must be a day or a moment, not '{value[:30]}'.", cure)]
    if name == "BYDAY":
        return [_by_day_fault(part) for part in value.split(",") if not _BY_DAY.fullmatch(part)]
    return _number_faults(name, value) if name in _NUMBERS else []


def _number_faults(name: str, value: str) -> list[Fault]:
    low, high, signed = _NUMBERS[name]
    parts = [value] if name in _SINGLE else value.split(",")
    bad = [part for part in parts if not _is_number(part, low, high, signed=signed)]
    from_end = f", or from -{high} to -{low} counted from the end" if signed else ""
    what = "a whole number" if name in _SINGLE else "whole numbers"
    cure = (
        f"Write it like {name}={low}." if name in _SINGLE else f"Write it like {name}={low} or {name}={low},{low + 1}."
    )
    return [
        Fault("", f"{name} must be {what} from {low} to {high}{from_end}, not '{part[:30]}'.", cure) for part in bad
    ]


def _is_number(text: str, low: int, high: int, *, signed: bool) -> bool:
    if not _NUMBER.fullmatch(text):
        return False
    number = int(text)
    return low <= (abs(number) if signed else number) <= high


def _faults_together(parts: Mapping[str, str]) -> Iterator[Fault]:
    """What is wrong between parts that are right by themselves."""
    freq = parts["FREQ"]
    if {"COUNT", "UNTIL"} <= parts.keys():
        yield Fault("", "A rule ends by COUNT or by UNTIL, not by both.", "Keep one of them.")
    if freq == "WEEKLY" and "BYMONTHDAY" in parts:
        yield Fault("", "BYMONTHDAY does not go with FREQ=WEEKLY.", "Use FREQ=MONTHLY, or BYDAY.")
    for name in ("BYWEEKNO", "BYYEARDAY"):
        if name in parts and freq != "YEARLY":
            yield Fault(
                "", f"{name} goes with FREQ=YEARLY only, not with {freq}.", f"Write it like FREQ=YEARLY;{name}=20."
            )
    if "BYSETPOS" in parts and not any(name[:2] == "BY" and name != "BYSETPOS" for name in parts):
        cure = "Write it like FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1."
        yield Fault("", "BYSETPOS chooses among the days of another BY part, and there is none.", cure)
    yield from _faults_of_ordinals(parts)


def _faults_of_ordinals(parts: Mapping[str, str]) -> Iterator[Fault]:
    freq = parts["FREQ"]
    most = 53 if freq == "YEARLY" and "BYMONTH" not in parts else 5
    for part in parts.get("BYDAY", "").split(","):
        ordinal = part[:-2]
        if not ordinal:
            continue
        if freq in ("DAILY", "WEEKLY") or "BYWEEKNO" in parts:
            with_what = f"FREQ={freq}" if freq != "YEARLY" else "BYWEEKNO"
            yield Fault(
                "",
                f"BYDAY={part} counts weekdays of a month, which does not go with {with_what}.",
                f"Write BYDAY={part[-2:]}, or FREQ=MONTHLY;BYDAY={part}.",
            )
        elif not 1 <= abs(int(ordinal)) <= most:
            yield _by_day_fault(part)


def _by_day_fault(part: str) -> Fault:
    cure = "Write it like BYDAY=TH (every), BYDAY=3TH (the third) or BYDAY=-1FR (the last)."
    if not _BY_DAY.fullmatch(part):
        return Fault("", f"BYDAY must be weekdays, not '{part[:30]}'.", cure)
    if int(part[:-2]) == 0:
        return Fault("", f"BYDAY={part} counts from nought; the first is 1, the last is -1.", cure)
    return Fault("", f"BYDAY={part} never comes: no month has more than five of a weekday, no year more than 53.", cure)


def _by_day(value: str) -> Iterator[tuple[int, int]]:
    for part in value.split(","):
        yield int(part[:-2] or 0), WEEKDAYS.index(part[-2:])


def _until(value: str) -> date | datetime | None:
    """The day or moment of UNTIL; None when the text is neither."""
    try:
        if re.fullmatch(r"\d{8}", value):
            return datetime.strptime(value, "%Y%m%d").date()  # noqa: DTZ007  # a day has no zone
        if re.fullmatch(r"\d{8}T\d{6}Z", value):
            return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if re.fullmatch(r"\d{8}T\d{6}", value):
            return datetime.strptime(value, "%Y%m%dT%H%M%S")  # noqa: DTZ007  # on the cadence's own clock
    except ValueError:
        return None
    return None
