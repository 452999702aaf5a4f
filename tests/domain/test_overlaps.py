"""docs/time.md, "Releases that overlap": who may run at the same time; what only one may hold is held by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from processes.models import Process, Resource
from processes.services import apply
from releases import bookings
from releases.groups import save_group
from releases.models import Release
from releases.services import running
from releases.services.due import begin_due
from tests.pure.doc_tables import tables
from tests.trains import DOCUMENT, NOW, SHOP

pytestmark = pytest.mark.django_db

DUE = datetime(2026, 6, 4, 7, tzinfo=UTC)
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
YARD = """
kind: Resource
id: yard
name: Yard
type: environment
exclusive: true
---
"""
STATES = {"at its time": "running", "when that is over": "scheduled", "never": "cancelled"}


@pytest.fixture(autouse=True)
def shop(groups: Any) -> Process:
    """A published process that needs the yard, which only one may hold."""
    apply(None, YARD + SHOP.replace("tags:", "resources: [yard]\ntags:"), now=NOW, publish=True)
    return Process.objects.get()


def two(overlap: str, *, kin: bool = True) -> tuple[Release, Release]:
    """A release that runs, of the same group or of another one; and the next of a group with this policy."""
    save_group(None, {**DOCUMENT, "overlap": overlap}, now=NOW)
    if not kin:
        save_group(None, {**DOCUMENT, "id": "tram", "name": "Tram"}, now=NOW)
    first = Release.objects.filter(group__slug="train" if kin else "tram").earliest("planned_start_at")
    assert begin_due(first.pk, now=DUE)
    second = Release.objects.filter(group__slug="train", planned_start_at__gt=DUE).earliest("planned_start_at")
    if not kin:
        Release.objects.filter(group__slug="train", planned_start_at__lte=DUE).delete()
    return first, second


@pytest.mark.parametrize("row", tables("time.md")["Releases that overlap"], ids=lambda row: " ".join(row.values()))
def test_releases_that_overlap(row):
    Resource.objects.update(exclusive=row["a resource of both"] == "exclusive")
    _, second = two(row["overlap"], kin=row["another, under way"] == "of its group")
    begin_due(second.pk, now=DUE + WEEK)
    second.refresh_from_db()
    assert second.state == STATES[row["it starts"]]


def test_the_next_of_a_group_takes_what_the_one_before_gives_back(manager):
    first, second = two("allow")
    assert [one.release_id for one in bookings.holders_of(second)] == [first.pk]
    assert not begin_due(second.pk, now=DUE + WEEK)
    second.refresh_from_db()
    assert "held by a running release" in second.reason
    first.refresh_from_db()
    running.abort_release(manager, first, now=DUE + WEEK, reason="enough")
    assert begin_due(second.pk, now=DUE + WEEK + HOUR)


def test_two_of_a_group_that_allows_overlaps_are_in_conflict_over_what_only_one_may_have():
    first, second = two("allow")
    Release.objects.filter(pk=second.pk).update(planned_start_at=DUE + HOUR)
    second.refresh_from_db()
    bookings.rebook_many([first, second], now=DUE)
    found = [(one.what, one.release_id, one.stops) for one in bookings.conflicts_of(second)]
    assert found == [("resource:yard", first.pk, True)]
    pairs = bookings.conflicts_between(DUE, DUE + 2 * HOUR).pairs
    assert [pair.one.what for pair in pairs] == ["resource:yard"]
    Resource.objects.update(exclusive=False)
    assert bookings.conflicts_of(second) == []
    assert bookings.conflicts_between(DUE, DUE + 2 * HOUR).pairs == []
