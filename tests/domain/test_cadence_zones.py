"""PostgreSQL's own arithmetic with time zones, asked about the golden rows in which clocks change.

PostgreSQL agrees about times that are missing: they move forward by the gap. Of a time that comes twice it takes the
second, where we take the first; there the two differ by what the clocks went back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tests.pure.golden import ROWS

CLOCKS = [row for row in ROWS if row.section in ("clocks", "rules") and row.cadence["rrule"] == "FREQ=DAILY"]


def postgresql(walls, zone):
    """What PostgreSQL makes of times on the zone's clocks, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wall AT TIME ZONE %s FROM unnest(%s::timestamp[]) wall ORDER BY wall", [zone, walls])
        return [moment.astimezone(UTC) for (moment,) in cursor.fetchall()]


def series(row):
    """The daily times of a row on its zone's clocks, by PostgreSQL's generate_series."""
    start = datetime.fromisoformat(row.cadence["start"])
    around = [row.after.replace(tzinfo=None) - timedelta(days=2), row.before.replace(tzinfo=None) + timedelta(days=2)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT generate_series(%s::timestamp, %s::timestamp, '1 day')", [start, around[1]])
        return [wall for (wall,) in cursor.fetchall() if wall >= around[0]]


def fold(moment, zone):
    """How much later the same time comes again on the zone's clocks; nothing when it comes once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(m) - min(m) FROM generate_series(%s::timestamptz - interval '3 hours', %s::timestamptz"
            " + interval '3 hours', '15 minutes') m WHERE m AT TIME ZONE %s = %s::timestamptz AT TIME ZONE %s",
            [moment, moment, zone, moment, zone],
        )
        return cursor.fetchone()[0]


@pytest.mark.django_db
@pytest.mark.parametrize("row", CLOCKS, ids=str)
def test_postgresql_gives_the_same_moments_but_for_times_that_come_twice(row):
    zone = row.cadence["timezone"]
    theirs = [moment for moment in postgresql(series(row), zone) if row.after <= moment < row.before]
    ours = [
        one.starts_at + (fold(one.starts_at, zone) if any(bend.kind == "fold" for bend in one.bends) else timedelta(0))
        for one in row.found()
    ]
    assert sorted(set(theirs)) == ours


@pytest.mark.django_db
def test_a_time_that_comes_twice_is_the_second_to_postgresql_and_the_first_to_us():
    folds = [(row, one) for row in CLOCKS for one in row.found() if any(bend.kind == "fold" for bend in one.bends)]
    assert len(folds) > 10
    for row, one in folds:
        zone = row.cadence["timezone"]
        assert fold(one.starts_at, zone) > timedelta(0)
        assert postgresql([one.wall], zone) == [one.starts_at + fold(one.starts_at, zone)]
