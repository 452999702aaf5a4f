"""What a tick costs: the same few statements however much there is, each through an index of what waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from processes.models import Process
from releases.execution import rows, tick
from releases.models import ActivityRun, Attempt, Freeze, FreezeWindow, Notice, PhaseRun, Release, ReleaseGroup
from tests.messages import drain

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
MANY = 1000
Statement = tuple[str, Any]


@pytest.fixture
def process(db: None) -> Process:
    """A process, and an empty queue."""
    drain()
    return Process.objects.create(slug="shop", name="Shop")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Statement]:
    """Every statement of the machine's own, with its parameters, while they still run as always."""
    heard: list[Statement] = []
    fetch = rows.fetch

    def listen(sql: str, params: Any) -> list[tuple[Any, ...]]:
        heard.append((sql, params))
        return fetch(sql, params)

    monkeypatch.setattr("releases.execution.rows.fetch", listen)
    return heard


def fill(process: Process, count: int) -> None:
    """That many groups, freezes with a window, and releases that wait or run, none of which is due before LATER."""
    start = ReleaseGroup.objects.count()
    numbers = range(start, start + count)
    groups = ReleaseGroup.objects.bulk_create(
        ReleaseGroup(slug=f"train-{number}", name="Train", process=process, next_plan_at=LATER) for number in numbers
    )
    freezes = Freeze.objects.bulk_create(
        Freeze(slug=f"freeze-{number}", name="Freeze", body={"scope": {"everything": True}}, next_plan_at=LATER)
        for number in numbers
    )
    FreezeWindow.objects.bulk_create(
        FreezeWindow(freeze=freeze, starts_at=LATER, ends_at=LATER + timedelta(days=1)) for freeze in freezes
    )
    waiting = {"planned_start_at": LATER, "next_try_at": LATER, "check_at": LATER, "state": "scheduled"}
    plain = {"process": process, "name": "Train", "created_at": NOW}
    Release.objects.bulk_create(Release(group=group, **plain, **waiting) for group in groups)
    running = Release.objects.bulk_create(Release(group=group, **plain, state="running") for group in groups)
    fill_runs(running)


def fill_runs(releases: list[Release]) -> None:
    """A phase and an activity for each release, with an attempt that was tried in vain and is to be looked at later."""
    phases = PhaseRun.objects.bulk_create(
        PhaseRun(release=release, node=1, path="only", slug="only", name="Only", held_until=LATER)
        for release in releases
    )
    plain = {"node": 2, "path": "only/ship", "slug": "ship", "name": "Ship", "kind": "automated", "state": "running"}
    runs = ActivityRun.objects.bulk_create(
        ActivityRun(release=phase.release, phase=phase, **plain, next_look_at=LATER, held_until=LATER, tell_at=LATER)
        for phase in phases
    )
    person, _ = User.objects.get_or_create(username="owner")
    told = {"user": person, "kind": "asked", "at": NOW, "mail_at": LATER}
    Notice.objects.bulk_create(Notice(activity_run=run, key=f"asked:{run.pk}", **told) for run in runs)
    Attempt.objects.bulk_create(Attempt(activity_run=run, number=1, started_at=NOW, cancel_at=LATER) for run in runs)


def told_by_a_tick(said: list[Statement]) -> list[Statement]:
    """The statements of one tick at which nothing is due; there are no others."""
    said.clear()
    with CaptureQueriesContext(connection) as others:
        assert tick.tick(now=NOW) == 0
    assert len(others) == 0
    return list(said)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a query plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def test_a_tick_says_the_same_whatever_there_is(process, said):
    fill(process, 10)
    few = told_by_a_tick(said)
    fill(process, MANY)
    assert told_by_a_tick(said) == few
    assert len(few) < 14
    assert drain() == []


def test_every_scan_of_a_tick_goes_through_an_index(process, said):
    fill(process, MANY)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    seen: set[str] = set()
    for sql, params in told_by_a_tick(said):
        (plan,) = rows.fetch(f"EXPLAIN (FORMAT JSON) {sql}", params)[0]
        found = json.loads(plan) if isinstance(plan, str) else plan
        for node in nodes(found[0]["Plan"]):
            assert node["Node Type"] != "Seq Scan", f"{node['Relation Name']} is read from end to end by {sql}"
            seen |= {node["Index Name"]} if "Index Name" in node else set()
    assert {
        "activity_look",
        "activity_run_held",
        "activity_run_tell",
        "attempt_cancel",
        "freeze_plan",
        "group_plan",
        "notice_mail",
        "phase_run_held",
        "release_check",
        "release_due",
    } <= seen


def test_what_is_due_among_many_is_found_and_nothing_else(process, said):
    fill(process, MANY)
    group, freeze = ReleaseGroup.objects.all()[MANY // 2], Freeze.objects.all()[MANY // 2]
    release = Release.objects.filter(state="scheduled")[MANY // 2]
    for row in (group, freeze):
        type(row).objects.filter(pk=row.pk).update(next_plan_at=NOW)
    Release.objects.filter(pk=release.pk).update(next_try_at=NOW)
    assert tick.tick(now=NOW) == 3
    assert sorted(drain()) == [("begin", (release.pk,)), ("plan_freeze", (freeze.pk,)), ("plan_group", (group.pk,))]
