"""What is written for calendar programs, read back by a real parser, and its zones by another one."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz
from icalendar import Calendar, Event

from calendar_app.ical import Entry, write
from calendar_app.zones import timezone_of

ZONES = [
    "Europe/Berlin", "Europe/Dublin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago",
    "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Gaza",
]  # fmt: skip


def entry(**more: Any) -> Entry:
    usual: dict[str, Any] = {
        "uid": "release-1@site",
        "summary": "Train 1.2.3",
        "starts_at": datetime(2026, 3, 26, 8, tzinfo=UTC),
        "ends_at": datetime(2026, 3, 30, 7, tzinfo=UTC),
        "changed_at": datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC),
    }
    return Entry(**{**usual, **more})


def read(*entries: Entry) -> list[Event]:
    return list(Calendar.from_ical(write("Trains", entries)).events)


def zone_as_read(zone: str, first: int, last: int) -> Any:
    """The zone as `dateutil` understands what was written."""
    return tz.tzical(io.StringIO(timezone_of(ZoneInfo(zone), first, last).to_ical().decode())).get(zone)


@pytest.mark.parametrize("zone", ZONES)
def test_a_zone_is_read_as_it_is_at_every_half_hour(zone: str) -> None:
    understood, real = zone_as_read(zone, 2026, 2026), ZoneInfo(zone)
    wall = datetime(2026, 1, 2)  # noqa: DTZ001  a wall clock
    while wall.year < 2027:
        moment = wall.replace(tzinfo=real)
        there = moment.astimezone(UTC).astimezone(real).replace(tzinfo=None) == wall
        is_once = moment.utcoffset() == moment.replace(fold=1).utcoffset()
        if there and is_once:
            assert wall.replace(tzinfo=understood).utcoffset() == moment.utcoffset(), wall
        wall += timedelta(minutes=30)


def test_a_change_is_written_in_the_clock_that_it_ends() -> None:
    text = timezone_of(ZoneInfo("Europe/Berlin"), 2026, 2026).to_ical().decode()
    assert "BEGIN:DAYLIGHT\r\nDTSTART:20260329T020000\r\nTZNAME:CEST\r\nTZOFFSETFROM:+0100" in text
    assert "BEGIN:STANDARD\r\nDTSTART:20261025T030000\r\nTZNAME:CET\r\nTZOFFSETFROM:+0200" in text


def test_an_event_keeps_its_wall_clock_over_the_change() -> None:
    [event] = read(entry(zone="Europe/Berlin"))
    assert (event.start.isoformat(), event.end.isoformat()) == (
        "2026-03-26T09:00:00+01:00",
        "2026-03-30T09:00:00+02:00",
    )
    assert b"DTSTART;TZID=Europe/Berlin:20260326T090000" in write("Trains", [entry(zone="Europe/Berlin")])


@pytest.mark.parametrize("zone", ["", "UTC", "Etc/UTC", "Mars/Olympus", "../etc/passwd"])
def test_without_a_known_zone_moments_are_utc(zone: str) -> None:
    text = write("Trains", [entry(zone=zone)])
    assert b"DTSTART:20260326T080000Z" in text
    assert b"VTIMEZONE" not in text


def test_every_zone_is_written_once_whatever_the_order() -> None:
    one, other = entry(zone="Europe/Berlin"), entry(uid="x", zone="America/New_York")
    there, back = write("Trains", [one, other, one]), write("Trains", [other, one, one])
    assert there.count(b"BEGIN:VTIMEZONE") == 2
    assert there.split(b"BEGIN:VEVENT")[0] == back.split(b"BEGIN:VEVENT")[0]


def test_texts_are_escaped_and_folded_and_come_back_whole() -> None:
    words = "Cart, then; payments \\ über alles 🚂" * 9
    text = write("Trains; all, of them", [entry(summary=words[:300], description=f"State: draft\n{words}")])
    assert max(len(line) for line in text.split(b"\r\n")) <= 75
    calendar = Calendar.from_ical(text)
    [event] = calendar.events
    assert (event.summary, event.description) == (words[:300], f"State: draft\n{words}")
    assert calendar.calendar_name == "Trains; all, of them"


def test_a_text_cannot_add_lines_of_its_own() -> None:
    [event] = read(entry(summary="Train\r\nEND:VEVENT\x00\x1b", description="a\r\nBEGIN:VALARM\u2028b"))
    assert event.summary == "Train\nEND:VEVENT"
    assert event.description == "a\nBEGIN:VALARMb"
    assert event.subcomponents == []


def test_long_texts_are_cut() -> None:
    [event] = read(entry(summary="x" * 1000, description="y" * 10_000))
    assert (len(str(event.summary)), len(str(event.description))) == (300, 4000)


def test_what_an_event_says() -> None:
    [event] = read(entry(status="CANCELLED", sequence=7, category="FREEZE", url="https://site/releases/1/"))
    assert (event.uid, event.status, event.sequence, event.url) == (
        "release-1@site", "CANCELLED", 7, "https://site/releases/1/",
    )  # fmt: skip
    assert event.categories == ["FREEZE"]
    assert event.stamp == event.last_modified == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("ends_at", [None, datetime(2026, 3, 26, 8, tzinfo=UTC)])
def test_without_an_end_it_is_a_moment(ends_at: datetime | None) -> None:
    [event] = read(entry(ends_at=ends_at))
    assert "DTEND" not in event


def test_nothing_to_show_is_a_calendar_too() -> None:
    calendar = Calendar.from_ical(write("Empty", []))
    assert calendar.events == []
    assert {"VERSION", "PRODID", "METHOD"} <= set(calendar)
