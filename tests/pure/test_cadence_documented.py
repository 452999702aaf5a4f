"""docs/time.md, table by table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from config.errors import InvalidInput
from releases.cadence import moment_of, occurrences, rule_in_words, shifted, windows, working_days
from tests.pure.doc_tables import tables

TABLES = tables("time.md")
BERLIN = "Europe/Berlin"


def rows(heading):
    return pytest.mark.parametrize("row", TABLES[heading], ids=lambda row: " ".join(row.values()))


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def found(cadence, after, before, **parents):
    return occurrences(cadence, after=at(after), before=at(before), calendars={}, parents=parents)


def days(cadence, after, before, **parents):
    return ", ".join(f"{one.wall:%Y-%m-%d}" for one in found(cadence, after, before, **parents))


def weekly(**more):
    return {
        "rrule": "FREQ=WEEKLY;BYDAY=TH",
        "start": "2026-01-08T09:00",
        "timezone": BERLIN,
        "duration": "2d",
        **{key: value for key, value in more.items() if value},
    }


def test_every_table_of_the_page_is_read_here_or_beside_the_gates():
    assert list(TABLES) == [
        "Clocks that change",
        "Rules",
        "Ends and exceptions",
        "Days off",
        "Derived dates",
        "Durations",
        "Offsets of opens and due",
        "Releases that overlap",
        "Freeze windows",
        "Moving a cadence",
        "In words",
    ]


@rows("Clocks that change")
def test_clocks_that_change(row):
    planned = datetime.fromisoformat(row["planned"])
    cadence = weekly(rrule="FREQ=DAILY;COUNT=1", start=planned.isoformat(), timezone=row["zone"])
    [one] = found(cadence, "2010-01-01", "2030-01-01")
    assert one.starts_at == at(row["in UTC"])
    assert one.wall == datetime.fromisoformat(row["clocks show"])
    assert [bend.kind for bend in one.bends] == ([row["mark"]] if row["mark"] else [])


@rows("Rules")
def test_rules(row):
    cadence = weekly(rrule=row["rule"], start=f"{row['start']}T09:00")
    expected = row["first dates"].split(", ")
    assert days(cadence, "2010-01-01", "2040-01-01").split(", ")[: len(expected)] == expected


@rows("Ends and exceptions")
def test_ends_and_exceptions(row):
    exceptions = {key: [row[key]] for key in ("include", "exclude") if row[key]}
    cadence = weekly(until=row["until"], count=int(row["count"] or 0), **exceptions)
    assert days(cadence, "2026-01-01", "2026-02-01") == row["dates in January"]


@rows("Days off")
def test_days_off(row):
    holidays = {"calendar": row["calendar"], "roll": row["roll"], "weekends": bool(row["weekends"])}
    cadence = weekly(rrule="FREQ=DAILY;COUNT=1", start=f"{row['date']}T09:00", holidays=holidays)
    assert days(cadence, "2026-01-01", "2027-01-01") == row["is on"]
    assert all(
        one.occurs_at == at(f"{row['date']} 09:00", BERLIN) for one in found(cadence, "2026-01-01", "2027-01-01")
    )


@rows("Derived dates")
def test_derived_dates(row):
    parent = weekly(start="2026-01-15T09:00", count=1, holidays={"calendar": "DE"})
    child = {"derive": {"group": "monthly", "offsets": [row["offset"]]}, "timezone": BERLIN}
    assert days(child, "2025-01-01", "2027-01-01", monthly=parent) == row["date"]


@rows("Durations")
def test_durations(row):
    starts = datetime.fromisoformat(row["starts"])
    cadence = weekly(
        rrule="FREQ=DAILY;COUNT=1", start=starts.isoformat(), timezone=row["zone"], duration=row["duration"]
    )
    [one] = found(cadence, "2026-01-01", "2027-01-01")
    assert one.ends_at == at(row["ends"], row["zone"])


@rows("Offsets of opens and due")
def test_offsets(row):
    known = {"start": "2026-05-18 09:00", "end": "2026-05-20 09:00", "opening": "2026-05-19 14:00"}
    moment = moment_of(
        row["offset"],
        **{key: at(text, BERLIN) for key, text in known.items()},
        zone=BERLIN,
        days_off=working_days("DE", {}),
    )
    assert moment == at(row["moment"], BERLIN)
    assert moment.tzinfo is UTC


@rows("Freeze windows")
def test_freeze_windows(row):
    given = {key: row[key] for key in ("rrule", "end", "duration") if row[key]}
    window = {"start": "2026-12-20T00:00", "timezone": BERLIN, "until_lifted": bool(row["until_lifted"]), **given}
    spans = windows(window, after=at("2028-01-01", BERLIN), before=at("2028-02-01", BERLIN))
    clock = ZoneInfo(BERLIN)
    shown = [
        f"{span.starts_at.astimezone(clock):%Y-%m-%d %H:%M} to "
        + (f"{span.ends_at.astimezone(clock):%Y-%m-%d %H:%M}" if span.ends_at else "ever")
        for span in spans
    ]
    assert ", ".join(shown) == row["windows"]


@rows("Moving a cadence")
def test_moving_a_cadence(row):
    cadence = weekly(rrule=row["rule"], start=f"{row['start']}T09:00")
    by_days = int(row["by days"])
    if row["rule then"] == "refused":
        with pytest.raises(InvalidInput) as caught:
            shifted(cadence, by_days=by_days, to_time=None)
        assert caught.value.faults[0].cure
        return
    moved = shifted(cadence, by_days=by_days, to_time=None)
    assert (moved["rrule"], moved["start"]) == (row["rule then"], f"{row['start then']}T09:00")
    before, after = (found(one, "2025-01-01", "2028-01-01") for one in (cadence, moved))
    assert [one.wall + timedelta(days=by_days) for one in before][:50] == [one.wall for one in after][:50]


@rows("In words")
def test_in_words(row):
    assert rule_in_words(row["rule"], datetime(2026, 1, 8, 9)) == row["from Thursday, 8 January 2026"]  # noqa: DTZ001
