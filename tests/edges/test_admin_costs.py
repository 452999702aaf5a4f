"""Lists of the admin take as many queries for fifty rows as for one, for somebody with object permissions too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm

from activities.models import Activity, Connection, Secret
from config.models import Event
from config.trail import record
from processes.models import InputSet, Process, ProcessRevision, Resource
from releases.models import (
    ActivityRun,
    Artifact,
    Attempt,
    Change,
    Feed,
    HolidayCalendar,
    PhaseRun,
    Release,
    ReleaseGroup,
    SignOff,
)
from tests.edges.desk import Desk, staff

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MANY = 50


def make(at: int) -> None:
    """One row of everything, with everything it leads to."""
    slug = f"row-{at}"
    secret = Secret.objects.create(name=slug, ciphertext=b"", updated_at=NOW)
    Connection.objects.create(slug=slug, name=slug, provider="local", secret=secret)
    Activity.objects.create(slug=slug, name=slug, kind="wait", draft={})
    Resource.objects.create(slug=slug, name=slug, type="service")
    process = Process.objects.create(slug=slug, name=slug)
    published = {"published_at": NOW, "published_by_name": "author", "digest": slug, "document": {}}
    ProcessRevision.objects.create(process=process, number=1, **published)
    phase = process.phases.create(slug="a", name="A")
    phase.activities.create(slug="b")
    input_set = InputSet.objects.create(slug=slug, name=slug, process=process)
    group = ReleaseGroup.objects.create(slug=slug, name=slug, process=process, input_set=input_set)
    release = Release.objects.create(process=process, group=group, name=slug, created_at=NOW)
    phase_run = PhaseRun.objects.create(release=release, node=1, path="a", slug="a", name="A")
    run = ActivityRun.objects.create(
        release=release, phase=phase_run, node=2, path="a/b", slug="b", name="B", kind="manual"
    )
    Attempt.objects.create(activity_run=run, number=1, started_at=NOW)
    SignOff.objects.create(activity_run=run, attempt=1, user_name="ann", decision="approved", at=NOW)
    Artifact.objects.create(release=release, activity_run=run, name=slug, at=NOW)
    Change.objects.create(release=release, activity_run=run, kind="ticket", reference=slug, at=NOW)
    person = User.objects.create_user(slug)
    Feed.objects.create(owner=person, name=slug, kind="group", group=group, digest=slug, created_at=NOW)
    calendar = HolidayCalendar.objects.create(slug=slug, name=slug, imported_at=NOW)
    calendar.days.create(on=NOW.date(), name=slug)
    record(person, "process.changed", process, now=NOW)


TABLES: tuple[type[models.Model], ...] = (
    Activity, Connection, Secret, Process, ProcessRevision, InputSet, Resource, Release, ReleaseGroup, PhaseRun,
    ActivityRun, Attempt, SignOff, Artifact, Change, Event, User, Feed, HolidayCalendar,
)  # fmt: skip


def queries(desk: Desk, table: type[models.Model]) -> int:
    name = f"{table._meta.app_label}_{table._meta.model_name}_changelist"
    with CaptureQueriesContext(connection) as caught:
        assert desk.open(name).status == 200
    return len(caught)


def sharing(person: User) -> Callable[[], Desk]:
    """Give the person every permission that can be held on single objects, on all there are."""

    def desk() -> Desk:
        for table in (Activity, Connection, Process, InputSet, ReleaseGroup, Release):
            for row in table._default_manager.all():
                assign_perm(f"view_{table._meta.model_name}", person, row)
        return Desk(staff(person))

    return desk


def test_no_list_asks_more_for_more_rows(admin: User) -> None:
    make(0)
    desk = Desk(admin)
    desk.open("/admin/")
    before = {table: queries(desk, table) for table in TABLES}
    for at in range(1, MANY):
        make(at)

    assert {table: queries(desk, table) for table in TABLES} == before


def test_no_list_asks_more_for_more_rows_that_are_shared_one_by_one(stranger: User) -> None:
    shared = [Activity, Connection, Process, InputSet, ReleaseGroup, Release, ProcessRevision, ActivityRun, Attempt]
    share = sharing(stranger)
    make(0)
    desk = share()
    before = {table: queries(desk, table) for table in shared}
    for at in range(1, MANY):
        make(at)
    desk = share()

    assert {table: queries(desk, table) for table in shared} == before
    assert "row-49" in desk.open("processes_process_changelist").text
