"""Offsets as people write them: of `opens` and `due` (`-6 working days`, `end -2h`), and of derived dates (`-1 WE`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from config import durations
from config.errors import Fault, InvalidInput
from processes.recurrence import WEEKDAYS

CURE = "Write it like -6 working days, end -2h or 4h."
DERIVED_CURE = "Write it like -1 WE (the Wednesday before), +1 WE, -6 working days, +3 days or -1 week."
#: The most days, weeks or weekdays a date may be derived from another.
FARTHEST = 366

_OFFSET = re.compile(
    r"(?:(?P<anchor>start|end|opening)\s*)?(?P<sign>[+-])?\s*"
    r"(?:(?P<count>\d{1,4})\s*(?P<unit>working\s+day|day|week|hour|minute)s?|(?P<length>\d[\dwdhms.]*))"
)
_DERIVED = re.compile(
    rf"(?P<sign>[+-])?\s*(?P<count>\d{{1,4}})\s*(?P<unit>working\s+day|day|week|{'|'.join(WEEKDAYS)})s?"
)


@dataclass(frozen=True, slots=True)
class Offset:
    """So long before or after its anchor (`start`, `end`, `opening`): working days, days on the clock, exact time."""

    anchor: str
    working_days: int = 0
    days: int = 0
    exact: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class DerivedOffset:
    """So many of a unit before (negative) or after a date: `working day`, `day`, or a weekday (0 is Monday)."""

    count: int
    unit: str
    weekday: int | None = None


def parse(text: str) -> Offset:
    """The offset a text stands for. Raises InvalidInput.

    `start`, `end` or `opening` before it names the anchor; without one, a signed offset counts from the planned start,
    an unsigned one from opening.
    """
    found = _OFFSET.fullmatch(text.strip())
    if found is None or (found["length"] and not durations.is_duration(found["length"])):
        raise InvalidInput([Fault("", f"'{text[:60]}' is not an offset.", CURE)])
    anchor = found["anchor"] or ("start" if found["sign"] else "opening")
    sign = -1 if found["sign"] == "-" else 1
    if found["length"]:
        days, exact = durations.split(found["length"])
        return Offset(anchor, days=sign * days, exact=sign * exact)
    count = sign * int(found["count"])
    unit = " ".join(found["unit"].split())
    if unit == "working day":
        return Offset(anchor, working_days=count)
    if unit in ("day", "week"):
        return Offset(anchor, days=count * (7 if unit == "week" else 1))
    return Offset(anchor, exact=count * (timedelta(hours=1) if unit == "hour" else timedelta(minutes=1)))


def is_offset(text: str) -> bool:
    """Whether parse would accept the text."""
    try:
        parse(text)
    except InvalidInput:
        return False
    return True


def parse_derived(text: str) -> DerivedOffset:
    """The offset of a derived date. Raises InvalidInput."""
    faults = derived_faults(text)
    if faults:
        raise InvalidInput(faults)
    found = _DERIVED.fullmatch(text.strip())
    assert found is not None
    count = int(found["count"]) * (-1 if found["sign"] == "-" else 1)
    unit = " ".join(found["unit"].split())
    if unit in WEEKDAYS:
        return DerivedOffset(count, "weekday", WEEKDAYS.index(unit))
    return DerivedOffset(count * 7, "day") if unit == "week" else DerivedOffset(count, unit)


def derived_faults(text: str) -> list[Fault]:
    """What is wrong with the offset of a derived date: nothing, or one fault."""
    found = _DERIVED.fullmatch(text.strip())
    if found is None or (found["unit"] in WEEKDAYS and text.strip().endswith("s")):
        return [Fault("", f"'{text[:40]}' is not an offset from a date.", DERIVED_CURE)]
    if found["unit"] in WEEKDAYS and int(found["count"]) == 0:
        return [Fault("", f"'{text[:40]}' names no {found['unit']}: the first one after is +1.", DERIVED_CURE)]
    days = int(found["count"]) * (7 if found["unit"] in (*WEEKDAYS, "week") else 1)
    if days > FARTHEST:
        return [Fault("", f"'{text[:40]}' is more than a year away.", "Choose a nearer date.")]
    return []
