"""Releases, groups and runs in the admin: planned, operated, looked at; by those who may."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from guardian.shortcuts import assign_perm

from config.models import Event
from processes.models import InputSet, Process
from releases.models import ActivityRun, Attempt, PhaseRun, Release, ReleaseGroup
from releases.services import planning
from tests.builders import work
from tests.edges.desk import Desk, staff
from tests.edges.pages import publish
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHIP = """
kind: Process
id: ship
name: Ship it
inputs: {version: {type: string, required: true}}
phases:
  - {id: go, name: Go, owners: [group:qa], activities: [{id: build, automated: {connection: scripted, pipeline: ok}}]}
---
kind: Process
id: other
name: Other one
phases: [{id: go, name: Go, activities: [{id: wait, wait: 1h}]}]
---
kind: InputSet
id: usual
name: Usual
process: ship
values: {inputs: {version: "1.0"}}
"""


@pytest.fixture
def desk(engine: ScriptedRunner, manager: User) -> Desk:
    """The manager's."""
    publish(SHIP)
    return Desk(staff(manager))


def ship() -> Process:
    return Process.objects.get(slug="ship")


def plan(by: User | None = None, **more: object) -> Release:
    return planning.create_release(by, process=ship(), name="Spring", now=NOW, **more)  # type: ignore[arg-type]


def do(desk: Desk, release: Release, verb: str, **data: str) -> str:
    desk.open(f"releases_release_{verb}", release.pk).send(data)
    release.refresh_from_db()
    return release.state


def test_a_manager_creates_plans_and_runs_a_release(desk: Desk) -> None:
    usual = InputSet.objects.get()
    desk.open("releases_release_add").save(
        process=str(ship().pk), name="Spring", version="1.2", input_set=str(usual.pk), given="inputs: {version: 2.0.0}"
    )
    assert desk.first_status == 302, desk.text
    release = Release.objects.get()
    assert (release.created_by_name, release.given) == ("manager", {"inputs": {"version": "2.0.0"}})

    desk.open("releases_release_change", release.pk).save(
        name="Summer", planned_start_at_0="2026-04-01", planned_start_at_1="09:00"
    )
    release.refresh_from_db()
    assert (release.name, release.planned_start_at) == ("Summer", datetime(2026, 4, 1, 9, tzinfo=UTC))
    assert do(desk, release, "schedule") == "scheduled"
    assert do(desk, release, "start") == "running"
    assert do(desk, release, "pause", reason="Lunch") == "paused"
    assert do(desk, release, "resume") == "running"
    assert do(desk, release, "abort") == "running"
    assert "A reason is required" in desk.text
    assert do(desk, release, "abort", reason="Wrong day") == "aborted"
    verbs = set(Event.objects.filter(release_id=release.pk).values_list("verb", flat=True))
    assert {"release.created", "release.edited", "release.scheduled", "release.aborted"} <= verbs
    assert "Wrong day" in desk.open("releases_release_history", release.pk).text


def test_a_look_at_an_action_does_nothing(desk: Desk) -> None:
    release = plan(given={"inputs": {"version": "1"}})
    for verb in ("schedule", "start", "pause", "resume", "cancel", "abort"):
        desk.open(f"releases_release_{verb}", release.pk)
        assert desk.status == 200

    release.refresh_from_db()
    assert release.state == "draft"


def test_what_stops_a_start_is_listed(desk: Desk) -> None:
    release = plan()
    assert "'version' is required" in desk.open("releases_release_start", release.pk).text
    assert '<form method="post" class="ph-card"' not in desk.source

    assert do(desk, release, "start") == "draft"
    assert desk.status == 400
    assert "'version' is required" in desk.text


def test_an_action_that_comes_too_late_says_so(desk: Desk) -> None:
    release = plan(given={"inputs": {"version": "1"}})

    assert do(desk, release, "pause") == "draft"
    assert desk.status == 400
    assert "draft" in desk.text


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("name", "", "required"),
        ("given", "inputs: [", "not valid YAML"),
        ("given", "nonsense: 1", "There is no 'nonsense' here"),
        ("planned_end_at_0", "2020-01-01", "The planned end is before"),
        ("planned_start_at_0", "soon", "valid date"),
        ("input_set", "0", "valid choice"),
    ],
)
def test_a_faulty_plan_is_told_and_kept(desk: Desk, field: str, typed: str, told: str) -> None:
    start, end = datetime(2026, 4, 1, 9, tzinfo=UTC), datetime(2026, 4, 2, 9, tzinfo=UTC)
    release = plan(planned_start_at=start, planned_end_at=end)
    desk.open("releases_release_change", release.pk).save(**{"description": "Typed before", field: typed})

    assert desk.status == 200
    assert told in desk.text
    assert desk.form["description"] == "Typed before"
    release.refresh_from_db()
    assert (release.edits, release.description) == (1, "")


def test_two_planners_at_once_the_second_is_told(desk: Desk) -> None:
    release = plan()
    form = desk.open("releases_release_change", release.pk).form
    desk.save(name="First")
    desk.open("releases_release_change", release.pk).send({**form, "name": "Second"})

    assert "changed this release meanwhile" in desk.text
    release.refresh_from_db()
    assert release.name == "First"


def test_a_release_that_has_started_keeps_its_plan_and_is_never_deleted(desk: Desk) -> None:
    release = plan(given={"inputs": {"version": "1"}})
    assert do(desk, release, "start") == "running"
    desk.open("releases_release_change", release.pk)
    assert "_save" not in desk.source
    desk.send({"name": "Later"})
    assert desk.status == 403
    assert desk.open("releases_release_delete", release.pk).status == 403


def test_an_owner_sees_their_release_and_plans_nothing(desk: Desk, owner: User) -> None:
    release = plan(given={"inputs": {"version": "1"}})
    theirs = Desk(staff(owner))
    assert theirs.open("releases_release_change", release.pk).status in (403, 404)
    do(desk, release, "start")
    work(release)

    assert "Spring" in theirs.open("releases_release_changelist").text
    assert theirs.open("releases_release_change", release.pk).status == 200
    assert "_save" not in theirs.source
    assert theirs.open("releases_activityrun_change", ActivityRun.objects.get().pk).status == 200
    assert theirs.open("releases_release_abort", release.pk).send({"reason": "Mine"}).status == 403
    release.refresh_from_db()
    assert release.state != "aborted"
    assert theirs.open("releases_release_add").status == 403


def test_somebody_who_may_start_one_process_plans_that_one_only(desk: Desk, stranger: User) -> None:
    assign_perm("start_process", stranger, ship())
    Release.objects.create(process=Process.objects.get(slug="other"), name="Hidden one", created_at=NOW)
    theirs = Desk(staff(stranger))

    page = theirs.open("releases_release_add").source
    assert "Ship it" in page
    assert "Other one" not in page
    theirs.save(process=str(Process.objects.get(slug="other").pk), name="Sneaky")
    assert "valid choice" in theirs.text
    theirs.save(process=str(ship().pk), name="Mine")
    assert Release.objects.get(name="Mine").created_by == User.objects.get(pk=stranger.pk)
    assert "Hidden one" not in theirs.open("releases_release_changelist").text
    assert "Other one" not in theirs.text


def test_runs_attempts_and_logs_are_shown_and_cannot_be_changed(desk: Desk) -> None:
    release = plan(given={"inputs": {"version": "1"}})
    do(desk, release, "start")
    work(release)
    rows = (("phaserun", PhaseRun), ("activityrun", ActivityRun), ("attempt", Attempt))
    for name, table in rows:
        row = table._default_manager.get()
        assert desk.open(f"releases_{name}_changelist").status == 200
        assert desk.open(f"releases_{name}_change", row.pk).status == 200
        assert "_save" not in desk.source
        assert desk.open(f"releases_{name}_history", row.pk).status == 200
        desk.open(f"releases_{name}_change", row.pk)
        for answer in (
            desk.client.post(desk.address, {"state": "failed"}),
            desk.client.get(f"/admin/releases/{name}/add/"),
        ):
            assert answer.status_code == 403
        assert desk.client.post(f"/admin/releases/{name}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_log_is_shown_as_text_never_as_markup(desk: Desk) -> None:
    release = plan(given={"inputs": {"version": "1"}})
    do(desk, release, "start")
    work(release)
    attempt = Attempt.objects.get()
    log, _ = type(attempt).log.related.related_model.objects.get_or_create(attempt=attempt)  # type: ignore[attr-defined]
    log.text = "<script>alert(1)</script>\nbuilt"
    log.save()

    page = desk.open("releases_attempt_change", attempt.pk).source
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page


# Groups


def test_a_group_is_kept_while_it_has_releases(desk: Desk) -> None:
    group = ReleaseGroup.objects.create(slug="train", name="Train", process=ship())
    plan(group=group)
    assert "cannot be deleted" in desk.open("releases_releasegroup_delete", group.pk).text
    assert "Release" in desk.open("releases_releasegroup_used_by", group.pk).text
