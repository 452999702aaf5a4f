"""Writing iCalendar (RFC 5545). Pure: the same entries give the same bytes, whenever they are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from calendar_app.zones import timezone_of

PRODUCT = "-//Pilothouse//Calendar feed//EN"
REFRESH = timedelta(hours=1)
LONGEST_SUMMARY = 300
LONGEST_DESCRIPTION = 4_000
_UTC = ("", "UTC", "Etc/UTC")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. Moments are aware; they are written in `zone`, or in UTC when it is none or not a known one.

    `uid` stays the event's own for ever; `sequence` rises when it is changed, at `changed_at`. `status` is TENTATIVE,
    CONFIRMED or CANCELLED. Without an end it is a moment.
    """

    uid: str
    summary: str
    starts_at: datetime
    ends_at: datetime | None
    changed_at: datetime
    zone: str = ""
    status: str = "CONFIRMED"
    sequence: int = 0
    category: str = ""
    description: str = ""
    url: str = ""


def write(name: str, entries: Iterable[Entry]) -> bytes:
    """Return a calendar of this name with these entries and every zone they are written in."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.calendar_name = _text(name, LONGEST_SUMMARY)
    calendar.add("refresh-interval", REFRESH, {"value": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    written = list(entries)
    years = [moment.year for entry in written for moment in (entry.starts_at, entry.ends_at or entry.starts_at)]
    for name_of_zone in sorted({entry.zone for entry in written}):
        zone = _zone(name_of_zone)
        if zone is not None:
            calendar.add_component(timezone_of(zone, min(years) - 1, max(years) + 1))
    for entry in written:
        calendar.add_component(_event(entry))
    return bytes(calendar.to_ical())


def _event(entry: Entry) -> Event:
    event = Event()
    zone = _zone(entry.zone)
    event.add("uid", entry.uid)
    event.add("summary", _text(entry.summary, LONGEST_SUMMARY))
    event.add("dtstart", _wall(entry.starts_at, zone))
    if entry.ends_at is not None and entry.ends_at > entry.starts_at:
        event.add("dtend", _wall(entry.ends_at, zone))
    changed_at = entry.changed_at.astimezone(UTC).replace(microsecond=0)
    event.add("dtstamp", changed_at)
    event.add("last-modified", changed_at)
    event.add("sequence", entry.sequence)
    event.add("status", entry.status)
    event.add("transp", "TRANSPARENT")
    if entry.category:
        event.add("categories", [entry.category])
    if entry.description:
        event.add("description", _text(entry.description, LONGEST_DESCRIPTION))
    if entry.url:
        event.add("url", entry.url)
    return event


def _wall(moment: datetime, zone: ZoneInfo | None) -> datetime:
    return moment.astimezone(zone or UTC).replace(microsecond=0)


def _zone(name: str) -> ZoneInfo | None:
    """Return a zone; none for UTC, which needs no rules."""
    try:
        return None if name in _UTC else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _text(text: str, most: int) -> str:
    """Return a text without the control characters that no line of a calendar may hold."""
    clean = "".join(letter for letter in text if letter == "\n" or letter.isprintable())
    return clean if len(clean) <= most else clean[: most - 1] + "…"
