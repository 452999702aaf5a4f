"""What the address of the calendar asks for: a view, a day, filters, a zone.

What cannot be read is told on the page, beside the calendar, and never refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from calendar_app.periods import EARLIEST, LATEST, VIEWS
from config.errors import Fault
from releases.states import ReleaseState

KINDS = {"series": "Of a group", "ad-hoc": "Ad hoc"}
STATES = {str(state): str(state).replace("_", " ").capitalize() for state in ReleaseState}
NAMES = ("group", "state", "kind", "resource", "owner", "tag")
#: How many values of one filter are read.
MOST = 50


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the list goes on: after the release that begins then and has this number."""

    begins_at: datetime
    pk: int

    def __str__(self) -> str:
        return f"{self.begins_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}_{self.pk}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asked for. `wanted` holds the values of each filter that is set; `faults` what was not understood.

    `zone` is `group` when times are to be shown in the group's zone, else empty.
    """

    view: str
    day: date
    wanted: Mapping[str, tuple[str, ...]]
    zone: str = ""
    after: Cursor | None = None
    faults: list[Fault] = field(default_factory=list)

    def address(self, **changes: Any) -> str:
        """Return the query that asks for the same but for some changes: `view`, `day`, `zone`, `after`, or a filter."""
        pairs: list[tuple[str, str]] = [
            ("view", str(changes.get("view", self.view))),
            ("date", changes.get("day", self.day).isoformat()),
        ]
        for name in NAMES:
            pairs += [(name, value) for value in changes.get(name, self.wanted.get(name, ()))]
        pairs += [(name, str(value)) for name in ("zone", "after") if (value := changes.get(name, self._rest(name)))]
        return "?" + urlencode(pairs)

    def _rest(self, name: str) -> str:
        return self.zone if name == "zone" else ""

    def without(self, name: str, value: str) -> str:
        """Return the query that asks for the same without one value of a filter."""
        return self.address(**{name: tuple(one for one in self.wanted[name] if one != value)})

    @property
    def bare(self) -> str:
        """The query that asks for the same without any filter."""
        return self.address(**dict.fromkeys(NAMES, ()), zone="")


def read(query: QueryDict, *, today: date) -> Asked:
    """Return what an address asks for. A view or day that is none becomes the month or today, and a fault."""
    faults: list[Fault] = []
    view = query.get("view") or "month"
    if view not in VIEWS:
        faults.append(Fault("view", f"There is no view '{view[:40]}'.", f"Choose {', '.join(VIEWS)}."))
        view = "month"
    day = _day(query.get("date", ""), today, faults)
    wanted = {name: values for name in NAMES if (values := _values(query, name))}
    for name, known in (("state", STATES), ("kind", KINDS)):
        faults += [_unknown(name, value, known) for value in wanted.get(name, ()) if value not in known]
    after = _cursor(query.get("after", ""), faults)
    zone = "group" if query.get("zone") == "group" and len(wanted.get("group", ())) == 1 else ""
    return Asked(view, day, wanted, zone, after, faults)


def _values(query: QueryDict, name: str) -> tuple[str, ...]:
    """Return the values of a filter, each once; none of them empty, too long for a name, or unfit for a database."""
    values = (value.strip().replace("\0", "")[:200] for value in query.getlist(name)[:MOST])
    return tuple(dict.fromkeys(value for value in values if value))


def _unknown(name: str, value: str, known: Sequence[str] | Mapping[str, str]) -> Fault:
    return Fault(name, f"There is no {name} '{value[:40]}'.", f"Choose {', '.join(known)}.")


def _day(text: str, today: date, faults: list[Fault]) -> date:
    if not text:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        faults.append(Fault("date", f"'{text[:40]}' is not a date.", "Write it like 2026-03-02."))
        return today
    if not EARLIEST <= day <= LATEST:
        faults.append(Fault("date", f"The calendar reaches from {EARLIEST.year} to {LATEST.year}."))
    return min(max(day, EARLIEST), LATEST)


def _cursor(text: str, faults: list[Fault]) -> Cursor | None:
    if not text:
        return None
    moment, _, number = text.partition("_")
    try:
        begins_at = datetime.fromisoformat(moment)
        at = begins_at if begins_at.tzinfo else begins_at.replace(tzinfo=UTC)
        if EARLIEST.year < at.year < LATEST.year and number.isascii() and number.isdecimal() and len(number) < 19:
            return Cursor(at, int(number))
    except ValueError:
        pass
    faults.append(Fault("after", "This place in the list is not known.", "It starts from the beginning."))
    return None
