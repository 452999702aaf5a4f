"""Conflicts are found by the index on what and when, however many bookings there are."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from processes.models import Process
from releases import bookings
from releases.models import Booking, Release
from tests.benchmarks.conflicts import fill

pytestmark = pytest.mark.django_db

RELEASES = 6_000


@pytest.fixture
def middle(db: None) -> Release:
    fill(Process.objects.create(slug="planned", name="Planned"), RELEASES)
    assert Booking.objects.count() == RELEASES * 5
    return Release.objects.order_by("pk")[RELEASES // 2]


def plan_of(sql: str, parameters: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        return json.dumps(cursor.fetchone()[0])


def test_the_conflicts_of_a_release_come_by_the_index(middle):
    words = {"releases": [middle.pk], "running": list(bookings.RUNNING), "most": bookings.MOST}
    plan = plan_of(bookings.OVERLAPS, words)
    assert '"booking_overlap"' in plan
    assert (
        '"Seq Scan", "Parallel Aware": false, "Async Capable": false, "Relation Name": "releases_booking"' not in plan
    )
    assert "&&" in plan


def test_what_is_booked_of_some_things_in_a_time_comes_by_the_index(middle):
    start = middle.planned_start_at
    assert start is not None
    booked = Booking.objects.filter(
        what__in=["resource:r-7", "resource:r-8"], during__overlap=(start, start + timedelta(days=1))
    )
    plan = booked.explain()
    assert "booking_overlap" in plan
    assert "Seq Scan" not in plan


def test_what_comes_by_the_index_is_what_there_is(middle):
    mine = dict(middle.bookings.values_list("what", "during"))
    there = Booking.objects.filter(what__in=mine).exclude(release=middle).values_list("release_id", "what", "during")
    wanted = {
        (pk, what) for pk, what, during in there if during.lower < mine[what].upper and mine[what].lower < during.upper
    }
    assert wanted
    assert {(one.release_id, one.what) for one in bookings.conflicts_of(middle)} == wanted
