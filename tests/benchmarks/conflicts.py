"""How fast conflicts are found among very many bookings."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection

from processes.models import Process
from releases import bookings
from releases.models import Release
from tests.benchmarks.history import analyze
from tests.builders import MONDAY

#: Releases start ten minutes apart and last two hours; each books four of 100 resources and one of 200 people.
_RELEASES = """
    INSERT INTO releases_release (process_id, name, version, description, state, given, given_at_start, inputs, sources,
           values, outputs, planned_start_at, planned_end_at, created_at, created_by_name, started_by_name, reason,
           edits, findings, told)
    SELECT %(process)s, 'planned ' || n, '', '', 'scheduled', '{}', '{}', '{}', '{}', '{}', '{}', start,
           start + interval '2 hours', now(), '', '', '', 1, '[]', '[]'
      FROM generate_series(1, %(releases)s) n,
           LATERAL (SELECT %(first)s::timestamptz + n * interval '10 minutes' AS start) begins"""
_BOOKINGS = """
    INSERT INTO releases_booking (release_id, what, during)
    SELECT id, CASE WHEN k = 0 THEN 'user:person-' || mod(id * 7, 200)
                    ELSE 'resource:r-' || mod(id * 13 + k * 26, 100) END,
           tstzrange(planned_start_at, planned_end_at)
      FROM releases_release, generate_series(0, 4) k WHERE name LIKE 'planned %'"""


def fill(process: Process, releases: int) -> None:
    """Insert scheduled releases with five bookings each, and let PostgreSQL learn how large its tables are."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASES, {"process": process.pk, "first": MONDAY, "releases": releases})
        cursor.execute(_BOOKINGS)
        cursor.execute("ANALYZE")


def measure(releases: int = 100_000) -> dict[str, float]:
    """Fill an empty database and return the median milliseconds of each question."""
    process = Process.objects.create(slug="planned", name="Planned")
    fill(process, releases)
    analyze()
    middle = Release.objects.order_by("pk")[releases // 2]
    start = middle.planned_start_at
    assert start is not None
    week = start + timedelta(days=7)
    resource = ["resource:r-7"]
    return {
        "conflicts of one release": _timed(lambda: bookings.conflicts_of(middle)),
        "who holds what it needs": _timed(lambda: bookings.holders_of(middle)),
        "conflicts of one resource in a week": _timed(lambda: bookings.conflicts_between(start, week, resource)),
        "all conflicts in a day": _timed(lambda: bookings.conflicts_between(start, start + timedelta(days=1))),
        "all conflicts in a week": _timed(lambda: bookings.conflicts_between(start, week)),
    }


def _timed(ask: Callable[[], Any], times: int = 7) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - begun) * 1000)
    return round(statistics.median(taken), 2)
