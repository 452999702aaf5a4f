"""Reading days off out of an iCalendar text. Pure: text in, days out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain

from dateutil.rrule import rrulestr
from icalendar import Calendar, Event, vDDDTypes, vRecur

from config.errors import Fault, InvalidInput

LARGEST = 1_000_000  # characters
MOST_EVENTS = 3_000
MOST_DAYS = 100_000  # read, not kept: all days of all events since their rules began
MOST_FAULTS = 20
LONGEST_NAME = 200
NAMELESS = "Day off"
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_TIMES = ("BYHOUR", "BYMINUTE", "BYSECOND")
_PLACE = "ics"


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says: the days off with their names, and how many events were ignored as they have times."""

    days: dict[date, str]
    ignored: int


def read_days(text: str, *, first: date, last: date) -> Read:
    """Return the days off from `first` to `last`, both included, that the all-day events of an iCalendar text name.

    An event of several days gives each of them, one that recurs each of its recurrences. Events that were cancelled
    count for nothing, those with a time of day are only counted. Raises InvalidInput with every fault.
    """
    found, ignored = _read_events(_events(text), last)
    days: dict[date, str] = {}
    read = chain.from_iterable(((day, name) for day in them) for name, them in found)
    for count, (day, name) in enumerate(read, 1):
        if count > MOST_DAYS:
            raise _fault(f"It names more than {MOST_DAYS} days.", "Leave out what recurs daily, or long ago.")
        if first <= day <= last:
            days[day] = _joined(days.get(day, ""), name)
    if not days:
        words = f"It names no whole day from {first} to {last}."
        raise _fault(words, "Events with a time of day are ignored." if ignored else "")
    return Read(dict(sorted(days.items())), ignored)


def _read_events(events: list[Event], last: date) -> tuple[list[tuple[str, Iterator[date]]], int]:
    """Return the name and the days of each whole-day event, and how many others there are."""
    found: list[tuple[str, Iterator[date]]] = []
    faults: list[Fault] = []
    ignored = 0
    moved = _moved(events)
    for event in events:
        try:
            start = event.DTSTART
            if event.get("STATUS") == "CANCELLED":
                continue
            if isinstance(start, datetime):
                ignored += 1
            else:
                found.append((_name(event), _days_of(event, start, moved, last)))
        except (ValueError, AttributeError) as error:  # of a property that is there twice, the library gives a list
            faults.append(Fault(_PLACE, f"The event '{_name(event)}' cannot be read: {_words(error)}"))
    if faults:
        raise InvalidInput(faults[:MOST_FAULTS])
    return found, ignored


def _events(text: str) -> list[Event]:
    if len(text) > LARGEST:
        raise _fault(f"It has more than {LARGEST} characters.", "Leave out years that are long past.")
    if text.upper().count("BEGIN:VEVENT") > MOST_EVENTS:
        raise _fault(f"It has more than {MOST_EVENTS} events.", "Leave out what is no day off.")
    if "BEGIN:VCALENDAR" not in text.upper():
        raise _fault("This is no iCalendar text.", "It begins with BEGIN:VCALENDAR; such files end in .ics.")
    try:
        calendars = Calendar.from_ical(text.lstrip("\ufeff"), multiple=True)
        found = [event for calendar in calendars for event in calendar.walk("VEVENT") if isinstance(event, Event)]
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _fault(f"This is no iCalendar text: {_words(error)}") from error
    if not calendars:
        raise _fault("The file ends before its calendar does.", "END:VCALENDAR is missing.")
    return found


def _moved(events: list[Event]) -> dict[str, set[date]]:
    """Return the days of recurring events that other events of the file stand for, by the recurring event's UID."""
    moved: dict[str, set[date]] = {}
    for event in events:
        instead_of = event.get("RECURRENCE-ID")
        if _is_day(instead_of):
            moved.setdefault(event.uid, set()).add(_day(instead_of.dt))
    return moved


def _days_of(event: Event, start: date | None, moved: dict[str, set[date]], last: date) -> Iterator[date]:
    """Return the days of an event until `last`, those before `first` included. Raises ValueError, at once."""
    if start is None:
        raise ValueError("it has no start.")
    length = _length(event, start)
    rules = event.rrules
    if len(rules) > 1:
        raise ValueError("it has several rules.")
    instead_of = event.get("RECURRENCE-ID")
    if instead_of is not None and not _is_day(instead_of):
        raise ValueError("the day it stands for is none.")
    without = {_day(one) for one in event.exdates} | (moved.get(event.uid, set()) if instead_of is None else set())
    more = [_day(one) for one, _ in event.rdates]
    starts = chain(_recurrences(rules[0], start, last) if rules else [start], more)
    return (
        one + timedelta(days=number) for one in starts if one not in without and one <= last for number in range(length)
    )


def _length(event: Event, start: date) -> int:
    """Return how many days an event lasts; one that ends the day it starts lasts that day."""
    if event.DTEND is not None:
        length = (_day(event.DTEND) - start).days
    else:
        length = 1 if event.DURATION is None else event.DURATION.days
    if length < 0:
        raise ValueError("it ends before it starts.")
    return max(length, 1)


def _recurrences(rule: vRecur, start: date, last: date) -> Iterator[date]:
    """Return the days a rule gives, in order, until `last`. Raises ValueError if it is no rule for days, or gives none.

    A rule that gives nothing is searched for until the year 9999: one of them ends the reading.
    """
    if rule.get("FREQ", [""])[0] not in _FREQUENCIES or any(
        f"BY{part}" in rule for part in ("HOUR", "MINUTE", "SECOND")
    ):
        raise ValueError("it does not recur by days.")
    if rule.get("INTERVAL", [1])[0] in (0, None):
        raise ValueError("it recurs every 0 days.")
    until = {"UNTIL": [_day(one) for one in rule["UNTIL"]]} if "UNTIL" in rule else {}
    parts = vRecur({**rule, **until}).to_ical().decode()
    try:
        found = rrulestr(parts, dtstart=datetime(start.year, start.month, start.day))  # noqa: DTZ001  days have no zone
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise ValueError("its rule is none.") from error
    if next(iter(found), None) is None:
        raise InvalidInput([Fault(_PLACE, f"The rule '{parts[:100]}' gives no day at all.", "Leave the event out.")])
    return _until(iter(found), last)


def _until(moments: Iterator[datetime], last: date) -> Iterator[date]:
    for moment in moments:
        if moment.date() > last:
            return
        yield moment.date()


def _is_day(one: object) -> bool:
    return isinstance(one, vDDDTypes) and isinstance(one.dt, date)


def _day(one: object) -> date:
    if isinstance(one, datetime):
        return one.date()
    if isinstance(one, date):
        return one
    raise ValueError("one of its days is none.")


def _name(event: Event) -> str:
    words = "".join(letter if letter.isprintable() else " " for letter in str(event.summary or ""))
    return " ".join(words.split())[:LONGEST_NAME] or NAMELESS


def _joined(before: str, name: str) -> str:
    if not before or name in before.split(", "):
        return before or name
    return f"{before}, {name}"[:LONGEST_NAME]


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _fault(message: str, cure: str = "") -> InvalidInput:
    return InvalidInput([Fault(_PLACE, message, cure)])
